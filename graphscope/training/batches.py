"""Runs tensors of a cut model for batches of examples, one row for each, whatever the batch size of the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import TensorSpec, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError
from graphscope.feeding.one_at_a_time import as_row, takes_one

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Run = Callable[[Sequence[str], Mapping[str, "NDArray[Any]"]], Sequence["NDArray[Any] | None"]]
"""Computes tensors from feeds: a session, or the program of another engine."""

_TOLERANCE = 1e-3
"""Tolerance relative to the largest number: the same example in another batch may differ only by rounding."""

_COMPARED = 4
"""As many examples are computed again, next to other ones."""


class BatchRunner:
    """Computes ``fetches`` of inputs that are fed to one tensor.

    Attributes:
        batch: the batch size: that of the graph, if it is fixed.
        takes_one: whether the fed tensor takes a single example, the content of a file.
    """

    def __init__(self, run: Run, path: str, spec: TensorSpec, fetches: tuple[str, ...], batch: int) -> None:
        """Stores the names of feeds and fetches.

        Args:
            run: computes tensors from feeds.
            path: of the model, for messages.
            spec: the fed tensor; its first dimension is the batch, unless it takes the content of one file.
            fetches: tensors with a row for each example.
            batch: batch size, if the graph accepts any.
        """
        self._run = run
        self._path = path
        self.fetches = fetches
        self.takes_one = takes_one(spec)
        self._fixed = 1 if self.takes_one else spec.shape[0] if spec.shape else None
        self.batch: int = self._fixed or batch
        self._input = spec.name

    def __call__(self, inputs: NDArray[Any]) -> list[NDArray[Any]]:
        """Computes one row of numbers per input for each tensor; at most :attr:`batch` inputs.

        For a graph with a fixed batch size, the last example is repeated.

        Raises:
            GraphscopeError: a tensor does not have one row of numbers per example, or TensorFlow fails.
        """
        fed = inputs.reshape(()) if self.takes_one else self._fill(inputs)
        found = self._run(self.fetches, {self._input: fed})
        return [self._rows(name, value, len(inputs)) for name, value in zip(self.fetches, found)]

    def dependent(self, inputs: NDArray[Any], rows: Sequence[NDArray[Any]]) -> str | None:
        """A tensor whose rows for the first examples depend on the other examples, or on chance; ``None`` if there is none.

        The causes are batch norm and dropout in training mode. Dropout may leave one row as it is, several hardly ever.

        Args:
            rows: the result for ``inputs``.

        Raises:
            GraphscopeError: as a call.
        """
        import numpy as np

        count = max(1, min(_COMPARED, len(inputs) // 2))
        turns = min(2, len(inputs))
        again = self(np.concatenate([inputs[:count]] * turns))
        for name, among, value in zip(self.fetches, rows, again):
            expected = np.asarray(among[:count], np.float64)
            limit = _TOLERANCE * np.abs(expected[np.isfinite(expected)]).max(initial=0)
            found = np.asarray(value, np.float64).reshape(turns, *expected.shape)
            if not np.allclose(found, expected, rtol=0, atol=limit, equal_nan=True):
                return name
        return None

    def _fill(self, inputs: NDArray[Any]) -> NDArray[Any]:
        import numpy as np

        lacking = (self._fixed or 0) - len(inputs)
        return np.concatenate([inputs, inputs[-1:].repeat(lacking, axis=0)]) if lacking > 0 else inputs

    def _rows(self, name: str, value: NDArray[Any] | None, count: int) -> NDArray[Any]:
        rows = self._fixed or count
        if value is not None and self.takes_one:
            value = as_row(value)
        if value is None or value.ndim == 0 or len(value) != rows or not _is_numbers(value.dtype):
            what = "nothing" if value is None else f"{value.dtype} {shape_text(value.shape)}"
            raise GraphscopeError(
                f"{self._path}: {name} is {what} for {rows:,} examples, but one row of numbers per example is needed"
            )
        return value[:count]


def _is_numbers(dtype: np.dtype[Any]) -> bool:
    try:
        return DataType.from_numpy(dtype) is not DataType.STRING
    except TypeError:
        return False
