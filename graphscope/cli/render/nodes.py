"""``nodes``: rows of nodes, of tensors and of name scopes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from graphscope.analysis.listing import NodeRow, Output
from graphscope.cli.terminal.table import Column
from graphscope.cli.terminal.text import tensor_type, type_name
from graphscope.cli.terminal.views import View
from graphscope.core.tensors import StatedShape, shape_text
from graphscope.core.values.dtypes import DataType

Tensor = tuple[NodeRow, Output]


def full_name(row: NodeRow) -> str:
    """The name that ``show`` takes: ``function/node`` inside a library function."""
    return f"{row.function}/{row.name}" if row.function else row.name


def node_view(*, has_devices: bool, has_steps: bool) -> View[NodeRow]:
    """One row for each node.

    Args:
        has_devices: whether any node requests a device.
        has_steps: whether to show the distance from the given node.
    """
    columns = [
        Column("name", minimum=30),
        Column("op", style="op", minimum=8),
        Column("outputs", style="shape", minimum=16),
    ]
    columns[:0] = [Column("steps", right=True)] if has_steps else []
    columns += [Column("device", style="dim", minimum=8, drop=1)] if has_devices else []
    columns.append(Column("inputs", style="dim", minimum=24, drop=2))
    outputs = OutputTexts()

    def row_cells(row: NodeRow) -> Sequence[str]:
        found = [full_name(row), row.op, outputs.text(row.outputs)]
        if has_steps:
            found.insert(0, str(row.distance))
        if has_devices:
            found.append(row.device)
        found.append(", ".join(name or "-" for name in row.inputs))
        return found

    return View(columns, row_cells, _node_record, _NODE_HEADER, lambda row: _node_fields(row, outputs), full_name)


_NODE_HEADER = ("function", "name", "op", "device", "inputs", "outputs", "distance")


class OutputTexts:
    """The types of a node's outputs as text, each kind of tensor put together once."""

    def __init__(self) -> None:
        self._known: dict[tuple[DataType, StatedShape, bool, str], str] = {}

    def text(self, outputs: Sequence[Output]) -> str:
        """``float32 (?, 10), 2 x int32 ()``."""
        if len(outputs) == 1:
            return self._one(outputs[0])
        parts = [(text, len(list(same))) for text, same in groupby(map(self._one, outputs))]
        return ", ".join(text if number == 1 else f"{number} x {text}" for text, number in parts)

    def _one(self, spec: Output) -> str:
        key = (spec.dtype, spec.shape, spec.is_ref, spec.container)
        text = self._known.get(key)
        if text is None:
            text = self._known[key] = output_text(spec)
        return text


def output_text(spec: Output) -> str:
    """``float32 (?, 10)``, ``sequence of float32 (?, 10)``."""
    text = tensor_type(spec.dtype, spec.shape, spec.is_ref)
    return f"{spec.container} of {text}" if spec.container else text


def _node_record(row: NodeRow) -> Any:
    return {
        "function": row.function,
        "name": row.name,
        "op": row.op,
        "device": row.device,
        "inputs": row.inputs,
        "outputs": [_spec_record(spec) for spec in row.outputs],
        "distance": row.distance,
    }


def _spec_record(spec: Output) -> Any:
    return {"name": spec.name, "dtype": spec.dtype.label, "shape": spec.shape, "is_ref": spec.is_ref}


def _node_fields(row: NodeRow, outputs: OutputTexts) -> Sequence[object]:
    inputs, types = ";".join(row.inputs), outputs.text(row.outputs)
    return row.function, row.name, row.op, row.device, inputs, types, row.distance


def tensors(rows: Iterator[NodeRow]) -> Iterator[Tensor]:
    """The tensors of nodes, one by one."""
    return ((row, spec) for row in rows for spec in row.outputs)


def tensor_view() -> View[Tensor]:
    """One row for each tensor."""
    return View(
        (
            Column("tensor", minimum=30),
            Column("dtype", style="shape"),
            Column("shape", style="shape", minimum=12),
            Column("op", style="op", minimum=8, drop=1),
        ),
        lambda pair: (_tensor_name(pair), type_name(pair[1].dtype, pair[1].is_ref), _shape(pair[1].shape), pair[0].op),
        _tensor_record,
        ("function", "tensor", "dtype", "shape", "is_ref", "node", "op"),
        lambda pair: tuple({**_tensor_record(pair), "shape": _shape(pair[1].shape)}.values()),
        _tensor_name,
    )


def _tensor_name(pair: Tensor) -> str:
    row, spec = pair
    return f"{row.function}/{spec.name}" if row.function else spec.name


def _tensor_record(pair: Tensor) -> dict[str, Any]:
    row, spec = pair
    return {
        "function": row.function,
        "tensor": spec.name,
        "dtype": spec.dtype.label,
        "shape": spec.shape,
        "is_ref": spec.is_ref,
        "node": row.name,
        "op": row.op,
    }


def _shape(shape: StatedShape) -> str:
    return "?" if shape is None else shape_text(shape)
