"""What a model costs, by its structure: operations, bytes, parameters and memory. No TensorFlow, no weights read."""
