"""Adds a new head to a trained model."""
