"""Models in TensorFlow Lite's format, by TensorFlow's own converter in a separate process."""
