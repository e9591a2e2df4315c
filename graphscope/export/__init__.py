"""Frozen graphs in other runtimes' formats: :mod:`graphscope.export.target` says what each of them gives."""
