"""Every NumPy kernel against TensorFlow's own, and what the kernels decline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pytest

from graphscope.core.dtypes import DataType
from graphscope.core.ops import output_types, registered
from graphscope.core.payload import ArrayPayload
from graphscope.transforms.kernels import TABLE, compute
from tests.kernel_cases import Argument, Case, cases, i32, s32
from tests.running import Array, flat, node_of_op, run_nodes

CASES = {op: list(group) for op, group in groupby(sorted(cases(), key=lambda c: c.op), key=lambda c: c.op)}


def computed(op: str, inputs: Sequence[Argument], attrs: Mapping[str, Any], **kwargs: int) -> list[Array] | None:
    single = node_of_op(op, inputs, attrs)
    outputs = output_types(registered()[op], single.attrs)
    payloads = [ArrayPayload(a) for a in flat(inputs)]
    found = compute(single, registered()[op], payloads, outputs, **kwargs)
    if found is None:
        return None
    assert [p.dtype for p in found] == [o.dtype for o in outputs]
    return [p.numpy() for p in found]


def test_every_kernel_is_compared() -> None:
    assert set(CASES) == set(TABLE)


@pytest.mark.parametrize("op", CASES)
def test_as_tensorflow(op: str) -> None:
    calls = [(node_of_op(op, case.inputs, case.attrs), flat(case.inputs), case.outputs) for case in CASES[op]]
    for case, expected in zip(CASES[op], run_nodes(calls)):
        found = computed(op, case.inputs, case.attrs)
        assert found is not None, str(case)
        assert len(found) == case.outputs
        for mine, theirs in zip(found, expected):
            assert_same(mine, theirs, case)


def assert_same(mine: Array, theirs: Array, case: Case) -> None:
    assert (mine.dtype, mine.shape) == (theirs.dtype, theirs.shape), str(case)
    if mine.dtype.kind == "O":
        assert mine.tolist() == theirs.tolist(), str(case)
        return
    same = (mine == theirs) | ((mine != mine) & (theirs != theirs))
    if not case.exact:
        with np.errstate(all="ignore"):
            same |= np.abs(mine.astype(float) - theirs.astype(float)) <= 1e-6 * np.abs(theirs.astype(float))
    assert same.all(), f"{case}: {mine[~same][:4]} {theirs[~same][:4]} of {flat(case.inputs)}"
