"""Finds the files of the model at a path, recognized by content."""
