"""Runs two models, or one model tensor by tensor, and compares what they compute."""
