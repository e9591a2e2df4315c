"""New heads: a chain of layers written as text, or a Python function."""
