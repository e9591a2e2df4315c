"""What a base computes of each example, once, on disk."""
