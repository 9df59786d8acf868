"""Shared foundations: specs, checks, seeds, files, progress, interfaces."""
