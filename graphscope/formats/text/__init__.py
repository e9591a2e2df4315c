"""Protobuf's text format."""
