"""One process on several devices: a tower for each, which computes a part of the examples; variables are shared.

Towers are copies of what is between the examples and the values that a step writes. The variables, and what reads them, are on
the first device; so are the averages and what they are applied by. ``fixtures/towers`` is a graph that was built so by hand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.changes.build import make_node, type_attr, with_inputs
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model
from graphscope.core.ops.sets import HANDLE_PASSING_OPS, VARIABLE_OPS
from graphscope.core.tensors import TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import ArgumentError
from graphscope.feeding.dependencies import need
from graphscope.protos import AttrValue
from graphscope.runtime.config import Placing, SessionOptions, session_config
from graphscope.runtime.devices import refuse_absent
from graphscope.runtime.session import Session
from graphscope.training.recipe import Recipe
from graphscope.training.together.averaged import SCOPE, Averaged
from graphscope.training.together.averaging import (
    LOSS,
    METRIC,
    averaged_values,
    part_of,
    rewire,
    weight_of,
)
from graphscope.training.tune.examples import Examples, Feeder
from graphscope.training.tune.resume import Settings
from graphscope.training.tune.stepping import Alone, InOrder, Judged, Stepped, Team, switched_on
from graphscope.training.tune.training_job import Job
from graphscope.transforms.device_placement import parse_device

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CPU = "/device:CPU:"


def parse_towers(text: str) -> tuple[str, ...]:
    """``cpu:0,cpu:1`` as devices of this process, one for each tower.

    Raises:
        GraphscopeError: a part names no device.
        ArgumentError: a device is named twice, or one of another process.
    """
    devices = tuple(parse_device(part.strip()) for part in text.split(","))
    twice = next((device for device in devices if devices.count(device) > 1), None)
    if twice is not None:
        raise ArgumentError(f"{text!r} names {twice} twice")
    far = next((device for device in devices if not re.fullmatch(r"/device:\w+:\d+", device)), None)
    if far is not None:
        raise ArgumentError(f"{far} is not a device of this process, for example cpu:1 or gpu:0")
    return devices


class Towers(Team):
    """A :class:`graphscope.training.tune.stepping.Team` of several devices.

    Attributes:
        devices: of each tower; the variables are on the first.
    """

    fetches = (LOSS, METRIC)

    def __init__(self, devices: Sequence[str]) -> None:
        self.devices = tuple(devices)

    def given(self, given: Sequence[TensorSpec]) -> list[TensorSpec]:
        """What is fed of every tower."""
        others = range(1, len(self.devices))
        return [*given, *(spec._replace(name=f"{_scope(tower)}{spec.name}") for tower in others for spec in given)]

    def model(self, model: Model, recipe: Recipe, given: Sequence[TensorSpec]) -> Model:
        """The model with its towers."""
        graph, values = averaged_values(model, recipe, given)
        return model.with_graph(with_towers(graph, values, given, len(self.devices)))

    def placing(self) -> Placing:
        """Every tower on its device."""
        rules = [(re.compile(f"^{_scope(tower)}"), device) for tower, device in enumerate(self.devices) if tower]
        return Placing(clear_devices=True, place=rules, device=self.devices[0])

    def config(self) -> Any:
        """With as many virtual CPUs as are named."""
        numbers = [int(device.removeprefix(_CPU)) for device in self.devices if device.startswith(_CPU)]
        return session_config(SessionOptions(devices={"CPU": max(numbers) + 1} if numbers else {}))

    def stepping(self, session: Session, job: Job, settings: Settings, interrupted: Callable[[], bool]) -> InTowers:  # noqa: ARG002
        """Steps on all devices.

        Raises:
            GraphscopeError: one of them is not available.
        """
        refuse_absent(session.model.path, session.absent, session.devices)
        return InTowers(session, job, len(self.devices), interrupted)


class InTowers(InOrder):
    """A :class:`graphscope.training.tune.stepping.Stepping` of several devices."""

    def __init__(self, session: Session, job: Job, count: int, interrupted: Callable[[], bool]) -> None:
        super().__init__(job)
        self._session = session
        self._count = count
        self._alone = Alone(session, job, interrupted)
        self.is_asked_to_stop = interrupted

    def step(self, indices: NDArray[np.int64], feeder: Feeder) -> Stepped:
        """See :meth:`InOrder.step`: each tower computes its part of the examples."""
        import numpy as np

        recipe = self.job.recipe
        feeds: dict[str, Any] = {}
        for tower in range(self._count):
            own = indices[part_of(len(indices), tower, self._count)]
            named = self.job.training.feeds(own, feeder) | switched_on(recipe)
            feeds |= {f"{_scope(tower)}{name}": value for name, value in named.items()}
            feeds[f"{_weight(tower)}:0"] = np.array(weight_of(len(indices), tower, self._count), np.float32)
        found: list[Any] = self._session.run([LOSS, METRIC, recipe.learning_rate, recipe.train_op], feeds)
        loss, metric, rate = map(float, found[:3])
        return Stepped(loss, metric, rate, len(indices))

    def judge(self, examples: Examples) -> Iterator[Judged]:
        """See :meth:`Stepping.judge`: the first tower does."""
        return self._alone.judge(examples)


def with_towers(graph: Graph, values: Sequence[Averaged], given: Sequence[TensorSpec], count: int) -> Graph:
    """``graph`` with ``count`` towers, whose steps write the averages of ``values`` (loss and metric last)."""
    *written, loss, metric = values
    averages = {f"{SCOPE}/average_{number}:0": value for number, value in enumerate(written)}
    averages |= {LOSS: loss, METRIC: metric}
    names = need(graph, [value.tensor for value in values], given).names
    copied = [node for node in graph if node.name in names and node.op not in VARIABLE_OPS]
    home = _at_home(graph, names)
    base = rewire(graph, averages)
    towers = [_Tower(tower, {n.name for n in copied}, home) for tower in range(1, count)]
    copies = (tower.copy(node) for tower in towers for node in copied)
    return base.with_nodes([*base.nodes, *copies, *_averages(averages, towers)])


def _at_home(graph: Graph, names: frozenset[str]) -> set[str]:
    """Nodes that are where the variables are: those that pass a handle on, and those that take one."""
    handles = {n.name for n in graph if n.name in names and n.op == "VarHandleOp"}

    def passing(node: Node) -> Iterator[Node]:
        return (
            n for n in graph.consumers(node.name) if n.name in names and n.op in HANDLE_PASSING_OPS and _takes(n, node)
        )

    passed = set(graph.reach(handles, passing))
    return passed | {n.name for name in passed for n in graph.consumers(name) if _takes(n, graph[name])}


def _takes(node: Node, other: Node) -> bool:
    return other.name in map(node_of, node.data_inputs())


class _Tower:
    """Makes the copies for one tower."""

    def __init__(self, number: int, copied: set[str], home: set[str]) -> None:
        self.number = number
        self._copied = copied
        self._home = home

    def copy(self, node: Node) -> Node:
        made = with_inputs(node, map(self.tensor, node.inputs))
        made.proto.name = self._name(node.name)
        if "frame_name" in made.proto.attr:
            made.proto.attr["frame_name"].s = _scope(self.number).encode() + made.proto.attr["frame_name"].s
        return Node(made.proto, node.payloads)

    def tensor(self, text: str) -> str:
        """An input, data or control, of a copy."""
        control = "^" if text.startswith("^") else ""
        name, colon, index = text.removeprefix("^").partition(":")
        return f"{control}{self._name(name)}{colon}{index}" if name in self._copied else text

    def _name(self, name: str) -> str:
        return f"{SCOPE}_{self.number}/{name}" if name in self._home else f"{_scope(self.number)}{name}"


def _averages(averages: Mapping[str, Averaged], towers: Sequence[_Tower]) -> Iterator[Node]:
    """The sum of what towers give, each times its share of the examples."""
    for tower in range(len(towers) + 1):
        yield make_node(_weight(tower), "Placeholder", (), {"dtype": _FLOAT})
    for tensor, value in averages.items():
        name = tensor.removesuffix(":0")
        sources = [value.tensor, *(tower.tensor(value.tensor) for tower in towers)]
        parts = [f"{_scope(number)}{name}_part" for number in range(len(sources))]
        for number, (source, part) in enumerate(zip(sources, parts)):
            yield make_node(part, "Mul", (source, _weight(number)), {"T": _FLOAT})
        yield make_node(name, "AddN", parts, {"T": _FLOAT, "N": AttrValue(i=len(parts))})


def _scope(tower: int) -> str:
    """What the names of a tower's nodes begin with; the first is the graph itself."""
    return f"graphscope_tower_{tower}/" if tower else ""


def _weight(tower: int) -> str:
    return f"{SCOPE}/weight_{tower}"


_FLOAT = type_attr(DataType.FLOAT)
