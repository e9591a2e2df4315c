"""Feeds and fetches: names, shapes, types and values; needs no TensorFlow."""
