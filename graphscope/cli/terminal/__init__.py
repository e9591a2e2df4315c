"""Output: streams, escaping, tables, progress."""
