"""NumPy kernels that round as TensorFlow does, for constant folding."""
