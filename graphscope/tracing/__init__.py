"""The cost of a traced run, from its ``StepStats``: by node, op, scope and device. Needs no TensorFlow."""
