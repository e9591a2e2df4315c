"""Analyzes a model and returns reports: frozen dataclasses with units in their field names."""
