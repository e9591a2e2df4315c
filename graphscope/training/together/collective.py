"""The average over several processes: one flat ``CollectiveReduceV2`` by ring in each step.

All values that a step writes, the loss, the metric and a request to stop are in one vector, each scaled by the share of the
examples that this process has. Another reduction of a vector that is fed carries whatever else the processes tell each other.

Source: ``tensorflow/core/ops/collective_ops.cc``, ``tensorflow/core/common_runtime/ring_reducer.cc``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.graph import Graph, Node
from graphscope.core.values.dtypes import DataType
from graphscope.protos import AttrValue
from graphscope.training.together.averaged import SCOPE, Averaged
from graphscope.training.together.averaging import LOSS, METRIC, rewire

WEIGHT = f"{SCOPE}/weight:0"
"""Fed: the share of a step's examples that this process has."""

STOP = f"{SCOPE}/stop:0"
"""Fed: above 0 if this process asks to stop."""

STOPS = f"{SCOPE}/stops:0"
"""Above 0 if any process asks."""

TOLD, HEARD = f"{SCOPE}/told:0", f"{SCOPE}/heard:0"
"""A float32 vector that is fed, and the sum of those of all processes."""

TOPIC = f"{SCOPE}/topic:0"
"""Fed, int32: which vectors belong together; vectors of one topic have one length, which is what :func:`topic` tells."""

_STEP = 1
"""The topic of steps."""

_GROUP = 1


def topic(length: int) -> int:
    """The topic of vectors with so many elements."""
    return _STEP + 1 + length


def with_collective(graph: Graph, values: Sequence[Averaged], count: int) -> Graph:
    """``graph``, whose steps write the averages of ``values`` (loss and metric last) over ``count`` processes."""
    *written, loss, metric = values
    averages = {f"{SCOPE}/average_{number}:0": value for number, value in enumerate(written)}
    averages |= {LOSS: loss, METRIC: metric}
    added = [*_constants(count), *_scale(values), *_reduce_nodes(values), *_parts(averages)]
    base = rewire(graph, averages)
    return base.with_nodes([*base.nodes, *added])


def _constants(count: int) -> Iterator[Node]:
    import numpy as np

    numbers = {"size": count, "group": _GROUP, "step": _STEP, "axis": 0}
    for name, number in numbers.items():
        yield constant(f"{SCOPE}/{name}", np.array(number, np.int32))
    yield constant(f"{SCOPE}/flat", np.array([-1], np.int32))
    yield constant(f"{SCOPE}/scalar", np.array([], np.int32))
    for tensor, dtype in ((WEIGHT, _FLOAT), (STOP, _FLOAT), (TOLD, _FLOAT), (TOPIC, type_attr(DataType.INT32))):
        yield make_node(tensor.removesuffix(":0"), "Placeholder", (), {"dtype": dtype})


def _scale(values: Sequence[Averaged]) -> Iterator[Node]:
    """The vector that is sent."""
    for number, value in enumerate(values):
        yield _reshape(f"flat_{number}", value.tensor, f"{SCOPE}/flat")
    flat = [f"{SCOPE}/flat_{number}" for number in range(len(values))]
    yield _concat("values", flat)
    yield make_node(f"{SCOPE}/scaled", "Mul", (f"{SCOPE}/values", WEIGHT), {"T": _FLOAT})
    yield _reshape("flat_stop", STOP, f"{SCOPE}/flat")
    yield _concat("sent", [f"{SCOPE}/scaled", f"{SCOPE}/flat_stop"])


def _reduce_nodes(values: Sequence[Averaged]) -> Iterator[Node]:
    import numpy as np

    yield _reduce("received", f"{SCOPE}/sent", "step")
    yield _reduce("heard", TOLD, "topic")
    sizes = np.array([*(int(np.prod(value.shape, dtype=np.int64)) for value in values), 1], np.int64)
    yield constant(f"{SCOPE}/sizes", sizes)
    attrs = {"T": _FLOAT, "Tlen": type_attr(DataType.INT64), "num_split": AttrValue(i=len(sizes))}
    yield make_node(f"{SCOPE}/split", "SplitV", (f"{SCOPE}/received", f"{SCOPE}/sizes", f"{SCOPE}/axis"), attrs)


def _parts(averages: dict[str, Averaged]) -> Iterator[Node]:
    """The averages in their own shapes."""
    import numpy as np

    for number, (tensor, value) in enumerate(averages.items()):
        name = tensor.removesuffix(":0").removeprefix(f"{SCOPE}/")
        yield constant(f"{SCOPE}/shape_{number}", np.array(value.shape, np.int32))
        yield _reshape(name, f"{SCOPE}/split:{number}", f"{SCOPE}/shape_{number}")
    yield _reshape("stops", f"{SCOPE}/split:{len(averages)}", f"{SCOPE}/scalar")


def _reshape(name: str, tensor: str, shape: str) -> Node:
    return make_node(f"{SCOPE}/{name}", "Reshape", (tensor, shape), {"T": _FLOAT, "Tshape": type_attr(DataType.INT32)})


def _concat(name: str, tensors: Sequence[str]) -> Node:
    attrs = {"T": _FLOAT, "Tidx": type_attr(DataType.INT32), "N": AttrValue(i=len(tensors))}
    return make_node(f"{SCOPE}/{name}", "ConcatV2", (*tensors, f"{SCOPE}/axis"), attrs)


def _reduce(name: str, tensor: str, instance: str) -> Node:
    inputs = (tensor, f"{SCOPE}/size", f"{SCOPE}/group", f"{SCOPE}/{instance}")
    texts = {"merge_op": b"Add", "final_op": b"Id", "communication_hint": b"ring"}
    attrs = {"T": _FLOAT, **{key: AttrValue(s=text) for key, text in texts.items()}}
    return make_node(f"{SCOPE}/{name}", "CollectiveReduceV2", inputs, attrs)


_FLOAT = type_attr(DataType.FLOAT)
