"""Features: the outputs of a base for each example, computed once and stored on disk."""
