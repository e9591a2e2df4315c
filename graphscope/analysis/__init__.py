"""Analyzes a model and returns reports: immutable records with units in their field names."""
