"""New heads on trained graphs, and training them; TensorFlow is imported inside functions only."""
