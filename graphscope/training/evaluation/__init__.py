"""Evaluation of a model on labeled examples."""
