"""``graphscope.feature_function``: what ``features`` computes, as a function of examples that the caller reads."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

from graphscope.api.features import base_below
from graphscope.api.opening import ModelLike, Names, as_model, as_names
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.feeding.feeds import Given
from graphscope.runtime.config import DEFAULT, SessionOptions, session_config
from graphscope.runtime.session import open_session
from graphscope.runtime.tensorflow import promise_equal_bits
from graphscope.training.batches import BatchRunner
from graphscope.training.data import DataOptions
from graphscope.training.features.compute import BATCH, input_spec, refuse_dependent, refuse_random
from graphscope.training.graft.base import Base

if TYPE_CHECKING:
    from numpy.typing import NDArray


class FeatureFunction:
    """Computes tensors of a model for any number of examples, in a session that stays open. A context manager.

    Attributes:
        at: the names of the tensors: ``node:0``.
    """

    def __init__(self, model: Model, base: Base, batch: int, session: SessionOptions, trust: bool) -> None:
        """Starts TensorFlow, and reads the weights."""
        self.at = base.at
        self._base = base
        self._open = ExitStack()
        promise_equal_bits()
        cut, config = model.with_graph(base.graph), partial(session_config, session)
        opened = self._open.enter_context(open_session(cut, base.at, values=base.values, config=config, trust=trust))
        self._run = BatchRunner(opened.run, base.path, input_spec(base), base.at, batch)
        self._is_checked = False

    def __call__(self, x: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Each tensor of :attr:`at` -> a row for each example.

        Args:
            x: examples as the model takes them, one or more, in the first dimension; of a model that takes the content of one
                file, an array of ``bytes``.

        Raises:
            GraphscopeError: a tensor has no row of numbers for each example, a row depends on the other examples, or
                TensorFlow refuses.
        """
        import numpy as np

        parts = [self._compute(x[first : first + self._run.batch]) for first in range(0, len(x), self._run.batch)]
        return {name: np.concatenate(rows) for name, rows in zip(self.at, zip(*parts))}

    def _compute(self, x: NDArray[Any]) -> list[NDArray[Any]]:
        rows = self._run(x)
        if not self._is_checked:
            refuse_dependent(self._base, self._run, x, rows)
            self._is_checked = True
        return rows

    def close(self) -> None:
        """Ends the session."""
        self._open.close()

    def __enter__(self) -> FeatureFunction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@check_arguments
def feature_function(
    base: ModelLike,
    *,
    at: Names = (),
    inputs: Names = (),
    set: Given = (),
    batch: int = BATCH,
    session: SessionOptions = DEFAULT,
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
    trust: bool = False,
    listener: Listener = SILENT,
) -> FeatureFunction:
    """Computes tensors of a model for examples that another program reads, such as Ray Data. Starts TensorFlow.

    What it gives is to the bit what :func:`graphscope.features` stores, with the same ``batch`` and threads.

    Args:
        base: a model, or what :func:`graphscope.load` opens.
        at: the tensors; if empty, those below the stopped gradient of a grafted model.
        inputs: where the model is cut open.
        set: placeholder or variable -> value to fix it to.
        batch: examples that are computed at once.
        session: devices, threads and memory.
        checkpoint: the values of a graph that is stored elsewhere; for a path only.
        tags: the meta graph of a SavedModel with exactly these tags; for a path only.
        trust: run nodes that touch files, the network or processes too.

    Raises:
        UnknownNameError: the model has no such tensor or placeholder.
        GraphscopeError: no tensor is named, what is computed is random, or the model takes several inputs.
        UntrustedError: the model does more than compute, and ``trust`` is not set.
        CorruptFileError: a weight is damaged.
        MissingDependencyError: TensorFlow is not installed.
    """
    model = as_model(base, tags=tags, checkpoint=checkpoint)
    below, _ = base_below(model, as_names(at), as_names(inputs), set, DataOptions())
    refuse_random(below)
    with listener.running():
        return FeatureFunction(model, below, batch, session, trust)


__all__ = ["FeatureFunction", "feature_function"]
