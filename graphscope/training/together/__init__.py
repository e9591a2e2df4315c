"""Training by several processes or devices: each computes a part of a step's examples, and the step writes the average."""
