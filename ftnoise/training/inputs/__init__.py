"""What the loss is taken on."""
