"""Compares the matched nodes of two bodies."""

from __future__ import annotations

from collections.abc import Iterator

from graphscope.analysis.attributes import exact_text
from graphscope.analysis.diff.report import Change, Difference, Section
from graphscope.analysis.diff.sides import FREEZES, GATHERS, Matching, Side, shared_name
from graphscope.core.graph import Function, Node
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.tensors import TensorName
from graphscope.protos import AttrValue

WAITS = "waits for"
"""The prefix of details about control inputs."""

TYPES = "types of its arguments or results"
"""What differs between two functions that take and give equally many tensors."""

_TRACES = frozenset(
    "_input_shapes _construction_context api_implements api_preferred_device forward_function_name backward_function_name"
    " _original_func_name _tracing_only".split()
)
"""Attributes that tracing gives a function; some hold a number or an identifier that is new each time."""

_FEW = 3
"""Up to this many inputs of one node are reported individually."""


class NodeComparison:
    """Compares pairs of nodes.

    Args:
        matching: the matched nodes.
        function: the library function that they are in.
        strict: whether devices count.
    """

    def __init__(self, matching: Matching, function: str, *, strict: bool) -> None:
        self.matching = matching
        self.function = function
        self.strict = strict

    def differences(self) -> Iterator[Difference]:
        """Nodes that only one body has, then what differs in the others: ops, wiring, attributes. Values are not compared."""
        removed, added = self.matching.open()
        yield from (self._difference(node, Section.NODES, Change.REMOVED, node.op) for node in removed)
        yield from (self._difference(node, Section.NODES, Change.ADDED, node.op) for node in added)
        for one, other in self.matching.unequal:
            if not self._is_same(one, other):
                yield from self.pair(one, other)
        yield from self._results()

    def _is_same(self, one: int, other: int) -> bool:
        """Whether two nodes, given by their numbers, differ in nothing but names; most do."""
        is_alike = self.matching.a.key(one) == self.matching.b.key(other)
        return not self.strict and is_alike and not self.matching.is_rewired(one, other)

    def pair(self, one: int, other: int) -> Iterator[Difference]:
        """What differs between two nodes, given by their numbers."""
        sides = self.matching.a, self.matching.b
        a, b = sides[0].body.nodes[one], sides[1].body.nodes[other]
        if sides[0].names.get(a.op, a.op) != sides[1].names.get(b.op, b.op):
            yield self._describe_change(a, b, Section.NODES, f"{a.op} -> {b.op}")
            if is_frozen(a, b) or is_frozen(b, a):
                yield from self._attributes(a, b, shared=True)
        elif sides[0].key(one) != sides[1].key(other):
            yield from self._attributes(a, b)
        if self.matching.is_rewired(one, other):
            yield from self._wiring(a, b)
        if self.strict and a.device != b.device:
            yield self._describe_change(
                a, b, Section.ATTRIBUTES, f"device: {a.device or 'none'} -> {b.device or 'none'}"
            )

    def _attributes(self, a: Node, b: Node, *, shared: bool = False) -> Iterator[Difference]:
        """What two nodes state differently.

        Args:
            shared: compare only what both state.
        """
        ones, others = self.matching.a.attributes.of(a), self.matching.b.attributes.of(b)
        for name in sorted({*ones} & {*others} if shared else {*ones, *others}):
            if _is_value(ones.get(name)) and _is_value(others.get(name)):
                continue
            one, other = self._value(self.matching.a, a, name, ones), self._value(self.matching.b, b, name, others)
            if one != other:
                texts = _text(self.matching.a, a, name, ones), _text(self.matching.b, b, name, others)
                section = Section.INPUTS if a.op in PLACEHOLDER_OPS else Section.ATTRIBUTES
                yield self._describe_change(a, b, section, f"{name}: {texts[0]} -> {texts[1]}")

    def _value(self, side: Side, node: Node, name: str, values: dict[str, AttrValue]) -> object:
        value = values.get(name)
        if value is not None and name == "shared_name":
            return shared_name(node, value)
        return side.text(value) if value is not None else None

    def _wiring(self, a: Node, b: Node) -> Iterator[Difference]:
        """Inputs by position; control inputs as a set. Names are those of the second body where a partner exists."""
        ones, others = [_port(text) for text in a.data_inputs()], [_port(text) for text in b.data_inputs()]
        moved = [(self.matching.forward.get(name), self.matching.moved_port(name, port)) for name, port in ones]
        positions = range(max(len(ones), len(others)))
        different = [p for p in positions if moved[p : p + 1] != others[p : p + 1]]
        texts = [f"input {p}: {_at(ones, p)} -> {_at(others, p)}" for p in different[:_FEW]]
        if len(different) > _FEW:
            texts = [f"{len(different):,} inputs, first {texts[0]}"]
        yield from (self._describe_change(a, b, Section.WIRING, text) for text in texts)
        controls = {self.matching.forward.get(name, f"^{name}"): name for name in a.control_inputs()}
        after = set(b.control_inputs())
        gone = sorted(f"^{name}" for key, name in controls.items() if key not in after)
        new = sorted(f"^{name}" for name in after - controls.keys())
        if gone or new:
            yield self._describe_change(a, b, Section.WIRING, f"{WAITS}: {_list(gone)} -> {_list(new)}")

    def _results(self) -> Iterator[Difference]:
        """The arguments and results of a library function."""
        a, b = self.matching.a.body, self.matching.b.body
        if not isinstance(a, Function) or not isinstance(b, Function):
            return
        taken = [[argument.type for argument in f.signature.input_arg] for f in (a, b)]
        given = [[argument.type for argument in f.signature.output_arg] for f in (a, b)]
        if taken[0] != taken[1] or given[0] != given[1]:
            if len(taken[0]) != len(taken[1]) or len(given[0]) != len(given[1]):
                text = f"{len(taken[0])} arguments, {len(given[0])} results -> {len(taken[1])}, {len(given[1])}"
                yield self._function(text)
                return
            yield self._function(TYPES)
        for one, other in zip(a.signature.output_arg, b.signature.output_arg):
            before, after = _port(a.proto.ret[one.name]), _port(b.proto.ret[other.name])
            if (self.matching.forward.get(before[0]), self.matching.moved_port(*before)) != after:
                yield self._function(f"result {one.name}: {_tensor(before)} -> {_tensor(after)}")
        waited = {self.matching.forward.get(node, f"^{node}"): node for node in a.proto.control_ret.values()}
        after_all = set(b.proto.control_ret.values())
        gone = sorted(f"^{node}" for key, node in waited.items() if key not in after_all)
        new = sorted(f"^{node}" for node in after_all - waited.keys())
        if gone or new:
            yield self._function(f"a call waits for: {_list(gone)} -> {_list(new)}")
        yield from self._function_attributes(a, b)

    def _function_attributes(self, a: Function, b: Function) -> Iterator[Difference]:
        for name in sorted({*a.proto.attr, *b.proto.attr} - _TRACES):
            one, other = (f.proto.attr.get(name) for f in (a, b))
            texts = [
                None if v is None else side.text(v) for v, side in ((one, self.matching.a), (other, self.matching.b))
            ]
            if texts[0] != texts[1]:
                shown = ["not stated" if value is None else exact_text(value) for value in (one, other)]
                yield self._function(f"{name}: {shown[0]} -> {shown[1]}")

    def _function(self, text: str) -> Difference:
        return Difference(Section.FUNCTIONS, Change.CHANGED, self.function, text)

    def _difference(self, node: Node, section: Section, change: Change, detail: str) -> Difference:
        section = Section.INPUTS if node.op in PLACEHOLDER_OPS and section is Section.NODES else section
        return Difference(section, change, node.name, detail, function=self.function)

    def _describe_change(self, a: Node, b: Node, section: Section, detail: str) -> Difference:
        return Difference(section, Change.CHANGED, a.name, detail, b.name if b.name != a.name else "", self.function)


def is_frozen(a: Node, b: Node) -> bool:
    """Whether ``b`` is what freezing makes of ``a``."""
    return FREEZES.get(a.op) == b.op or (a.op, b.op) == GATHERS


def _is_value(value: AttrValue | None) -> bool:
    return value is not None and value.WhichOneof("value") == "tensor"


def _text(side: Side, node: Node, name: str, values: dict[str, AttrValue]) -> str:
    value = values.get(name)
    if value is not None:
        return exact_text(value)
    default = side.attributes.defaults(node.op).get(name)
    return exact_text(default) if default is not None else "not stated"


_Port = tuple[str, str]


def _port(text: str) -> _Port:
    """The node, and which of its outputs: ``("a", "0")`` of ``a`` and of ``a:0``."""
    tensor = TensorName.parse(text)
    return tensor.node, str(tensor.index) if tensor.argument is None else f"{tensor.argument}:{tensor.index}"


def _tensor(port: _Port) -> str:
    return f"{port[0]}:{port[1]}"


def _at(ports: list[_Port], position: int) -> str:
    return _tensor(ports[position]) if position < len(ports) else "nothing"


def _list(names: list[str]) -> str:
    return ", ".join(names) or "nothing"
