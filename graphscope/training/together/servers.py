"""Variables on parameter servers: which is where, and a step that a worker's end leaves done as a whole or not at all.

What a step changes lies on the servers, with what reads and writes it and what follows from that alone: powers of Adam, moving
averages of weights, the global step. Everything that depends on examples runs on the worker. What a step sends to the servers
is first received there, all of it; only then does anything write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphscope.cluster.hosts import PS, WORKER
from graphscope.core.changes.build import constant, make_node, type_attr, with_inputs, without_attrs
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model
from graphscope.core.ops.sets import HANDLE_PASSING_OPS, HANDLE_READ_OPS
from graphscope.core.tensors import TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.variables.variables import Variable
from graphscope.feeding.dependencies import need
from graphscope.feeding.feeds import tensor_spec
from graphscope.protos import AttrValue
from graphscope.runtime.tensorflow import tensorflow
from graphscope.training.recipe import Recipe
from graphscope.training.together.averaging import depending_on_examples
from graphscope.transforms.subgraph import clear_placement

SCOPE = "graphscope_async"
"""Of the nodes that are added."""

TICKET, COUNT = f"{SCOPE}/ticket:0", f"{SCOPE}/count:0"
"""Fed: the number of the batch (int64) and of its examples (float32)."""

ROW = f"{SCOPE}/row_there:0"
"""float32 (4,): loss, metric, number of examples and learning rate of the step, once they are on the first server."""

TICKET_THERE = f"{SCOPE}/ticket_there:0"
"""The number of the batch, once it is there."""

HELD = f"{SCOPE}/held"
"""The variable that tells which batch each worker has in hand: int64 (workers,), -1 for none."""

FENCE = f"{SCOPE}/fence"
"""The node that fails where another worker has been given the batch."""

FIRST = f"/job:{PS}/replica:0/task:0/device:CPU:0"
"""The device of the first server."""


@dataclass(frozen=True, slots=True)
class Division:
    """What of a training run is on servers.

    Attributes:
        graph: with devices for all nodes that are on a server, and for no others.
        counting: the nodes that add to the global step.
    """

    graph: Graph
    counting: Sequence[str]


def divide(
    model: Model, recipe: Recipe, given: Sequence[TensorSpec], devices: Mapping[str, str], rank: int
) -> Division:
    """What of a step runs on servers, for the worker ``rank``.

    Args:
        given: features that every run is fed.
        devices: variable that a step changes, a resource -> the device of its server.
    """
    names = need(model.graph, [recipe.train_op], given).names
    graph = _read_once(clear_placement(model.graph), names, devices)
    names = need(graph, [recipe.train_op], given).names
    takers = _takers(graph, devices)
    writers = {name for name in takers if name in names and _writes(graph[name])}
    counting = [name for name in takers if name in writers and _takes(graph[name], recipe.global_step)]
    graph = _count_last(graph, writers, counting, recipe.global_step)
    places = _home(graph, names, {**devices, **takers}, recipe)
    step = _Step(model, graph, names, places, writers)
    nodes = [without_attrs(n, (), device=places[n.name]) if n.name in places else n for n in map(step.node, graph)]
    return Division(graph.with_nodes([*nodes, *step.received(), *_row(recipe), *_fence(rank)]), counting)


def server_devices(graph: Graph, written: Sequence[Variable], servers: int) -> dict[str, str]:
    """Variable -> the device of its server, as ``tf.compat.v1.train.replica_device_setter`` gives them out.

    The next goes to the server with the fewest bytes; slots and moving averages go with their variables, scalars to the first.
    """
    tf = tensorflow()
    loads = [0] * servers
    sizes = {v.name: v.size_bytes or 0 for v in written}
    scalars = [v.name for v in written if v.shape == ()]
    groups = _groups(graph, [v for v in written if v.shape != ()])

    def least_loaded(operation: Any) -> int:
        task = loads.index(min(loads))
        loads[task] += sum(sizes[name] for name in groups[operation.name])
        return task

    setter = tf.compat.v1.train.replica_device_setter(
        ps_tasks=servers,
        ps_device=f"/job:{PS}/replica:0/task:0/device:CPU:0",
        worker_device=f"/job:{WORKER}",
        ps_ops=["VarHandleOp"],
        ps_strategy=least_loaded,
    )
    devices = dict.fromkeys(scalars, FIRST)
    for first, members in groups.items():
        devices |= dict.fromkeys(members, setter(tf.compat.v1.NodeDef(name=first, op="VarHandleOp")))
    return devices


def _groups(graph: Graph, written: Sequence[Variable]) -> dict[str, list[str]]:
    """First variable -> all that must be together: what one node writes, and what is named below another."""
    group: dict[str, list[str]] = {v.name: [v.name] for v in written}
    pairs = [(name.rpartition("/")[0], name) for name in group]
    for node in graph:
        taken = [name for name in map(node_of, node.data_inputs()) if name in group]
        pairs += [(taken[0], other) for other in taken[1:]]
    for one, other in pairs:
        if one in group and group[one] is not group[other]:
            merged = [*group[one], *group[other]]
            group |= dict.fromkeys(merged, merged)
    return {members[0]: members for members in group.values()}


def _read_once(graph: Graph, names: frozenset[str], variables: Collection[str]) -> Graph:
    """``graph``, in which all of a step that reads a variable before it is written shares one read, which is sent once."""
    reads: dict[str, str] = {}
    first: dict[str, str] = {}
    for node in graph:
        is_early_read = node.op == "ReadVariableOp" and len(node.inputs) == 1 and node.inputs[0] in variables
        if is_early_read and node.name in names:
            reads[node.name] = first.setdefault(node.inputs[0], node.name)

    def share(node: Node) -> Node:
        inputs = [reads.get(text, text) for text in node.inputs]
        return with_inputs(node, inputs) if inputs != list(node.inputs) else node

    return graph.with_nodes(map(share, graph))


def _count_last(graph: Graph, writers: Collection[str], counting: Collection[str], step: str) -> Graph:
    """``graph``, in which a step is counted once everything else that it writes is there, on every server.

    What only waits for the count, as moving averages do, waits for what the count itself waits for; what reads it stays behind.
    """
    later = graph.descendants(counting).keys() - set(counting)
    before = graph.ancestors(writers)
    instead = {f"^{name}": [f"^{producer.name}" for producer in graph.producers(graph[name])] for name in counting}

    def without_count(node: Node) -> Node:
        if node.name not in later or node.name not in before or _takes(node, step):
            return node
        inputs = [new for text in node.inputs for new in instead.get(text, [text])]
        return with_inputs(node, dict.fromkeys(inputs) if inputs != list(node.inputs) else node.inputs)

    graph = graph.with_nodes(map(without_count, graph))
    others = sorted(set(writers) - graph.descendants(counting).keys())

    def counted_last(node: Node) -> Node:
        waits = [f"^{name}" for name in others] if node.name in counting else []
        return with_inputs(node, [*node.inputs, *waits]) if waits else node

    return graph.with_nodes(map(counted_last, graph))


def _takes(node: Node, variable: str) -> bool:
    return node_of(variable) in map(node_of, node.data_inputs())


def _takers(graph: Graph, devices: Mapping[str, str]) -> dict[str, str]:
    """Nodes that take a variable's handle, or pass it on -> where the variable is."""
    takers: dict[str, str] = {}
    for name, device in devices.items():
        passing = {
            name,
            *graph.reach([name], lambda node: (n for n in _consumers(graph, node) if n.op in HANDLE_PASSING_OPS)),
        }
        takers |= {n.name: device for other in passing for n in _consumers(graph, graph[other])}
    return takers


def _consumers(graph: Graph, node: Node) -> Iterator[Node]:
    return (n for n in graph.consumers(node.name) if node.name in map(node_of, n.data_inputs()))


def _writes(node: Node) -> bool:
    return node.op not in HANDLE_READ_OPS and node.op not in HANDLE_PASSING_OPS


def _home(graph: Graph, names: frozenset[str], places: Mapping[str, str], recipe: Recipe) -> dict[str, str]:
    """Every node that runs on a server -> where: those in ``places``, and what only they take and no example changes."""
    home = {**places, node_of(recipe.train_op): FIRST}
    on_worker = depending_on_examples(graph, names, recipe)
    pending = list(home)
    while pending:
        name = pending.pop()
        for node in graph.producers(graph[name]):
            consumers = [n.name for n in graph.consumers(node.name) if n.name in names]
            is_free = node.name in names and node.name not in home and node.name not in on_worker
            if is_free and all(other in home for other in consumers):
                home[node.name] = home[name]
                pending.append(node.name)
    return home


class _Step:
    """A step in which servers first receive everything that a worker sends, and then write."""

    def __init__(
        self, model: Model, graph: Graph, names: frozenset[str], places: Mapping[str, str], writers: set[str]
    ) -> None:
        self._model = model
        self._places = places
        self._writers = writers
        written = graph.reach(writers, lambda node: (n for n in graph.consumers(node.name) if n.name in names))
        self._early = {name for name in names if name not in written and name not in places}
        self._names = names
        self._received: dict[tuple[str, str], str] = {}
        self._awaited: dict[str, None] = {}

    def node(self, node: Node) -> Node:
        """``node``, which takes what has been received, and writes only once all has."""
        device = self._places.get(node.name)
        if device is None or node.name not in self._names:
            return node
        inputs = [self._receive(text, device) for text in node.inputs]
        if node.name not in self._writers:
            return with_inputs(node, inputs)
        writer = with_inputs(node, [*inputs, f"^{_ARRIVED}"])
        if "use_locking" in writer.proto.attr:
            writer.proto.attr["use_locking"].b = True  # otherwise, what two workers apply at once may be lost
        return writer

    def _receive(self, text: str, device: str) -> str:
        """An input of a node on a server, as the server has it."""
        if node_of(text) not in self._early:
            return text
        if text.startswith("^"):
            self._awaited[text] = None
            return text
        return self._received.setdefault((text, device), f"{SCOPE}/received_{len(self._received)}")

    def received(self) -> Iterator[Node]:
        """What is received, and the node that waits for all of it."""
        for (text, device), name in self._received.items():
            dtype = type_attr(tensor_spec(self._model, text).dtype)
            yield _on(device, make_node(name, "Identity", (text,), {"T": dtype}))
        waits = [*self._awaited, *(f"^{name}" for name in self._received.values())]
        own = [f"^{node_of(name)}" for name in (ROW, TICKET_THERE)]
        yield _on(FIRST, make_node(_ARRIVED, "NoOp", [*waits, *own, f"^{FENCE}"]))


def _row(recipe: Recipe) -> Iterator[Node]:
    """What a step says of itself, on its way to the first server."""
    count, ticket = node_of(COUNT), node_of(TICKET)
    yield make_node(count, "Placeholder", (), {"dtype": _FLOAT})
    yield make_node(ticket, "Placeholder", (), {"dtype": _INT64})
    values = (recipe.loss, recipe.metric, count, recipe.learning_rate)
    yield make_node(f"{SCOPE}/row", "Pack", values, {"T": _FLOAT, "N": AttrValue(i=len(values))})
    yield _on(FIRST, make_node(node_of(ROW), "Identity", (f"{SCOPE}/row",), {"T": _FLOAT}))
    yield _on(FIRST, make_node(node_of(TICKET_THERE), "Identity", (ticket,), {"T": _INT64}))


def _fence(rank: int) -> Iterator[Node]:
    """Fails where another worker has been given the batch: this one was silent for too long."""
    import numpy as np

    types = AttrValue()
    types.list.type.extend([int(DataType.INT64)] * 2)
    own, own_rank, axis = f"{SCOPE}/own", f"{SCOPE}/rank", f"{SCOPE}/axis"
    handle = {"dtype": _INT64, "shared_name": AttrValue(s=HELD.encode()), "shape": AttrValue()}
    handle["shape"].shape.unknown_rank = True
    gather = {"Tparams": _INT64, "Tindices": _INT32, "Taxis": _INT32}
    there = node_of(TICKET_THERE)
    nodes = (
        make_node(HELD, "VarHandleOp", (), handle),
        make_node(f"{HELD}/read", "ReadVariableOp", (HELD,), {"dtype": _INT64}),
        constant(own_rank, np.array(rank, np.int32)),
        constant(axis, np.array(0, np.int32)),
        make_node(own, "GatherV2", (f"{HELD}/read", own_rank, axis), gather),
        make_node(f"{SCOPE}/is_own", "Equal", (own, there), {"T": _INT64}),
        make_node(FENCE, "Assert", (f"{SCOPE}/is_own", own, there), {"T": types}),
    )
    return (_on(FIRST, node) for node in nodes)


def _on(device: str, node: Node) -> Node:
    node.proto.device = device
    return node


_FLOAT, _INT32, _INT64 = (type_attr(dtype) for dtype in (DataType.FLOAT, DataType.INT32, DataType.INT64))
_ARRIVED = f"{SCOPE}/arrived"
