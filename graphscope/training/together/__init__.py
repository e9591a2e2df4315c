"""One training by several: each computes a part of a step's examples, and what the step writes is the average."""
