"""The ``checkpoint`` file: which checkpoint of a directory is the latest.

Source: ``tensorflow/python/training/checkpoint_state.proto``; text format. The paths in it are relative to its directory,
or absolute on the machine that trained, Windows included: only their last part can be trusted elsewhere.

TensorFlow opens an absolute path wherever it still exists. Here what is below the state file's own directory comes first: in a
copied directory, the copy is meant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from graphscope import protos
from graphscope.core.patterns import Pattern
from graphscope.errors import CorruptFileError
from graphscope.formats.detect.neighbours import refuse_neighbours
from graphscope.formats.detect.prefixes import join, without_pattern
from graphscope.formats.io.paths import is_below
from graphscope.formats.io.wire import FileSource
from graphscope.named_tuple import NamedTuple

MAX_BYTES = 16 << 20


class CheckpointState(NamedTuple):
    """The prefixes that the file names, latest first, and the directory it is in."""

    directory: Path
    prefixes: tuple[str, ...]

    def candidates(self) -> list[str]:
        """Where each prefix may be: below the directory, as spelled or by its last part beside the file; then elsewhere."""
        within: list[str] = []
        outside: list[str] = []
        for prefix in self.prefixes:
            spelled = str(self.directory / prefix)
            (within if is_below(spelled, self.directory) else outside).append(spelled)
            within.append(join(self.directory, re.split(r"[/\\]", prefix)[-1]))
        return list(dict.fromkeys([*within, *outside]))


def read_state(path: Path) -> CheckpointState:
    """Reads a ``checkpoint`` file.

    Raises:
        CorruptFileError: it is no such file.
        NotTensorFlowError: it is of a neighbouring format.
        FileError: it cannot be read.
    """
    source = FileSource(path)
    if source.size > MAX_BYTES:
        raise CorruptFileError(f"too large for a checkpoint state file: {source.size:,} bytes", path=path)
    content = source.read(0, source.size)
    latest, others = _read_lines(content) or _parse(content, source)
    named = map(without_pattern, [*filter(None, [latest]), *reversed(others)])
    return CheckpointState(path.parent, tuple(dict.fromkeys(named)))


_LINE = Pattern(
    r'(model_checkpoint_path|all_model_checkpoint_paths): "([^"\\]*)"'
    r"|(all_model_checkpoint_timestamps|last_preserved_timestamp): [0-9]+(?:\.[0-9]+)?"
)
_SINGLE = ("model_checkpoint_path", "last_preserved_timestamp")


def _read_lines(content: bytes) -> tuple[str, list[str]] | None:
    """The latest prefix, and all of them, if every line is one that TensorFlow writes.

    ``None`` for any other text: importing protobuf's parser takes longer than all else that a state file is read for.
    """
    if not content.isascii():
        return None
    *lines, rest = content.decode().split("\n")
    found = list(filter(None, map(_LINE.fullmatch, lines)))
    names = [match[1] or match[3] for match in found]
    if rest or len(found) < len(lines) or any(names.count(name) > 1 for name in _SINGLE):
        return None
    latest = next((match[2] for match in found if match[1] == "model_checkpoint_path"), "")
    return latest, [match[2] for match in found if match[1] == "all_model_checkpoint_paths"]


def _parse(content: bytes, source: FileSource) -> tuple[str, Sequence[str]]:
    """As :func:`_read_lines`, of any text; raises as :func:`read_state`."""
    from google.protobuf import text_format

    state = protos.CheckpointState()
    try:
        text_format.Parse(content.decode("utf-8-sig"), state, allow_unknown_field=True)
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        refuse_neighbours(source)
        raise CorruptFileError(f"not a checkpoint state file: {error}", path=source.path) from error
    return state.model_checkpoint_path, state.all_model_checkpoint_paths
