"""Branches, loops and calls: functional ones (TensorFlow 2), and ``Switch``, ``Merge`` and frames (TensorFlow 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphscope.core.graph import Function, Node
from graphscope.core.ops.sets import ENTERS, EXITS, MERGES, NEXT_ITERATIONS, SWITCHES
from graphscope.core.tensors import TensorName
from graphscope.core.values.dtypes import DataType
from graphscope.export.conditions import conditions_at, decided_by
from graphscope.export.onnx.branches import add_if
from graphscope.export.onnx.builder import Builder
from graphscope.export.onnx.call import Call
from graphscope.export.onnx.loops import LoopBody, add_loop
from graphscope.export.onnx.region import Region, values_of
from graphscope.export.onnx.registry import rule
from graphscope.export.onnx.value import Value
from graphscope.export.refusal import NotExpressibleError


def _function(call: Call, name: str) -> Function:
    found = call.region.conversion.graph.functions.get(name)
    if found is None:
        raise NotExpressibleError(f"the graph has no function {name}")
    return found


def _apply(region: Region, builder: Builder, function: Function, arguments: Sequence[Value]) -> list[Value]:
    """The results of ``function`` for ``arguments``."""
    bound = {(a.name, 0): value for a, value in zip(function.signature.input_arg, arguments, strict=True)}
    inner = Region(region.conversion, function, builder, bound)
    return values_of(inner, [function.proto.ret[a.name] for a in function.signature.output_arg])


@rule("PartitionedCall", "StatefulPartitionedCall")
def _call(call: Call) -> Sequence[Value]:
    name = call.attr("f").func.name if "PartitionedCall" in call.node.op else call.node.op
    return _apply(call.region, call.builder, _function(call, name), call.inputs)


@rule("If", "StatelessIf")
def _if(call: Call) -> Sequence[Value]:
    condition = _truth(call, call[0])
    sides = [_side(call, name, call.inputs[1:]) for name in ("then_branch", "else_branch")]
    return add_if(call.builder, condition, sides)


def _truth(call: Call, value: Value) -> Value:
    """A nonzero number counts as true."""
    if value.rank != 0:
        raise NotExpressibleError("its condition is not a scalar")
    return call.cast(value, DataType.BOOL)


def _side(call: Call, name: str, arguments: Sequence[Value]) -> tuple[Builder, list[Value]]:
    builder = call.builder.subgraph()
    return builder, _apply(call.region, builder, _function(call, call.attr(name).func.name), arguments)


@rule("Case", "StatelessCase")
def _case(call: Call) -> Sequence[Value]:
    """Nested ``If`` nodes; an index out of range selects the last branch."""
    names = [function.name for function in call.attr("branches").list.func]
    return _chosen(call, call.builder, names, 0)


def _chosen(call: Call, builder: Builder, names: Sequence[str], number: int) -> list[Value]:
    function = _function(call, names[number])
    if number == len(names) - 1:
        return _apply(call.region, builder, function, call.inputs[1:])
    yes, no = builder.subgraph(), builder.subgraph()
    condition = builder.op("Equal", call[0], np.int32(number))
    return add_if(
        builder,
        condition,
        [(yes, _apply(call.region, yes, function, call.inputs[1:])), (no, _chosen(call, no, names, number + 1))],
    )


@rule("While", "StatelessWhile")
def _while(call: Call) -> Sequence[Value]:
    functions = [_function(call, call.attr(name).func.name) for name in ("cond", "body")]
    return add_loop(call.builder, _FunctionLoop(call.region, *functions), call.inputs)


class _FunctionLoop(LoopBody):
    def __init__(self, region: Region, cond: Function, body: Function) -> None:
        self.region = region
        self.cond = cond
        self.body = body

    def condition(self, builder: Builder, state: Sequence[Value]) -> Value:
        return builder.cast(_apply(self.region, builder, self.cond, state)[0], DataType.BOOL)

    def step(self, builder: Builder, state: Sequence[Value]) -> list[Value]:
        return _apply(self.region, builder, self.body, state)

    def is_kept(self, index: int) -> bool:
        signature = self.body.signature
        text = self.body.proto.ret[signature.output_arg[index].name]
        for _ in range(len(self.body) + 1):
            name = TensorName.parse(text).node
            if name == signature.input_arg[index].name:
                return True
            node = self.body.get(name)
            if node is None or node.op != "Identity":
                break
            text = node.data_inputs()[0]
        return False


@rule(*SWITCHES)
def _switch(call: Call) -> Sequence[Value]:
    """Both sides receive the data; the region of a node determines its side."""
    return call[0], call[0]


@rule(*ENTERS)
def _enter(call: Call) -> Value:
    """Tensors that an iteration reads from outside."""
    return call[0]


@rule(*NEXT_ITERATIONS, "LoopCond", deferred=True)
def _inside_loop(_: Call) -> Value:
    """An exit of the loop triggers the conversion of the whole loop."""
    raise NotExpressibleError("it is inside a loop")


@rule(*MERGES, deferred=True)
def _merge(call: Call) -> Value:
    """All independent merges with the same predicate become one ``If``."""
    region, body = call.region, call.region.body
    texts = call.node.data_inputs()
    if any(_node(region, text).op in NEXT_ITERATIONS for text in texts):
        raise NotExpressibleError("it is inside a loop")
    decider, _ = _decider(region, call.node)
    merges = [call.node]
    for other in body.nodes:
        if other.op in MERGES and other is not call.node and _belongs(region, other, decider, merges):
            merges.append(other)
    builders = {side: call.builder.subgraph() for side in (1, 0)}
    sides = []
    for side, builder in builders.items():
        inner = _side_region(region, builder, (decider, side))
        wanted = [m.data_inputs()[0 if _decider(region, m)[1] == side else 1] for m in merges]
        sides.append((builder, values_of(inner, wanted)))
    results = add_if(call.builder, region.value(decider), sides)
    for other, value in zip(merges[1:], results[1:]):
        region.converted.add(other.name)
        region.bind(other, value)
    return results[0]


def _node(region: Region, text: str) -> Node:
    return region.body[TensorName.parse(text).node]


def _decider(region: Region, merge: Node) -> tuple[str, int]:
    """The predicate of ``merge``, and the side of its first input."""
    return decided_by([conditions_at(region.body, region.conditions, text) for text in merge.data_inputs()])


def _belongs(region: Region, other: Node, decider: str, merges: Sequence[Node]) -> bool:
    """Whether ``other`` has the same predicate and region, and is independent of ``merges``."""
    if other.name in region.converted or not region.is_active(other.name):
        return False
    if any(_node(region, text).op in NEXT_ITERATIONS for text in other.data_inputs()):
        return False
    try:
        is_same = _decider(region, other)[0] == decider
    except NotExpressibleError:
        return False
    if not is_same:
        return False
    needed = region.body.ancestors([other.name])
    return all(m.name not in needed and other.name not in region.body.ancestors([m.name]) for m in merges)


def _side_region(region: Region, builder: Builder, condition: tuple[str, int]) -> Region:
    conditions = region.conditions
    return Region(
        region.conversion,
        region.body,
        builder,
        parent=region,
        owns=lambda name: condition in conditions.get(name, ()),
        active=region.active | {condition},
    )


@rule(*EXITS, deferred=True)
def _exit(call: Call) -> Value:
    """Converts the whole loop of this exit node, and registers the tensors of all its exits."""
    loop = _FrameLoop(call.region, call.node)
    initial = values_of(call.region, loop.initial)
    final = add_loop(call.builder, loop, initial)
    for exit_, value in zip(loop.exits, final):
        if exit_ is not None and exit_ is not call.node:
            call.region.converted.add(exit_.name)
            call.region.bind(exit_, value)
    return final[loop.exits.index(call.node)]


class _FrameLoop(LoopBody):
    """A loop of ``Enter``, ``Merge``, ``LoopCond``, ``Switch``, ``NextIteration`` and ``Exit``.

    Attributes:
        merges: those of its state, in file order.
        initial: the initial value of each.
        exits: the exit of each; ``None`` if there is none.
    """

    def __init__(self, region: Region, exit_: Node) -> None:
        self.region = region
        body = region.body
        switch = _node(region, exit_.data_inputs()[0])
        decider = TensorName.parse(switch.data_inputs()[1]).node
        self.loop_cond = body[decider]
        self.switches = [c for c in body.consumers(decider) if c.op in SWITCHES]
        self.merges = [_node(region, s.data_inputs()[0]) for s in self.switches]
        if self.loop_cond.op != "LoopCond" or any(m.op not in MERGES for m in self.merges):
            raise NotExpressibleError("it does not exit a loop")
        enters = [self.source(merge, ENTERS) for merge in self.merges]
        self.initial = [enter.data_inputs()[0] for enter in enters]
        self.next = [self.source(merge, NEXT_ITERATIONS).data_inputs()[0] for merge in self.merges]
        self.exits = [self.exit_of(switch) for switch in self.switches]
        frame = enters[0].attrs["frame_name"].s
        self.refuse_unread(frame)
        self.owned = self.nodes(frame)

    def refuse_unread(self, frame: bytes) -> None:
        """Refuses state that no ``Switch`` reads: it would never leave the loop."""
        known = {merge.name for merge in self.merges}
        for node in self.region.body.nodes:
            if node.op in ENTERS and node.attrs["frame_name"].s == frame:
                merges = [c for c in self.region.body.consumers(node.name) if c.op in MERGES]
                if any(merge.name not in known for merge in merges):
                    raise NotExpressibleError("a part of its state is read by its condition only")

    def source(self, merge: Node, ops: frozenset[str]) -> Node:
        for text in merge.data_inputs():
            node = _node(self.region, text)
            if node.op in ops:
                return node
        raise NotExpressibleError("its state is not entered and carried on")

    def exit_of(self, switch: Node) -> Node | None:
        return next((c for c in self.region.body.consumers(switch.name) if c.op in EXITS), None)

    def nodes(self, frame: bytes) -> set[str]:
        """The names of all nodes in the loop, those of loops inside it as well."""
        body = self.region.body
        enters = [n for n in body.nodes if n.op in ENTERS and n.attrs["frame_name"].s == frame]
        exits = {e.name for e in self.exits if e is not None}
        reached = body.reach(
            [n.name for n in enters], lambda node: () if node.name in exits else body.consumers(node.name)
        )
        return set(reached) - exits - {n.name for n in enters}

    def inner(self, builder: Builder, state: Sequence[Value]) -> Region:
        bound = {(merge.name, 0): value for merge, value in zip(self.merges, state)}
        bound.update(((switch.name, 1), value) for switch, value in zip(self.switches, state))
        bound.update(((switch.name, 0), value) for switch, value in zip(self.switches, state))
        owned = self.owned
        return Region(
            self.region.conversion,
            self.region.body,
            builder,
            bound,
            self.region,
            lambda name: name in owned,
            self.region.active,
        )

    def condition(self, builder: Builder, state: Sequence[Value]) -> Value:
        return self.inner(builder, state).value(self.loop_cond.data_inputs()[0])

    def step(self, builder: Builder, state: Sequence[Value]) -> list[Value]:
        return values_of(self.inner(builder, state), self.next)

    def is_kept(self, index: int) -> bool:
        text = self.next[index]
        for _ in range(len(self.region.body)):
            node = _node(self.region, text)
            if node is self.switches[index] or node is self.merges[index]:
                return True
            if node.op != "Identity":
                break
            text = node.data_inputs()[0]
        return False
