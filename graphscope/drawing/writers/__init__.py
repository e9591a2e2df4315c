"""A picture as a file: one module for each format."""
