"""The checkpoints of one training run: ``PREFIX-STEP`` as ``tf.compat.v1.train.Saver`` names them, and the best one apart.

Each is an ordinary checkpoint with its ``.meta``. What training does not change is not written again: data files and the
meta graph are shared with the checkpoint that training started from.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

from graphscope.advice import Advice, Call
from graphscope.core.model import Model
from graphscope.core.values.payload import Payload
from graphscope.errors import GraphscopeError, UnsupportedError, file_errors
from graphscope.formats.checkpoint.update import update_checkpoint
from graphscope.formats.checkpoint.v2 import BundleStore
from graphscope.formats.checkpoint.writer import write_state_file
from graphscope.formats.io.paths import exists, is_directory
from graphscope.formats.io.staging import staged_files
from graphscope.training.tune.resume import TrainingState, read_run, run_file, write_run

BEST = "best"
"""The directory beside the checkpoints that holds the best one."""

_STEP = re.compile(r"-\d+\Z")


def output_prefix(prefix: str, out: str | None) -> Path:
    """What the names of a training's checkpoints begin with.

    Args:
        prefix: of the checkpoint that it starts from; the step at its end does not count.
        out: another prefix, or a directory (one that is there, or whose name ends with a slash); ``None``: beside ``prefix``.
    """
    base = Path(_STEP.sub("", prefix))
    if out is None:
        return base
    return Path(out) / base.name if out.endswith("/") or is_directory(Path(out)) else Path(out)


class Checkpoints:
    """Writes and removes the checkpoints of a training run.

    Attributes:
        prefix: what their names begin with.
    """

    def __init__(self, prefix: Path, model: Model) -> None:
        """Makes the directory.

        Args:
            model: whose values stand where training changes none.

        Raises:
            UnsupportedError: the model is no V2 checkpoint.
            FileError: the directory cannot be made.
        """
        if not isinstance(model.store, BundleStore):
            raise UnsupportedError(
                "not a V2 checkpoint, which training needs",
                path=model.path,
                hint=Advice(Call("convert", (model.path, "model.ckpt"))),
            )
        self.prefix = prefix
        self._store = model.store
        self._meta = next(Path(file.path) for file in model.files if file.role == "graph")
        with file_errors(prefix.parent):
            prefix.parent.mkdir(parents=True, exist_ok=True)

    def name(self, step: int) -> str:
        """Of the checkpoint at ``step``, without its directory."""
        return f"{self.prefix.name}-{step}"

    def path(self, name: str) -> str:
        """The prefix of the checkpoint called ``name``."""
        return str(self.prefix.parent / name)

    def best_path(self, name: str) -> str:
        """The prefix of the best checkpoint, if ``name`` is the best."""
        return str(self.prefix.parent / BEST / name)

    def write(self, step: int, tensors: Iterable[tuple[str, Payload]]) -> None:
        """Writes the checkpoint at ``step``, whole or not at all, in place of one of that name.

        Args:
            tensors: key and content of what training changes.

        Raises:
            FileError: it cannot be written (no space); existing files are kept.
        """
        update_checkpoint(self._store, self.path(self.name(step)), tensors, meta=self._meta, overwrite=True)

    def write_best(self, name: str) -> None:
        """Gives the checkpoint called ``name`` a second place in :data:`BEST`; raises as :meth:`write`."""
        target = Path(self.best_path(name))
        files = checkpoint_files(self.path(name))
        with file_errors(target.parent):
            target.parent.mkdir(exist_ok=True)
        with staged_files([], overwrite=True, shared=[(file, target.parent / file.name) for file in files]):
            pass
        write_state_file(target.parent, name, overwrite=True)

    def record(self, run: TrainingState) -> None:
        """Writes down where training is; raises as :meth:`write`.

        Raises:
            GraphscopeError: another process has claimed the training run.
        """
        path = run_file(self.prefix)
        if run.writer and read_run(path).writer != run.writer:
            raise GraphscopeError(
                f"{path}: other workers have taken over this training",
                hint="this worker had not answered in time; start it again when the training is resumed",
            )
        write_run(path, run)

    def claim(self, run: TrainingState) -> None:
        """Makes this process the one that writes: a writer before it, which others took for lost, finds out when it writes."""
        run.writer = uuid.uuid4().hex
        write_run(run_file(self.prefix), run)

    def announce(self, names: Sequence[str]) -> None:
        """Writes the ``checkpoint`` file, which names these, the last one as the latest; raises as :meth:`write`."""
        write_state_file(self.prefix.parent, names[-1], older=names[:-1], overwrite=True)

    def remove(self, prefixes: Iterable[str]) -> None:
        """Removes the files of checkpoints; the index first, so that none is taken for a whole one."""
        for prefix in prefixes:
            for file in reversed(checkpoint_files(prefix)):
                with file_errors(file):
                    file.unlink(missing_ok=True)


class Unwritten(Checkpoints):
    """The checkpoints of a training run that another process writes."""

    def write(self, step: int, tensors: Iterable[tuple[str, Payload]]) -> None:
        """Leaves it to the other."""

    def write_best(self, name: str) -> None:
        """Leaves it to the other."""

    def record(self, run: TrainingState) -> None:
        """Leaves it to the other."""

    def claim(self, run: TrainingState) -> None:
        """Leaves it to the other."""

    def announce(self, names: Sequence[str]) -> None:
        """Leaves it to the other."""

    def remove(self, prefixes: Iterable[str]) -> None:
        """Leaves it to the other."""


def checkpoint_files(prefix: str) -> list[Path]:
    """The files that there are of a V2 checkpoint, the index last."""
    path = Path(prefix)
    pattern = re.compile(re.escape(path.name) + r"\.(meta|data-\d{5}-of-\d{5})")
    found = sorted(p for p in path.parent.iterdir() if pattern.fullmatch(p.name)) if is_directory(path.parent) else []
    index = Path(f"{prefix}.index")
    return [*found, index] if exists(index) else found
