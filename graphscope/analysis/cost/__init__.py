"""The cost of a model, from its structure: operations, bytes, parameters and memory. No TensorFlow, no weights read."""
