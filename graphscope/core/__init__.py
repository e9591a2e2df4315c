"""The model in memory: graph, tensors, variables. Knows no file layout, no terminal and no TensorFlow runtime."""
