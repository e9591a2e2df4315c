"""What TensorFlow demands of a graph before it runs it."""
