"""Prefixes of checkpoints, as text: a path would drop the slash that an empty base name ends in."""

from __future__ import annotations

from pathlib import Path

from graphscope.core.patterns import Pattern

_SHARD_PATTERN = Pattern(r"-\?{5}-of-\d{5}\Z")


def join(directory: Path, base: str) -> str:
    """``directory/base`` as text; an empty base name keeps the slash."""
    return str(directory / base) if base else str(directory) + "/"


def without_pattern(prefix: str) -> str:
    """``prefix`` of ``prefix-?????-of-00002``, which is what ``Saver`` calls a sharded V1 checkpoint; others as they are."""
    return _SHARD_PATTERN.compiled.sub("", prefix) if "?" in prefix else prefix
