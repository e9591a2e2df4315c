"""Finds everything for which TensorFlow refuses to import a graph, in one pass over the nodes.

Unknown ops are not a problem, and neither is a library function that no node calls: TensorFlow does not check it. Source:
``tensorflow/core/common_runtime/graph_constructor.cc`` and ``tensorflow/core/framework/function.cc`` (2.21).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from graphscope.advice import Advice, Call
from graphscope.core.checks.attributes import find_wrong_attributes
from graphscope.core.checks.types import find_wrong_types
from graphscope.core.graph import Body, Function, Graph, Node, called_functions
from graphscope.core.ops.sets import MERGES, NEXT_ITERATIONS
from graphscope.core.ops.table import OpCatalog, input_count
from graphscope.core.tensors import TensorName, node_of
from graphscope.core.values.tensor_proto import check_size
from graphscope.errors import CorruptFileError, GraphscopeError
from graphscope.named_tuple import NamedTuple
from graphscope.protos import OpDef

_LISTED = 8


class Problem(NamedTuple):
    """One problem that makes a graph invalid.

    Attributes:
        kind: ``name``, ``input``, ``output``, ``inputs``, ``type``, ``attribute``, ``cycle``, ``recursion``, ``function`` or
            ``constant``.
        node: the node, or the library function; ``function/node`` in the body of one.
        text: a description that names the node, without a final full stop.
    """

    kind: str
    node: str
    text: str


def find_problems(graph: Graph, catalog: OpCatalog, *, scan: bool = False, closely: bool = False) -> list[Problem]:
    """The problems of ``graph``, in file order; empty for a graph that TensorFlow imports.

    Args:
        catalog: the ops that the graph may use.
        scan: also read constants whose size is known only from their content (typed values above 1 KB, text).
        closely: also compare the types of inputs and the attributes of nodes with their ops: that takes longer than all else.
    """
    reached = _reach(graph, catalog)
    found = [
        Problem("function", name, f"the library has two different functions {name}")
        for name in graph.clashing_functions
    ]
    ops = _Ops(catalog)
    found += _Checker(graph, ops, "", scan).problems()
    for name in reached:
        found += _Checker(graph.functions[name], ops, name, scan).problems()
    found += _recursions(reached)
    return [*found, *_compare(graph, reached)] if closely and not found else found


def _compare(graph: Graph, functions: Iterable[str]) -> Iterator[Problem]:
    """Nodes that do not fit their ops. What a file itself states of TensorFlow's ops does not count."""
    catalog = graph.catalog()
    for name in ("", *functions):
        body = graph.functions[name] if name else graph
        where, scope = (f"library function {name}: ", f"{name}/") if name else ("", "")
        for kind, found in (
            ("attribute", find_wrong_attributes(body, catalog, is_inner=bool(name))),
            ("type", find_wrong_types(body, catalog)),
        ):
            for node, text in found:
                yield Problem(kind, f"{scope}{node}", where + text)


def refuse_invalid(graph: Graph, catalog: OpCatalog, path: str, *, closely: bool = False) -> None:
    """Raises an error for a graph that TensorFlow would refuse.

    Args:
        path: the file of the graph, for messages.
        closely: as of :func:`find_problems`.

    Raises:
        GraphscopeError: the graph is invalid; the error names the nodes.
    """
    problems = find_problems(graph, catalog, scan=True, closely=closely)
    if not problems:
        return
    more = f"\nand {len(problems) - _LISTED:,} more" if len(problems) > _LISTED else ""
    listed = "\n".join([f"{path}: not a valid graph", *(problem.text for problem in problems[:_LISTED])])
    raise GraphscopeError(
        listed + more, hint=Advice(Call("summarize", (path,)), "   lists what is wrong; nothing was written")
    )


def _reach(graph: Graph, catalog: OpCatalog) -> dict[str, list[str]]:
    """Library functions that nodes may call, directly or indirectly -> the functions that each of them calls."""
    calls: dict[str, list[str]] = {}
    pending: list[Body] = [graph] if graph.functions else []
    callers: dict[str, bool] = {}
    while pending:
        for name in _find_called(graph, pending.pop(), catalog, callers):
            if name not in calls:
                function = graph.functions[name]
                calls[name] = _find_called(graph, function, catalog, callers)
                pending.append(function)
    return calls


def _find_called(graph: Graph, body: Body, catalog: OpCatalog, callers: dict[str, bool]) -> list[str]:
    """The library functions that ``body`` calls; ``callers`` caches which ops may call functions."""
    for op in body.ops:
        if op not in callers:
            definition = catalog.get(op)
            callers[op] = definition is None or op in graph.functions or any("func" in a.type for a in definition.attr)
    calling = Body(node for op, node in zip(body.ops, body.nodes) if callers[op])
    return [name for name in dict.fromkeys(called_functions(calling)) if name in graph.functions]


def _recursions(calls: Mapping[str, list[str]]) -> Iterator[Problem]:
    """Recursive functions: TensorFlow 2.21 overflows its stack on them, even if the recursion would end."""
    for ring in find_rings(calls, calls.__getitem__):
        text = " calls ".join([*ring, ring[0]])
        yield Problem("recursion", ring[0], f"library function {text}: calls must not recurse")


def find_rings(names: Iterable[str], step: Callable[[str], Iterable[str]]) -> Iterator[list[str]]:
    """Cycles of names under ``step``; one for each place where a walk meets itself."""
    done: set[str] = set()
    for start in names:
        if start in done:
            continue
        way = {start: iter(step(start))}
        while way:
            current = next(reversed(way))
            following = next(way[current], None)
            if following is None:
                done.add(current)
                del way[current]
            elif following in way:
                on_way = list(way)
                yield on_way[on_way.index(following) :]
            elif following not in done:
                way[following] = iter(step(following))


class _Ops(dict[str, "_Op"]):
    """Op name -> the facts about all nodes of that op; looked up once for all bodies."""

    def __init__(self, catalog: OpCatalog) -> None:
        super().__init__()
        self.catalog = catalog

    def __missing__(self, op: str) -> _Op:
        self[op] = found = _Op.of(self.catalog, op)
        return found


class _Op(NamedTuple):
    """Facts about all nodes of an op.

    Attributes:
        definition: ``None`` if the op is unknown.
        inputs: number of data inputs; ``None`` if it depends on the node.
        ports: suffixes of a node's name that always denote an existing output, so that they need no further check.
        gives: whether the name without a suffix is an output.
    """

    definition: OpDef | None
    inputs: int | None
    ports: frozenset[str]
    gives: bool = False

    @classmethod
    def of(cls, catalog: OpCatalog, op: str) -> _Op:
        definition = catalog.get(op)
        if definition is None:
            return cls(None, None, frozenset({"", "0"}), True)
        is_fixed = not any(arg.number_attr or arg.type_list_attr for arg in definition.input_arg)
        ports = {"", "0", *(f"{arg.name}:0" for arg in definition.output_arg)} if definition.output_arg else ()
        return cls(definition, len(definition.input_arg) if is_fixed else None, frozenset(ports), bool(ports))


_ARGUMENT = _Op(None, None, frozenset({"", "0"}), True)
"""Facts about an argument of a library function."""


class _Checker:
    """Checks the nodes of one body."""

    def __init__(self, body: Body, ops: _Ops, function: str, scan: bool) -> None:
        self.body = body
        self.ops = ops
        self.catalog = ops.catalog
        self.function = function
        self.scan = scan
        self.arguments: Collection[str] = ()
        if isinstance(body, Function):
            self.arguments = {argument.name for argument in body.signature.input_arg}
        self.found: list[Problem] = []
        self.seen = dict.fromkeys(self.arguments, _ARGUMENT)
        self.first_later = len(body)
        self.takers: list[str] = []
        self.known_outputs: set[str] = set()

    def problems(self) -> list[Problem]:
        seen, body, ops = self.seen, self.body, self.ops
        plain: set[int | None] = set()  # nodes whose name alone is enough
        for i, (op, name, wired) in enumerate(zip(body.ops, body.names, body.wires)):
            known = ops[op]
            if plain.issuperset(wired):
                data = len(wired)
            else:  # a port, a control edge, or what comes later
                data = self.inputs(i, body.nodes[i])
            if known.gives and not self.function:  # the nodes of a function are named with their output
                plain.add(i)
            if data != known.inputs:
                self.count(body.nodes[i], known, data)
            if op == "Const":
                self.constant(body.nodes[i])
            if name in seen:
                self.report(
                    "name", name, f"more than one {'argument or ' if self.arguments else ''}node is called {name}"
                )
            seen[name] = known
        self.results()
        if self.takers:
            self.cycles()
        return self.found

    def report(self, kind: str, name: str, text: str) -> None:
        where = f"library function {self.function}: " if self.function else ""
        self.found.append(Problem(kind, f"{self.function}/{name}" if self.function else name, where + text))

    def inputs(self, i: int, node: Node) -> int:
        """Checks the inputs of ``node``, number ``i`` in the body, and returns the number of data inputs."""
        data = position = 0
        seen = self.seen
        for position, text in enumerate(node.proto.input, 1):  # noqa: B007 - how many there are
            if text[0:1] == "^":
                if text[1:] not in seen:
                    self.later(i, node, text[1:], text)
                continue
            data += 1
            source, _, port = text.partition(":")
            known = seen.get(source)
            if known is None:
                self.later(i, node, source, text)
            elif port not in known.ports or (self.function and port in ("", "0") and known is not _ARGUMENT):
                self.output(f"node {node.name}", text)
        if data != position and any(not text.startswith("^") for text in node.inputs[data:]):
            self.report("input", node.name, f"node {node.name}: a data input follows a control input")
        return data

    def later(self, i: int, node: Node, source: str, text: str) -> None:
        """Reports an input without a node, and records one from a later node, unless it is the back edge of a loop."""
        producer = self.body.get(source)
        if producer is None:
            self.report("input", node.name, f"node {node.name}: there is no node {source} for its input {text}")
        elif node.op not in MERGES or producer.op not in NEXT_ITERATIONS:
            self.first_later = min(self.first_later, i)
            self.takers.append(node.name)

    def output(self, who: str, text: str) -> None:
        """Reports an input that refers to a nonexistent output of its node."""
        if text in self.known_outputs:
            return
        self.known_outputs.add(text)
        tensor, source = TensorName.parse(text), node_of(text)
        producer = self.body.get(source)
        types = self.catalog.outputs(producer.op, producer.attrs) if producer is not None else None
        if producer is None or types is None:
            return
        if self.function and ":" not in text:
            types = ()
        elif self.function:
            argument = tensor.argument if tensor.argument is not None else text.rpartition(":")[2]
            types = tuple(t for t in types if t.argument == argument)
        elif tensor.node != source or tensor.argument is not None:  # in a graph a number stands behind the colon
            types = ()
        if tensor.index >= len(types):
            self.report("output", source, f"{who} takes {text}: {source} ({producer.op}) has no such output")

    def count(self, node: Node, op: _Op, data: int) -> None:
        """Reports a node with the wrong number of inputs."""
        wanted = input_count(op.definition, node.attrs) if op.definition is not None else None
        if wanted is not None and wanted != data:
            self.report("inputs", node.name, f"node {node.name}: {node.op} takes {wanted} inputs, {data} are given")

    def constant(self, node: Node) -> None:
        """Reports a constant whose content does not match its type and shape."""
        value = node.proto.attr.get("value")
        try:
            if "value" in node.payloads:
                node.payloads["value"].check_size(scan=self.scan)
            elif value is not None:
                check_size(value.tensor, where="")
        except CorruptFileError as error:
            self.report("constant", node.name, f"constant {node.name}: {error.message.removeprefix(': ')}")

    def results(self) -> None:
        """Reports results of a function without a producer."""
        if not isinstance(self.body, Function):
            return
        for name, text in self.body.proto.ret.items():
            source = node_of(text)
            if source not in self.body and source not in self.arguments:
                self.report("input", name, f"there is no node {source} for its result {name}")
            elif ":" in text:
                self.output(f"result {name}", text)
        for name, source in self.body.proto.control_ret.items():
            if source not in self.body:
                self.report("input", name, f"there is no node {source} for its control result {name}")

    def cycles(self) -> None:
        """Reports cycles of nodes, except those through the ``NextIteration`` of a loop.

        Each cycle contains a node that takes a later one, and no node before the first such node is in a cycle.
        """
        first = self.first_later
        places = {node.name: i for i, node in enumerate(self.body.nodes)}

        def producers(name: str) -> list[str]:
            node = self.body.by_name[name]
            sources = dict.fromkeys(map(node_of, node.proto.input))
            if node.op in MERGES:
                return [s for s in sources if places.get(s, -1) >= first and self.body[s].op not in NEXT_ITERATIONS]
            return [s for s in sources if places.get(s, -1) >= first]

        for ring in find_rings(self.takers, producers):
            shown = [*ring[:_LISTED], *(["..."] if len(ring) > _LISTED else []), ring[0]]
            self.report("cycle", ring[0], f"nodes in a cycle: {' <- '.join(shown)}")
            return
