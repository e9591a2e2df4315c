"""Graphs that exhaust the machine: absurd shapes, unbounded recursion, infinite loops."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from graphscope.analysis.audit.finding import Finding, Reach, Severity
from graphscope.analysis.audit.reach import Reached
from graphscope.core.checks.validity import find_rings
from graphscope.core.graph import Body, Node, called_functions
from graphscope.core.model import Model
from graphscope.core.ops.sets import VARIABLE_OPS
from graphscope.core.tensors import Shape, node_of, shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError

LARGE_BYTES, HUGE_BYTES = 1 << 32, 1 << 36
"""A tensor of 4 GiB or more is suspicious; one of 64 GiB or more does not fit in a serving machine."""

HUGE_VARIABLE_BYTES = 1 << 46
MANY_CALLS, ENDLESS_CALLS = 10**6, 10**9
_MAX_STEPS = 8

Sizer = Callable[[Body, Node], int | None]
"""The size of a node's result in bytes, where constants determine it."""


def huge_tensors(model: Model, reached: Reached) -> Iterator[Finding]:
    """Nodes whose result, according to constant shapes, is larger than :data:`LARGE_BYTES`."""
    for function, body in model.graph.bodies:
        sized = _SIZERS.keys() & set(body.ops)
        for op, node in zip(body.ops, body.nodes) if sized else ():
            size = _SIZERS[op](body, node) if op in sized else None
            limit = HUGE_VARIABLE_BYTES if op in VARIABLE_OPS else LARGE_BYTES
            if size is not None and size >= limit:
                yield _huge(node, function, size, reached.of(node.name, function))


def _huge(node: Node, function: str, size: int, reach: Reach) -> Finding:
    severity = Severity.HIGH if size >= HUGE_BYTES else Severity.MEDIUM
    reason = "no machine has so much memory" if size >= HUGE_BYTES else "a graph states shapes freely, memory is spent"
    if reach is Reach.DEAD:
        severity, reason = Severity.LOW, "nothing calls the function that contains it"
    text = f"makes a tensor of {_bytes_text(size)}"
    return Finding("huge-tensor", severity, text, reason, node.name, node.op, function, reach)


def _bytes_text(size: int) -> str:
    return f"{size / 1e9:,.1f} GB" if size < 1e15 else "more than 1,000 TB"


def _by_shape(position: int, dtype: str) -> Sizer:
    """Ops whose input ``position`` is the shape of their result and whose attribute ``dtype`` is its type."""
    return lambda body, node: _product(_integers(body, node, position), _itemsize(node, dtype))


def _by_count(position: int) -> Sizer:
    """Ops whose input ``position`` says how many elements their result has, at least."""
    return lambda body, node: _product(_integers(body, node, position), 4)


def _range(body: Body, node: Node) -> int | None:
    limits = [_integers(body, node, i) for i in range(3)]
    if any(found is None or len(found) != 1 for found in limits):
        return None
    start, limit, delta = (found[0] for found in limits if found)
    return abs(limit - start) // abs(delta) * _itemsize(node, "Tidx") if delta else None


def _stated_bytes(_: Body, node: Node) -> int | None:
    """A constant: its size in memory if the file repeats a few values."""
    stated = node.attr("value")
    if stated is None or "value" in node.payloads or stated.tensor.tensor_content:
        return None  # as large as the file says
    tensor = node.tensor()
    if tensor is None:
        return None
    return _product(list(tensor.shape), tensor.dtype.itemsize or 1)


def _variable(_: Body, node: Node) -> int | None:
    value = node.attr("shape")
    shape: Shape = shape_of(value.shape) if value is not None else None
    return _product([d or 0 for d in shape], _itemsize(node, "dtype")) if shape else None


_RANDOM = (
    "RandomUniform RandomStandardNormal TruncatedNormal StatelessRandomUniform StatelessRandomUniformV2"
    " StatelessRandomNormal StatelessRandomNormalV2 StatelessTruncatedNormal StatelessTruncatedNormalV2 Empty"
)
_SIZERS: Mapping[str, Sizer] = {
    "Const": _stated_bytes,
    "Fill": _by_shape(0, "T"),
    "RandomUniformInt": _by_shape(0, "Tout"),
    **dict.fromkeys(_RANDOM.split(), _by_shape(0, "dtype")),
    "BroadcastTo": _by_shape(1, "T"),
    "SparseToDense": _by_shape(1, "T"),
    "ScatterNd": _by_shape(2, "T"),
    "Tile": _by_count(1),
    "OneHot": _by_count(1),
    "LinSpace": _by_count(2),
    "Bincount": _by_count(1),
    "TensorListReserve": _by_count(1),
    "TensorArrayV3": _by_count(0),
    "ResizeBilinear": _by_count(1),
    "ResizeNearestNeighbor": _by_count(1),
    "Range": _range,
    **dict.fromkeys(VARIABLE_OPS, _variable),
}
"""Ops whose inputs or attributes determine how much they allocate."""


def _integers(body: Body, node: Node, position: int) -> list[int] | None:
    """The integers of input ``position``, if it is constant."""
    inputs = node.data_inputs()
    if position >= len(inputs):
        return None
    source = body.get(node_of(inputs[position]))
    for _ in range(_MAX_STEPS):
        if source is None or source.op not in ("Identity", "Cast") or not source.data_inputs():
            break
        source = body.get(node_of(source.inputs[0]))
    tensor = source.tensor() if source is not None and source.op == "Const" else None
    if tensor is None or tensor.dtype not in (DataType.INT32, DataType.INT64) or tensor.elements > 64:
        return None
    try:
        return [int(value) for value in tensor.listed()]
    except GraphscopeError:
        return None


def _product(sizes: Sequence[int] | None, itemsize: int) -> int | None:
    return None if sizes is None else math.prod(max(size, 0) for size in sizes) * itemsize


def _itemsize(node: Node, attribute: str) -> int:
    value = node.attr(attribute)
    return (DataType.of(value.type).itemsize if value is not None else None) or 4


def endless_functions(model: Model, _: Reached) -> Iterator[Finding]:
    """Library functions that call themselves, or whose nested calls multiply beyond any practical run time."""
    functions = model.graph.functions
    calls = {name: Counter(n for n in called_functions(f) if n in functions) for name, f in functions.items()}
    rings = list(find_rings(calls, lambda name: calls[name]))
    for ring in rings:
        text = "calls itself" if len(ring) == 1 else f"calls itself through {', '.join(ring[1:4])}"
        yield Finding("recursion", Severity.HIGH, text, "TensorFlow overflows its stack", ring[0], "function")
    if rings or not functions:
        return
    total = _total_calls(calls, Counter(n for n in called_functions(model.graph) if n in functions))
    if total >= MANY_CALLS:
        severity = Severity.HIGH if total >= ENDLESS_CALLS else Severity.MEDIUM
        text = f"makes {total:.0e} calls of functions once they are inlined"
        yield Finding("call-explosion", severity, text, "TensorFlow inlines calls before it runs a graph")


def _total_calls(calls: Mapping[str, Counter[str]], roots: Counter[str]) -> int:
    """The total number of calls of all functions, given that none is recursive."""
    known: dict[str, int] = {}
    for start in roots:
        pending = [start]
        while pending:
            name = pending[-1]
            missing = [other for other in calls[name] if other not in known]
            if missing:
                pending += missing
                continue
            known[pending.pop()] = 1 + sum(known[other] * times for other, times in calls[name].items())
    return sum(known[name] * times for name, times in roots.items())


def endless_loops(model: Model, reached: Reached) -> Iterator[Finding]:
    """Loops whose condition is the constant true."""
    for function, body in model.graph.bodies:
        for op, node in zip(body.ops, body.nodes):
            if (op == "LoopCond" and _is_true(body, node.inputs)) or (op in _WHILES and _never_ends(model, node)):
                reach = reached.of(node.name, function)
                severity = Severity.LOW if reach is Reach.DEAD else Severity.MEDIUM
                text, reason = "repeats a loop whose condition is always true", "only an error ends it"
                yield Finding("endless-loop", severity, text, reason, node.name, op, function, reach)


_WHILES = frozenset({"While", "StatelessWhile"})


def _never_ends(model: Model, node: Node) -> bool:
    condition = node.attr("cond")
    function = model.graph.functions.get(condition.func.name) if condition is not None else None
    return function is not None and _is_true(function, list(function.proto.ret.values()))


def _is_true(body: Body, inputs: Sequence[str]) -> bool:
    """Whether the first of ``inputs`` is the constant true, possibly through pass-through nodes."""
    source = body.get(node_of(inputs[0])) if inputs else None
    for _ in range(_MAX_STEPS):
        if source is None or source.op not in ("Identity", "Enter") or not source.data_inputs():
            break
        source = body.get(node_of(source.inputs[0]))
    tensor = source.tensor() if source is not None and source.op == "Const" else None
    if tensor is None or tensor.dtype is not DataType.BOOL or tensor.elements != 1:
        return False
    try:
        return bool(tensor.listed()[0])
    except GraphscopeError:
        return False
