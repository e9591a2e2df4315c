"""TensorFlow lives here, imported inside functions only: everything that executes."""
