"""What a traced run cost, read off its ``StepStats``: by node, op, scope and device. Needs no TensorFlow."""
