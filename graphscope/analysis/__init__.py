"""Model -> report: frozen dataclasses with units in their field names, for a renderer or a program to read."""
