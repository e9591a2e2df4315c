"""Evaluation of a model on labelled examples."""
