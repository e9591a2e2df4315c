"""Everything that executes a graph. TensorFlow is imported only inside functions."""
