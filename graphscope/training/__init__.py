"""New heads on trained graphs, and their training; TensorFlow is imported only inside functions."""
