"""Trains what graft prepared."""
