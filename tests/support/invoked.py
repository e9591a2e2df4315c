"""The command line, run within the tests' own process."""

from __future__ import annotations

from graphscope.cli.app import app


def code_of(*words: object) -> int:
    """The exit code of ``graphscope WORDS``."""
    try:
        app([str(word) for word in words], prog_name="graphscope")
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
