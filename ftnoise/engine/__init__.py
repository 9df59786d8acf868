"""What is missing, and how it is made."""
