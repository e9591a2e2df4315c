"""The state of a training run beyond its checkpoint: a JSON file beside the checkpoints, replaced as a whole.

It names the checkpoint that it belongs to. One that was written but is not named yet does not count.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from graphscope.advice import Advice, Option
from graphscope.errors import CorruptFileError, FileError, GraphscopeError
from graphscope.formats.io.atomic import write_file
from graphscope.training.tune.metrics import Mean
from graphscope.training.tune.report import Best, ClassReport, EpochReport
from graphscope.training.tune.split import BY_KEY

VERSION = 1
"""Of the JSON file."""

_SUFFIX = ".tune.json"

Settings = Mapping[str, str | int | float | bool | None]
"""What must be the same when a training run is resumed, by a name that a person knows."""


@dataclass
class TrainingState:
    """The state of a training run.

    Attributes:
        settings: see :data:`Settings`.
        origin: prefix of the checkpoint that it began with, relative to the file's directory.
        start_step: the global step when it began.
        step: the global step now.
        kept: names of the checkpoints that are kept, the newest last; none at the start, when the model itself counts.
        running: over the examples of the epoch that has begun.
        epochs: of those that are done.
        best: of those; ``None`` if nothing validates.
        split: how examples were held out, see :func:`graphscope.training.tune.split.split`; by key in files that do not say.
        writer: what marks the process that writes, if another one may take over; otherwise empty.
    """

    settings: Settings
    origin: str
    start_step: int
    step: int
    kept: list[str] = field(default_factory=list)
    running: Mean = field(default_factory=Mean)
    epochs: list[EpochReport] = field(default_factory=list)
    best: Best | None = None
    split: int = BY_KEY
    writer: str = ""


def run_file(prefix: Path) -> Path:
    """Where the training run whose checkpoints begin with ``prefix`` keeps its state."""
    return prefix.with_name(prefix.name + _SUFFIX)


def write_run(path: Path, run: TrainingState) -> None:
    """Writes the file, whole or not at all.

    Raises:
        FileError: it cannot be written (no space); the existing file is kept.
    """
    text = json.dumps({"version": VERSION, **asdict(run)}, indent=1, allow_nan=False)
    write_file(path, [text.encode(), b"\n"], overwrite=True)


def read_run(path: Path) -> TrainingState:
    """Reads the file.

    Raises:
        FileError: there is none, or it cannot be read.
        CorruptFileError: the file was not written by :func:`write_run`.
    """
    try:
        content = path.read_text("utf-8")
    except OSError as error:
        raise FileError.from_os_error(error, path) from error
    except UnicodeDecodeError as error:
        raise CorruptFileError(f"not a valid training state: {error}", path=path) from error
    try:
        return _run(**json.loads(content))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptFileError(f"not a training state of version {VERSION}: {error}", path=path) from error


def _run(version: int, settings: Any, running: Any, epochs: Any, best: Any, **rest: Any) -> TrainingState:
    if version != VERSION:
        raise ValueError(f"it is of version {version}")
    return TrainingState(
        **rest,
        settings={name.removeprefix("--"): value for name, value in settings.items()},  # as earlier releases wrote them
        running=Mean(**running),
        epochs=[EpochReport(**epoch) for epoch in epochs],
        best=None if best is None else Best(**{**best, "classes": tuple(ClassReport(**c) for c in best["classes"])}),
    )


def refuse_other_settings(path: Path, before: Settings, now: Settings) -> None:
    """Refuses to resume a training run that was started with other settings.

    Raises:
        GraphscopeError: they differ; the message lists what.
    """
    names = [name for name in dict.fromkeys([*before, *now]) if before.get(name) != now.get(name)]
    if names:
        lines = [f"  {name}: {_show(before.get(name))} then, {_show(now.get(name))} now" for name in names]
        raise GraphscopeError(
            f"{path}: this training was started with different settings\n" + "\n".join(lines),
            hint=Advice(
                "resume it with the settings that it was started with, or start over: ", Option("overwrite", True)
            ),
        )


def _show(value: object) -> str:
    return "none" if value is None else str(value)
