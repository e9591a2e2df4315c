"""Weights that stay in their files: split off when a graph is read, streamed when it is written."""
