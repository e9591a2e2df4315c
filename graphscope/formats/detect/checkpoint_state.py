"""The ``checkpoint`` file: which checkpoint of a directory is the latest.

Source: ``tensorflow/python/training/checkpoint_state.proto``; text format. The paths in it are relative to its directory,
or absolute on the machine that trained, Windows included: only their last part can be trusted elsewhere.

TensorFlow opens an absolute path wherever it still exists. Here what is below the state file's own directory comes first: in a
copied directory, the copy is meant.
"""

from __future__ import annotations

import re
from pathlib import Path

from google.protobuf import text_format

from graphscope import protos
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
    state = protos.CheckpointState()
    try:
        text_format.Parse(source.read(0, source.size).decode("utf-8-sig"), state, allow_unknown_field=True)
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        refuse_neighbours(source)
        raise CorruptFileError(f"not a checkpoint state file: {error}", path=path) from error
    latest = [state.model_checkpoint_path] if state.model_checkpoint_path else []
    named = map(without_pattern, [*latest, *reversed(state.all_model_checkpoint_paths)])
    return CheckpointState(path.parent, tuple(dict.fromkeys(named)))
