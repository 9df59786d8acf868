"""What every room rests on: specs, checks, seeds, files, progress."""
