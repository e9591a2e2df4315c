"""Whether what a node takes is of the type that its op takes, as TensorFlow compares when it imports a graph.

Types are equal, or what is taken is a reference where its value is wanted. Never the other way round: an ``Assign`` to what was
a variable and has become a constant makes a graph that nothing imports. Source: ``TypesCompatible`` in
``tensorflow/core/framework/types.cc``, ``tensorflow/core/common_runtime/graph_constructor.cc`` (2.21).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from graphscope.core.graph import Body, Function, Node
from graphscope.core.ops.table import ArgumentType, OpCatalog
from graphscope.core.tensors import TensorName
from graphscope.core.values.dtypes import DataType

_Both = tuple[tuple[ArgumentType, ...], tuple[ArgumentType, ...]]
"""What a node takes, and what it gives."""


def find_wrong_types(body: Body, catalog: OpCatalog, among: Collection[str] | None = None) -> Iterator[tuple[str, str]]:
    """The nodes of ``body`` that take what their op does not, in file order: the name, and how the types differ.

    Ops and tensors of which nothing is known fit.

    Args:
        among: the nodes to look at; all by default.
    """
    given = _Given(body, catalog)
    for number, (node, wired) in enumerate(zip(body.nodes, body.wires)):
        if not wired or (among is not None and node.name not in among):
            continue
        wanted = given.types(number)[0]
        if wanted and (None in wired or any(map(_is_wrong, map(given.first, wired), wanted))):
            yield from _wrong_types(node, wanted, given)


def _wrong_types(node: Node, wanted: Sequence[ArgumentType], given: _Given) -> Iterator[tuple[str, str]]:
    for text, taken in zip(node.data_inputs(), wanted):
        found = given.type(text)
        if found is not None and _is_wrong(found, taken):
            yield node.name, f"node {node.name} ({node.op}) takes {_label(taken)}, and {text} is {_label(found)}"


def _is_wrong(found: ArgumentType | None, wanted: ArgumentType) -> bool:
    if found is None or (found.dtype is wanted.dtype and not wanted.is_ref):
        return False
    is_known = found.dtype is not DataType.INVALID and wanted.dtype is not DataType.INVALID
    return is_known and (found.dtype is not wanted.dtype or not found.is_ref)


class _Given:
    """The types of the tensors of one body."""

    def __init__(self, body: Body, catalog: OpCatalog) -> None:
        self._body = body
        self._catalog = catalog
        self._types: dict[int | None, _Both] = {}
        self._named: dict[str, ArgumentType | None] = {}
        self._arguments: Mapping[str, ArgumentType] = {}
        if isinstance(body, Function):
            self._arguments = {
                a.name: ArgumentType(DataType.of(a.type), a.is_ref, a.name) for a in body.signature.input_arg
            }

    def types(self, number: int | None) -> _Both:
        """The types of what a node takes, and of what it gives: nothing if its op is unknown."""
        found = self._types.get(number)
        if found is None:
            assert number is not None
            known = self._catalog.both(self._body.ops[number], self._body.nodes[number].proto.attr)
            found = self._types[number] = ((), ()) if known is None else known
        return found

    def first(self, number: int | None) -> ArgumentType | None:
        """The type of the first output of a node; ``None`` if it has none."""
        outputs = self.types(number)[1]
        return outputs[0] if outputs else None

    def type(self, text: str) -> ArgumentType | None:
        """The type of a tensor, as inputs name it; ``None`` if there is no such tensor, or its op is unknown."""
        if text not in self._named:
            self._named[text] = self._find(text)
        return self._named[text]

    def _find(self, text: str) -> ArgumentType | None:
        if text in self._arguments:
            return self._arguments[text]
        tensor = TensorName.parse(text)
        number = self._body.numbers.get(tensor.node)
        outputs = self.types(number)[1] if number is not None else ()
        if tensor.argument is not None:
            outputs = tuple(output for output in outputs if output.argument == tensor.argument)
        return outputs[tensor.index] if 0 <= tensor.index < len(outputs) else None


def _label(found: ArgumentType) -> str:
    return f"{found.dtype.label}{'_ref' if found.is_ref else ''}"
