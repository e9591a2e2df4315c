"""Whether the row of an example is its own: told by computing a few once more, beside others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.training.batches import BatchRunner

Array = Any
INPUTS = np.random.default_rng(5).normal(size=(9, 3)).astype(np.float32)


def runner(compute: Callable[[Array], Array]) -> BatchRunner:
    def run(names: Sequence[str], feeds: Mapping[str, Array]) -> list[Array | None]:
        return [compute(feeds["x:0"])]

    return BatchRunner(run, "m.pb", TensorSpec("x:0", DataType.FLOAT, (None, 3)), ("y:0",), 16)


def found(compute: Callable[[Array], Array], inputs: Array = INPUTS) -> str | None:
    batches = runner(compute)
    return batches.dependent(inputs, batches(inputs))


def by_chance(*touched: int) -> Callable[[Array], Array]:
    """Other numbers at each call in the rows of these examples, and only there."""
    calls = iter(range(100))

    def compute(x: Array) -> Array:
        call = next(calls)
        is_touched = np.array([any(np.array_equal(row, INPUTS[i]) for i in touched) for row in x])
        return x + call * is_touched[:, None]

    return compute


@pytest.mark.parametrize("count", [1, 2, 3, 8, 9])
def test_rows_of_their_own(count: int) -> None:
    assert found(lambda x: x * 2, INPUTS[:count]) is None


@pytest.mark.parametrize("count", [2, 3, 8, 9])
def test_the_mean_of_a_batch(count: int) -> None:
    assert found(lambda x: x - x.mean(0), INPUTS[:count]) == "y:0"
    assert found(lambda x: (x - x.mean(0)) * np.float32(1e-6), INPUTS[:count]) == "y:0"


@pytest.mark.parametrize("touched", range(4))
def test_chance_in_one_row(touched: int) -> None:
    assert found(by_chance(touched)) == "y:0"


def test_chance_in_a_single_example() -> None:
    assert found(by_chance(0), INPUTS[:1]) == "y:0"


def test_a_number_near_zero_is_rounded_as_its_neighbours_are() -> None:
    base = np.float32([[1e-7], [1], [-2], [3]] * 2)
    calls = iter(np.float32([0, 1e-6]))
    assert found(lambda x: base[: len(x)] + next(calls), INPUTS[:8]) is None


def test_what_is_no_number_is_itself() -> None:
    assert found(lambda x: np.full_like(x, np.nan)) is None
    assert found(lambda x: np.full_like(x, np.inf)) is None
