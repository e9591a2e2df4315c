"""Models in TensorFlow Lite's format, by TensorFlow's own converter in a process of its own."""
