"""How losses become an update, and how batches are drawn."""
