"""The ``checkpoint`` file: which checkpoint of a directory is the latest.

Source: ``tensorflow/python/training/checkpoint_state.proto``; text format. The paths in it are relative to its directory,
or absolute on the machine that trained, Windows included: only their last part can be trusted elsewhere.

TensorFlow opens an absolute path wherever it still exists. Here what is below the state file's own directory comes first: in a
copied directory, the copy is meant.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from google.protobuf import text_format

from graphscope import protos
from graphscope.core.patterns import Pattern
from graphscope.errors import CorruptFileError
from graphscope.formats.detect.neighbours import refuse_neighbours
from graphscope.formats.io.paths import real_path
from graphscope.formats.io.wire import FileSource

MAX_BYTES = 16 << 20
_SHARD_PATTERN = Pattern(r"-\?{5}-of-\d{5}\Z")


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


def is_below(path: str, directory: Path) -> bool:
    """Whether ``path``, with every link followed, is in ``directory`` or below it."""
    if "\0" in path:
        return False
    root = real_path(directory)
    return real_path(path).is_relative_to(root)


def join(directory: Path, base: str) -> str:
    """``directory/base`` as text; an empty base name keeps the slash."""
    return str(directory / base) if base else str(directory) + "/"


def without_pattern(prefix: str) -> str:
    """``prefix`` of ``prefix-?????-of-00002``, which is what ``Saver`` calls a sharded V1 checkpoint; others as they are."""
    return _SHARD_PATTERN.compiled.sub("", prefix)


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
    state = protos.CheckpointState()
    try:
        text_format.Parse(source.read(0, source.size).decode("utf-8-sig"), state, allow_unknown_field=True)
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        refuse_neighbours(source)
        raise CorruptFileError(f"not a checkpoint state file: {error}", path=path) from error
    latest = [state.model_checkpoint_path] if state.model_checkpoint_path else []
    named = map(without_pattern, [*latest, *reversed(state.all_model_checkpoint_paths)])
    return CheckpointState(path.parent, tuple(dict.fromkeys(named)))
