"""Frozen graphs in other runtimes' formats; :mod:`graphscope.export.target` defines the common interface."""
