"""The run folders, and the only code that touches them."""
