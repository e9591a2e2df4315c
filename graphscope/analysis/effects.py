"""Side effects of a graph, read from the graph alone: the nodes that do more than compute, and their targets.

A path is followed to where it comes from: a constant of the file, something that is fed, or a computation. Functions are
followed through their calls, with what each call hands them.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from graphscope.core.graph import Body, Function, Graph, Node, named_functions
from graphscope.core.ops.effects import OP_EFFECTS, Effect, OpEffect, is_harmless
from graphscope.core.ops.table import registered_ops
from graphscope.core.patterns import Pattern
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError
from graphscope.named_tuple import NamedTuple
from graphscope.protos import AttrValue, OpDef


class PathSource(enum.IntEnum):
    """The origin of a file name, directory or address; larger is less trustworthy."""

    OWN = 0
    FED = 1
    CONSTANT = 2
    COMPUTED = 3


class Origin(NamedTuple):
    """A name and its origin.

    Attributes:
        source: the least trustworthy of what it is made of.
        text: the name, where the file states it.
        leads_out: whether a name that the file states is absolute, an address, or climbs out through ``..``; of a computed
            name, whether it is made of constants alone, which hides where it leads.
    """

    source: PathSource
    text: str = ""
    leads_out: bool = False


class NodeEffect(NamedTuple):
    """A node that does more than compute.

    Attributes:
        node, op: its name and op.
        function: the library function that it is in; empty for the graph itself.
        does: class and reason.
        target: what it touches.
    """

    node: str
    op: str
    function: str
    does: OpEffect
    target: Origin

    @property
    def action(self) -> str:
        """The effect and its target: ``reads the file /etc/hosts``."""
        is_named = bool(self.does.argument or self.does.attribute)
        maker = "that is fed" if self.target.source is PathSource.FED else "that the graph computes"
        target = self.target.text or (f"with a name {maker}" if is_named else "")
        return f"{self.does.reason} {target}".rstrip()


def find_effects(
    graph: Graph,
    fed: Collection[str] = (),
    own: Collection[str] = (),
    stored: Collection[str] = (),
    functions: Collection[str] = (),
) -> list[NodeEffect]:
    """Nodes of ``graph``, and of the functions that they call, that do more than compute. Linear in the graph's size.

    Args:
        fed: nodes that the caller feeds, in addition to the placeholders without a default.
        own: constants that name the model's own files.
        stored: variables that get their values from a checkpoint.
        functions: library functions that may be called from outside the graph, with arguments from the caller.
    """
    search = _Search(graph, frozenset(fed), frozenset(own), frozenset(stored))
    return list(dict.fromkeys(search.effects(functions)))


def named_files(graph: Graph) -> list[str]:
    """Files that readers of data in ``graph`` are given as constants, each once.

    Where a reader gets names out of a queue or a dataset, all absolute paths among the constants count.
    """
    found = [e for e in find_effects(graph) if e.does.effect is Effect.READS and "checkpoint" not in e.does.reason]
    texts = [e.target.text for e in found if e.target.source is PathSource.CONSTANT and e.target.text]
    if any(e.target.source is PathSource.COMPUTED for e in found):
        constants = (_texts(node) or [] for _, body in graph.bodies for node in body if node.op == "Const")
        texts += [text for values in constants for text in values if _ABSOLUTE.match(text)]
    return list(dict.fromkeys(texts))


_ABSOLUTE = Pattern(r"/\w|[A-Za-z]:[\\/]|\w{2,16}://")

_Arguments = tuple[tuple[str, Origin], ...]
"""Argument of a function -> origin of the value that a call passes."""

_MAX_CALLS = 2_000
"""Further calls are looked into once for each function, as if nothing were known of what they hand over."""

_UNKNOWN = Origin(PathSource.COMPUTED)


class _Search:
    def __init__(self, graph: Graph, fed: frozenset[str], own: frozenset[str], stored: frozenset[str]) -> None:
        self.graph = graph
        self.fed = fed
        self.own = own
        self.stored = stored
        self.seen: set[tuple[str, _Arguments]] = set()

    @property
    def users(self) -> Mapping[str, list[str]]:
        """Node -> nodes of the graph itself that take what it gives."""
        return self.graph.consumer_names

    def effects(self, functions: Collection[str]) -> Iterator[NodeEffect]:
        called = (self.graph.functions[name] for name in functions)
        pending: list[tuple[str, Body, _Arguments]] = [(f.name, f, _arguments_of(f)) for f in called]
        pending.append(("", self.graph, ()))
        while pending:
            name, body, arguments = pending.pop()
            paths = _Paths(self, body, dict(arguments), is_graph=not name)
            for op, node in zip(body.ops, body.nodes):
                if op in OP_EFFECTS:
                    yield from self.effect(node, name, paths)
                for function, handed in self.calls(op, node, paths):
                    key = (function.name, handed if len(self.seen) < _MAX_CALLS else ())
                    if key not in self.seen:
                        self.seen.add(key)
                        pending.append((function.name, function, key[1]))

    def effect(self, node: Node, function: str, paths: _Paths) -> Iterator[NodeEffect]:
        does = OP_EFFECTS[node.op]
        target = paths.target(node, does)
        if not (target.source is PathSource.CONSTANT and is_harmless(node.op, target.text)):
            yield NodeEffect(node.name, node.op, function, does, target)

    def calls(self, op: str, node: Node, paths: _Paths) -> Iterator[tuple[Function, _Arguments]]:
        """The functions that ``node`` calls, as its op or through attributes, and the arguments."""
        direct = self.graph.functions.get(op)
        if direct is not None:
            yield direct, _select_strings(direct, paths, node.data_inputs())
        for attr in node.attrs.values() if self.graph.functions else ():
            for name in named_functions(attr):
                function = self.graph.functions.get(name)
                if function is not None:
                    skipped = _SKIPPED.get(op)
                    inputs = node.data_inputs()[skipped:] if skipped is not None else []
                    yield function, _select_strings(function, paths, inputs)


_SKIPPED = {
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), 0),
    **dict.fromkeys(("If", "StatelessIf", "Case", "StatelessCase"), 1),
}
"""Ops that hand their inputs on to functions -> how many of the first ones they keep. Of others nothing is known: a loop's
later rounds get something else than its first."""


def _select_strings(function: Function, paths: _Paths, inputs: list[str]) -> _Arguments:
    """Strings only: other types cannot be paths."""
    names = [(a.name, a.type) for a in function.signature.input_arg]
    return tuple((name, paths.origin(text)) for (name, dtype), text in zip(names, inputs) if dtype == DataType.STRING)


def _arguments_of(function: Function) -> _Arguments:
    return tuple((a.name, Origin(PathSource.FED)) for a in function.signature.input_arg if a.type == DataType.STRING)


class _Paths:
    """Follows names of files through one graph or function body."""

    def __init__(self, search: _Search, body: Body, arguments: Mapping[str, Origin], *, is_graph: bool) -> None:
        self.search = search
        self.body = body
        self.arguments = arguments
        self.is_graph = is_graph

    def target(self, node: Node, does: OpEffect) -> Origin:
        definition = registered_ops().get(node.op)
        if does.attribute:
            attr = _attribute(node, does.attribute, definition)
            return _constant(_stated_paths(attr) if attr is not None else [])
        position = _position(definition, does.argument) if definition is not None else None
        inputs = node.data_inputs()
        return self.origin(inputs[position]) if position is not None and position < len(inputs) else _UNKNOWN

    def origin(self, text: str) -> Origin:
        """The origin of the strings in tensor ``text``: the least trustworthy of all parts."""
        worst = Origin(PathSource.OWN)
        seen: set[str] = set()
        pending = [node_of(text)]
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            node = self.body.get(name)
            passed = None if node is None or self._is_known(name) else self._passed_strings(node)
            if passed is not None:
                pending += map(node_of, passed)
            if node is None or passed is None or (node.op in _JOINS and not self._ends_below(node)):
                found = self.leaf(name, node)
                if found.source > worst.source or (found.source is worst.source and _says_more(found, worst)):
                    worst = found
        return worst

    def _passed_strings(self, node: Node) -> list[str] | None:
        """The tensors whose strings ``node`` gives on; ``None`` if it makes its own."""
        if node.op == "ReadVariableOp" and self.is_graph:
            return self._find_assigned(node_of(node.inputs[0]))
        return _passed_strings(node)

    def _find_assigned(self, variable: str) -> list[str] | None:
        """The value assigned to a variable (TensorFlow 2 keeps asset paths in some); ``None`` if it cannot be determined."""
        users = [n for name in self.search.users.get(variable, ()) if (n := self.body.get(name)) is not None]
        if variable in self.search.stored or not {user.op for user in users} <= _VARIABLE_USERS:
            return None
        return [user.inputs[1] for user in users if user.op == "AssignVariableOp"] or None

    def _ends_below(self, node: Node) -> bool:
        """Whether a suffix keeps a path in the same directory: savers append ``_temp_1f/part``, never ``/../x``."""
        if node.op != "StringJoin":
            return True  # a shard's number
        pending = [node_of(text) for text in node.data_inputs()[1:]]
        for _ in range(_MAX_ENDINGS):
            if not pending:
                return True
            found = self.body.get(pending.pop())
            passed = _passed_strings(found) if found is not None and found.op not in _JOINS else None
            texts = _texts(found) if found is not None else None
            if passed is None and (texts is None or any(".." in text for text in texts)):
                return False
            pending += map(node_of, passed or ())
        return False

    def leaf(self, name: str, node: Node | None) -> Origin:
        """What is not made of anything else here: fed, a constant, an argument, a computation."""
        if node is None:
            return self.arguments.get(name, _UNKNOWN)
        if self._is_known(name):
            return Origin(PathSource.OWN if name in self.search.own else PathSource.FED)
        texts = _texts(node)
        if texts is None:
            return Origin(PathSource.COMPUTED, leads_out=self._is_made_of_constants(name))
        return _constant(texts)

    def _is_made_of_constants(self, name: str) -> bool:
        """Whether all that the strings of ``name`` are computed from is in constants."""
        pending, seen = [name], set[str]()
        while pending:
            node = self.body.get(pending.pop())
            inputs = node.data_inputs() if node is not None else []
            if node is None or (not inputs and node.op != "Const") or len(seen) > _MAX_MADE_OF:
                return False
            seen.add(node.name)
            pending += [source for source in map(node_of, inputs) if source not in seen]
        return True

    def _is_known(self, name: str) -> bool:
        """Whether a person vouches for it: a placeholder without a default has no value but the one that it is fed."""
        if not self.is_graph:
            return False
        node = self.body.get(name)
        is_fed = name in self.search.fed or (node is not None and node.op in _MUST_BE_FED)
        return is_fed or name in self.search.own


_VARIABLE_USERS = frozenset({"AssignVariableOp", "ReadVariableOp", "VarIsInitializedOp"})

_MUST_BE_FED = frozenset({"Placeholder", "PlaceholderV2"})
_MAX_NAMED = 3
_MAX_MADE_OF = 256

LEADS_OUT = Pattern(r"[/\\~]|[A-Za-z]:[\\/]|\w{2,16}://|(.*[/\\])?\.\.([/\\]|\Z)", re.DOTALL)
"""A path that leads out of the directory that a program is started in: absolute, a home, an address, or through ``..``."""

_MAX_ENDINGS = 16

_JOINS = frozenset({"StringJoin", "ShardedFilename", "ShardedFilespec"})
"""Ops that make a path of a first part and what follows it, as savers do."""

_FIRST = (
    "Identity Reshape ExpandDims Squeeze Enter Exit NextIteration Switch StopGradient Snapshot PlaceholderWithDefault"
    " StringJoin ShardedFilename ShardedFilespec"
)
_PASSING = {
    **dict.fromkeys(_FIRST.split(), slice(0, 1)),
    **dict.fromkeys(("Pack", "IdentityN", "Merge"), slice(None)),
    "ConcatV2": slice(0, -1),
    **dict.fromkeys(("Select", "SelectV2"), slice(1, 3)),
}
"""Ops that give strings that they take -> the inputs that these come from."""


def _passed_strings(node: Node) -> list[str] | None:
    part = _PASSING.get(node.op)
    return node.data_inputs()[part] if part is not None else None


def _texts(node: Node) -> list[str] | None:
    """The strings of a constant; ``None`` for anything else, and for one that cannot be read."""
    if node.op != "Const":
        return None
    tensor = node.tensor()
    if tensor is None or tensor.dtype is not DataType.STRING:
        return []
    try:
        return [value.decode("utf-8", "replace") for value in tensor.listed()]
    except GraphscopeError:
        return None


def _attribute(node: Node, name: str, definition: OpDef | None) -> AttrValue | None:
    """What ``node`` states, or the op's default: writers may leave defaults out."""
    stated = node.attr(name)
    defaults = (a.default_value for a in (definition.attr if definition is not None else ()) if a.name == name)
    return next(defaults, None) if stated is None else stated


def _stated_paths(attr: AttrValue) -> list[str]:
    return [text.decode("utf-8", "replace") for text in ([attr.s] if attr.HasField("s") else attr.list.s)]


def _constant(texts: Sequence[str]) -> Origin:
    """The names that a file states; those that lead out of the model come first."""
    outside = [text for text in texts if LEADS_OUT.match(text)]
    named = list(dict.fromkeys([*outside, *texts]))[:_MAX_NAMED]
    return Origin(PathSource.CONSTANT, ", ".join(named), bool(outside))


def _says_more(one: Origin, other: Origin) -> bool:
    return (one.leads_out, bool(one.text)) > (other.leads_out, bool(other.text))


def _position(definition: OpDef, argument: str) -> int | None:
    """Which input of a node is ``argument``: none of the arguments before it is a list, in any op of the table."""
    return next((i for i, arg in enumerate(definition.input_arg) if arg.name == argument), None)
