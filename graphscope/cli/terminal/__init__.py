"""The way out: streams, escaping, tables, progress."""
