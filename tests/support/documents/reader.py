"""Someone who follows a page step by step, in a directory of their own."""

from __future__ import annotations

import re

PROGRAM = "graphscope"
SHELL = re.compile(r"[|<>;&$`*~]")
"""What only a shell understands, outside of quotes."""
FAILURE = re.compile(r"error:|note: .*\b[1-9]\d* differences?$")
"""A line that says that the exit code is not 0: an error, or models that differ."""
