"""Steps that change single nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphscope.advice import Advice, Call, Option
from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.changes.editor import GraphEditor
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.ops.sets import DEFAULTED, PLACEHOLDER_OPS, VARIABLE_OPS
from graphscope.core.ops.table import takes_reference
from graphscope.core.tensors import TensorName, TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.editing.edited import Edited, change_graph
from graphscope.editing.names import rename_nodes
from graphscope.editing.signatures import with_stated_types
from graphscope.errors import GraphscopeError, UnknownNameError, some
from graphscope.feeding.feed_values import from_file, literal
from graphscope.feeding.feeds import tensor_spec
from graphscope.protos import NodeDef


class Step(Protocol):
    """One change of a model."""

    def apply(self, edited: Edited) -> Edited:
        """The model after the change.

        Raises:
            GraphscopeError: it cannot be made, or its result is not valid.
        """


@dataclass(frozen=True, slots=True)
class Rename:
    """Replaces every match of a regular expression in the names of nodes.

    Attributes:
        pattern: as :func:`re.sub` takes it.
        replacement: may refer to groups.
    """

    pattern: str
    replacement: str

    def apply(self, edited: Edited) -> Edited:
        """See :class:`Step`."""
        graph = edited.model.graph
        names = [*graph.names, *(f"{f.name}/{name}" for f in graph.functions.values() for name in f.names)]
        changed = self.new_names(names[: len(graph)])
        for function in graph.functions.values():
            changed |= self._inner_names(function)
        if not changed:
            raise UnknownNameError("node that matches", self.pattern, names)
        return rename_nodes(edited, changed)

    def new_names(self, names: Iterable[str]) -> dict[str, str]:
        """Old name -> new name, of those in which the pattern matches.

        Raises:
            GraphscopeError: the replacement refers to a group that the pattern lacks.
        """
        matcher = re.compile(self.pattern)
        with self._replacing():
            return {name: matcher.sub(self.replacement, name) for name in names if matcher.search(name)}

    def _inner_names(self, function: Function) -> dict[str, str]:
        """The same for the nodes of a library function, ``function/node``; the function keeps its name."""
        matcher, scope = re.compile(self.pattern), f"{function.name}/"
        changed: dict[str, str] = {}
        with self._replacing():
            for name in (scope + inner for inner in function.names):
                new = matcher.sub(lambda m: m[0] if m.end() <= len(scope) else m.expand(self.replacement), name)
                if new != name and new.startswith(scope):
                    changed[name] = new
        return changed

    @contextmanager
    def _replacing(self) -> Iterator[None]:
        try:
            yield
        except (re.error, IndexError) as error:
            raise GraphscopeError(f"{self.replacement!r} is not a valid replacement: {error}") from error


@dataclass(frozen=True, slots=True)
class Prefix:
    """Moves all nodes into a name scope."""

    scope: str

    def apply(self, edited: Edited) -> Edited:
        """See :class:`Step`."""
        scope = self.scope.rstrip("/")
        return rename_nodes(edited, {node.name: f"{scope}/{node.name}" for node in edited.model.graph})


@dataclass(frozen=True, slots=True)
class Remove:
    """Removes a node; its consumers take its input instead."""

    node: str

    def apply(self, edited: Edited) -> Edited:
        """See :class:`Step`."""
        return change_graph(edited, lambda editor: editor.bypass(self.node))


@dataclass(frozen=True, slots=True)
class Rewire:
    """Connects an input of a node to another tensor."""

    consumer: str
    index: int
    tensor: str

    def apply(self, edited: Edited) -> Edited:
        """See :class:`Step`."""
        return change_graph(edited, lambda editor: editor.rewire(self.consumer, self.index, self.tensor))


@dataclass(frozen=True, slots=True)
class Insert:
    """Inserts a node after a tensor.

    Attributes:
        op: takes one tensor.
        tensor: what it takes.
        attrs: attributes as text; ``name`` is the name of the node.
    """

    op: str
    tensor: str
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def apply(self, edited: Edited) -> Edited:
        """See :class:`Step`."""
        attrs = dict(self.attrs)
        name = attrs.pop("name", "")
        return change_graph(edited, lambda editor: editor.insert_after(self.tensor, self.op, name=name, **attrs))


@dataclass(frozen=True, slots=True)
class Replace:
    """Makes a node a constant.

    Attributes:
        node: its name.
        value: a number, a list, ``@x.npy`` or an array.
    """

    node: str
    value: Any

    def apply(self, edited: Edited) -> Edited:
        """See :class:`Step`."""
        self._refuse_written(edited.model.graph)
        return change_graph(edited, lambda editor: editor.replace(self.node, self._array(edited, editor)))

    def _refuse_written(self, graph: Graph) -> None:
        """Refuses a variable that is written to, or read through its handle: a constant cannot stand in its place."""
        node = graph.get(self.node)
        if node is None or node.op not in VARIABLE_OPS:
            return
        takers = [taker for taker in graph.consumers(node.name) if takes_reference(taker.op) is not False]
        if takers or node.op == "VarHandleOp":
            named = some((f"{taker.name} ({taker.op})" for taker in takers or graph.consumers(node.name)), 3)
            raise GraphscopeError(
                f"{node.name} is a variable ({node.op}), and {named} cannot take a constant",
                hint=Advice(
                    Call("freeze", ("MODEL",), (Option("set", f"{node.name}=VALUE"),)), " makes a constant of it"
                ),
            )

    def _array(self, edited: Edited, editor: GraphEditor) -> Any:
        if not isinstance(self.value, str):
            return self.value
        name = f"{self.node}:0"
        is_inner = self.node not in edited.model.graph
        spec = TensorSpec(name, editor.dtype(self.node)) if is_inner else tensor_spec(edited.model, name)
        return from_file(self.value[1:], spec) if self.value.startswith("@") else literal(self.value, spec)


@dataclass(frozen=True, slots=True)
class Bind:
    """Lets a placeholder pass on a tensor of the graph."""

    placeholder: str
    tensor: str

    def apply(self, edited: Edited) -> Edited:
        """See :class:`Step`."""
        node = edited.model.graph[self.placeholder]
        if node.op not in PLACEHOLDER_OPS:
            raise GraphscopeError(f"{self.placeholder} is not an input ({node.op}): only a placeholder can be bound")
        given = tensor_spec(edited.model, self.tensor)
        wanted = tensor_spec(edited.model, f"{self.placeholder}:0")
        if given.dtype is not wanted.dtype:
            raise GraphscopeError(
                f"{self.placeholder} takes {wanted.dtype.label}, and {given.name} is {given.dtype.label}"
            )
        source = str(TensorName.parse(self.tensor)).removesuffix(":0")
        passed = make_node(node.name, "Identity", [source], {"T": type_attr(wanted.dtype)})
        return change_graph(edited, lambda editor: editor.put(passed))


@dataclass(frozen=True, slots=True)
class Device:
    """Names the device of nodes.

    Attributes:
        pattern: a regular expression that the names of nodes match.
        device: its name; empty for none.
    """

    pattern: str
    device: str

    def apply(self, edited: Edited) -> Edited:
        """See :class:`Step`."""
        matcher = re.compile(self.pattern)
        return change_graph(edited, lambda editor: editor.map_nodes(lambda node: self._place(node, matcher)))

    def _place(self, node: Node, matcher: re.Pattern[str]) -> Node:
        if not matcher.search(node.name) or node.device == self.device:
            return node
        proto = NodeDef()
        proto.CopyFrom(node.proto)
        proto.device = self.device
        return Node(proto, node.payloads)


@dataclass(frozen=True, slots=True)
class Dtype:
    """Lets an input take another type; a ``Cast`` behind it gives the old one."""

    placeholder: str
    dtype: DataType

    def apply(self, edited: Edited) -> Edited:
        """See :class:`Step`."""
        node = edited.model.graph[self.placeholder]
        if node.op not in PLACEHOLDER_OPS - {DEFAULTED}:
            raise GraphscopeError(f"{self.placeholder} ({node.op}) is not a placeholder whose type could change")
        old = tensor_spec(edited.model, f"{self.placeholder}:0").dtype
        if old is self.dtype:
            return edited
        for dtype in (old, self.dtype):
            if not dtype.is_castable:
                raise GraphscopeError(
                    f"{self.placeholder} is {old.label}: it cannot become {self.dtype.label}, because no Cast takes"
                    f" or gives {dtype.label}"
                )

        def change(editor: GraphEditor) -> None:
            editor.put(make_node(node.name, node.op, (), {**node.attrs, "dtype": type_attr(self.dtype)}))
            editor.insert_after(node.name, "Cast", SrcT=type_attr(self.dtype), DstT=type_attr(old))

        return with_stated_types(change_graph(edited, change))
