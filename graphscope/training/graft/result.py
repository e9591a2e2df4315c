"""The result of ``graft``: a model in memory, and a report."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from graphscope.core.model import Model
from graphscope.core.shown import Shown
from graphscope.core.tensors import TensorSpec
from graphscope.formats.checkpoint.writer import write_checkpoint, write_state_file
from graphscope.formats.detect.checkpoint_state import read_state
from graphscope.formats.io.paths import exists
from graphscope.formats.io.progress import Progress, quiet
from graphscope.formats.io.staging import made_directory
from graphscope.formats.lazy.pieces import flow, meta_graph_pieces
from graphscope.runtime.importing import import_graph
from graphscope.runtime.session import Session, open_session
from graphscope.training.heads.context import Built
from graphscope.training.recipe import Recipe

STATE_FILE = "checkpoint"


@dataclass(frozen=True, slots=True, repr=False)
class GraftReport(Shown):
    """The parts of a graft.

    Attributes:
        base: path of the base.
        nodes_before, nodes_kept, nodes_added: nodes of the base's graph, those that the cut needs, and those that are new.
        cuts: the tensors of the cut, with the shapes that TensorFlow infers.
        inputs: the inputs that must be fed to run the base.
        layers: the head from the first layer to the last.
        logits: the output of the head.
        fixed: training switch of the base that was not set -> the inference value used instead.
        frozen, trainable: variable -> number of elements; frozen are constants of a frozen base as well.
        task, width: see :class:`Recipe`; empty and 0 if there is no loss.
        is_stopped: whether gradients stop at the cut.
        drops: nodes of the base that drop at a constant rate: no switch keeps them from making the features random.
        notes: further notes.
    """

    base: str
    nodes_before: int
    nodes_kept: int
    nodes_added: int
    cuts: tuple[TensorSpec, ...]
    inputs: tuple[TensorSpec, ...]
    layers: tuple[Built, ...]
    logits: TensorSpec
    fixed: Mapping[str, str]
    frozen: Mapping[str, int]
    trainable: Mapping[str, int]
    task: str
    width: int
    is_stopped: bool
    drops: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        trained = f"{sum(self.trainable.values()):,} parameters to train"
        return f"<GraftReport {self.base!r}: {self.nodes_kept:,} nodes kept, {self.nodes_added:,} added, {trained}>"


@dataclass(frozen=True, repr=False)
class Grafted(Shown):
    """A base with a new head.

    Attributes:
        model: graph, collections, signatures and values; weights of the base are where they were until they are read.
        recipe: how to train it; ``None`` if there is no loss.
        report: the report of the graft.
        size_bytes: of the checkpoint that was written; ``None`` if none was.
    """

    model: Model
    recipe: Recipe | None
    report: GraftReport
    size_bytes: int | None = None

    def __repr__(self) -> str:
        return f"<Grafted {self.report!r}>"

    def save(self, prefix: str, *, overwrite: bool = False, progress: Progress = quiet) -> int:
        """Writes a V2 checkpoint with its meta graph at ``prefix``, and the state file beside it. Returns the size in bytes.

        The directory is created. A state file that names another checkpoint is kept, unless ``overwrite`` is set.

        Raises:
            FileError: a file exists and ``overwrite`` is not set, or cannot be written; existing files are kept.
            CorruptFileError, IncompleteModelError: a weight of the base cannot be read.
        """
        directory, store = Path(prefix).parent, self.model.store
        tensors = [(key, store.payload(key)) for key in store.entries] if store is not None else []
        meta = flow(meta_graph_pieces(self.model.meta, self.model.graph))
        with made_directory(directory):
            size = write_checkpoint(prefix, tensors, meta=meta, overwrite=overwrite, progress=progress)
            if overwrite or not _names_another(directory, Path(prefix).name):
                write_state_file(directory, Path(prefix).name, overwrite=True)
        return size

    @cached_property
    def graph(self) -> Any:
        """The ``tf.Graph``, weights of a frozen base included, variables without values. Reads the weights."""
        return import_graph(self.model.graph, self.model.path)

    @contextlib.contextmanager
    def session(self, **options: Any) -> Iterator[Session]:
        """A session in which every variable has its value, for your own training loop.

        ``session.graph`` is the ``tf.Graph``, ``session.session`` TensorFlow's session; the recipe names the tensors.

        Args:
            options: as :func:`graphscope.runtime.session.open_session`.
        """
        wanted = [n.name for n in self.model.graph]
        options = {"trust": True, **options}  # whoever made this was asked, and what was added is ours: the saver
        with open_session(self.model, wanted, **options) as session:
            yield session


def _names_another(directory: Path, base: str) -> bool:
    path = directory / STATE_FILE
    return exists(path) and read_state(path).prefixes[:1] != (base,)
