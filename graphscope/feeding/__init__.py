"""What is fed and fetched: names, shapes, types and values; needs no TensorFlow."""
