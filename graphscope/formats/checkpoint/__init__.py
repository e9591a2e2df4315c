"""Checkpoints, V1 and V2."""
