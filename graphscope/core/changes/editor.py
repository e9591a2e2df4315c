"""Changes to a graph that are applied together, or not at all.

A tensor is written as in its body: ``node:1`` in a graph, ``node:argument:0`` in a library function. A node of a library
function is written ``function/node``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from graphscope.core.attr_text import attr_value
from graphscope.core.changes.build import constant, make_node, type_attr, with_inputs
from graphscope.core.changes.draft import Draft
from graphscope.core.checks.frames import refuse_mixed_frames
from graphscope.core.checks.types import find_wrong_types
from graphscope.core.checks.unconditional import unconditional_nodes
from graphscope.core.checks.validity import find_problems
from graphscope.core.graph import Body, Function, Graph, Node, called_functions
from graphscope.core.names import is_node_name
from graphscope.core.ops.sets import ENTERS, SWITCHES
from graphscope.core.ops.table import OpCatalog, input_types, registered_ops
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import GraphscopeError, UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.protos import AttrValue

_LISTED = 8


def refuse_invalid_names(before: Graph, after: Graph) -> None:
    """Refuses a graph with a node whose name is new and not one that TensorFlow takes.

    Raises:
        GraphscopeError: there is such a node.
    """
    for name, body in (("", after), *after.functions.items()):
        known = before if not name else before.functions.get(name)
        for new in body.names:
            if (known is None or new not in known) and not is_node_name(new, is_inner=bool(name)):
                raise GraphscopeError(
                    f"{new!r} is not a valid name for a node: TensorFlow allows letters, digits and . _ - / >, and a letter,"
                    " a digit or a dot at the beginning"
                )


def _refuse_unwritable(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise GraphscopeError(f"{name!r} is not a valid name for a node: {error.reason}") from error


class GraphEditor:
    """Edits a graph; created by :meth:`graphscope.Graph.edit`.

    ::

        with graph.edit() as e:
            e.bypass("dropout/mul")
        frozen = e.graph

    Errors are raised when the block ends; until then, and if the block fails, :attr:`graph` is the original graph.

    Args:
        graph: the graph to edit; it is not modified.
        catalog: the ops that the graph may use; by default TensorFlow's and those of its library.

    Attributes:
        graph: the result.
    """

    def __init__(self, graph: Graph, catalog: OpCatalog | None = None) -> None:
        self.graph = graph
        self._catalog = catalog or graph.catalog()
        self._main = Draft(graph, self._catalog)
        self._drafts: dict[str, Draft] = {"": self._main}

    def __enter__(self) -> GraphEditor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.graph = self.checked()

    def rename(self, names: Mapping[str, str]) -> None:
        """Renames nodes, and updates inputs, colocation, and shared names that equal a node's name.

        Args:
            names: node -> new name. Nodes may swap names.

        Raises:
            UnknownNameError: there is no such node.
            GraphscopeError: two nodes would have the same name, or one that no file can hold.
        """
        for new in names.values():
            _refuse_unwritable(new)
        for function, inner in self._by_draft(names).items():
            self._drafts[function].rename(inner)

    def bypass(self, name: str) -> None:
        """Removes a node: its consumers take its first input of the same type, and control inputs move to that node.

        Raises:
            UnknownNameError: there is no such node.
            GraphscopeError: no input can replace an output that is used.
        """
        draft, inner = self._find(name)
        node = draft[inner]
        used = draft.used_outputs(inner)
        types = self._types(node)
        source = next(iter(node.data_inputs()), None)
        if used - {0} or (used and source is None):
            what = "gives several tensors that are used" if used - {0} else "has no input"
            raise GraphscopeError(f"node {name} ({node.op}) {what}: nothing can stand for it")
        if source is not None and types is not None:
            source = next((t for t, d in zip(node.data_inputs(), types[0]) if d is types[1]), source)
        draft.splice(inner, source)

    def rewire(self, consumer: str, index: int, tensor: str) -> None:
        """Connects data input ``index`` of ``consumer`` to ``tensor``.

        Raises:
            UnknownNameError: there is no such node.
            GraphscopeError: the node has fewer inputs.
        """
        draft, inner = self._find(consumer)
        node = draft[inner]
        data = node.data_inputs()
        if not 0 <= index < len(data):
            raise GraphscopeError(f"node {consumer} ({node.op}) has {len(data)} data inputs, no input {index}")
        data[index] = self._spell(draft, tensor)
        draft.put(with_inputs(node, [*data, *(t for t in node.inputs if t.startswith("^"))]))

    def insert_after(self, tensor: str, op: str, *, name: str = "", **attrs: Any) -> str:
        """Inserts a node of ``op`` after ``tensor``: all consumers of the tensor take its first output instead.

        Args:
            op: an op with a single input.
            name: of the new node; by default ``NODE/OP``, where ``NODE`` is the tensor's node.
            attrs: attributes, as messages or as text; type attributes are derived from the tensor.

        Returns:
            The name of the new node.

        Raises:
            UnknownNameError: there is no such node, op or attribute.
            GraphscopeError: the op takes more than one input, or an attribute is missing or does not fit.
        """
        draft, inner = self._find_source(node_of(tensor))
        source = self._spell(draft, tensor)
        definition = self._catalog.get(op)
        if definition is None:
            raise UnknownNameError("op", op, registered_ops())
        if len(definition.input_arg) != 1 or definition.input_arg[0].number_attr:
            raise GraphscopeError(f"{op} does not take a single input: it cannot be put behind a tensor")
        known: dict[str, AttrValue] = {key: attr_value(definition, key, value) for key, value in attrs.items()}
        argument = definition.input_arg[0]
        if argument.type_attr and argument.type_attr not in known:
            known[argument.type_attr] = type_attr(draft.dtype(source))
        missing = [a.name for a in definition.attr if a.name not in known and not a.HasField("default_value")]
        if missing:
            raise GraphscopeError(f"{op} needs its attribute {missing[0]} ({op}@TENSOR,{missing[0]}=VALUE)")
        new = draft.free_name(name or f"{inner}/{op}")
        made = make_node(new, op, [source], known)
        outputs = self._catalog.outputs(op, made.attrs) or ()
        taken = f"{new}:{outputs[0].argument}:0" if draft.is_function and outputs else new
        draft.replace_output(inner, draft.index(source), taken)
        draft.put(made, after=inner if inner in draft else "")
        return new

    def replace(self, name: str, value: Payload | NDArray[Any]) -> None:
        """Replaces a node with a constant, which keeps only its control inputs.

        Within a loop or a branch, it also waits for what the node took, so that it runs when the node did.

        Raises:
            UnknownNameError: there is no such node.
            GraphscopeError: further outputs of the node are used, or its output is not an array.
            TypeError: TensorFlow has no type for the array's.
        """
        import numpy as np

        value = value if isinstance(value, Payload) else np.asarray(value)
        draft, inner = self._find(name)
        node = draft[inner]
        if draft.used_outputs(inner) - {0}:
            raise GraphscopeError(
                f"node {name} ({node.op}) gives several tensors that are used: a constant cannot replace them"
            )
        draft.replace_output(inner, 0, f"{inner}:output:0" if draft.is_function else inner)
        waits = dict.fromkeys([*(t for t in node.inputs if t.startswith("^")), *self._pins(draft, node)])
        draft.put(constant(inner, value, list(waits)))

    def _pins(self, draft: Draft, node: Node) -> list[str]:
        """The control inputs that let a node without data inputs run when ``node`` does; none outside loops and branches."""
        body = Body(draft.nodes)
        if (ENTERS | SWITCHES).isdisjoint(body.ops):
            return []
        if node.name in unconditional_nodes(body, frozenset(body.ancestors([node.name]))):
            return []
        return [f"^{self._alive(draft, text)}" for text in node.data_inputs()]

    def _alive(self, draft: Draft, text: str) -> str:
        """A node that runs exactly if the tensor ``text`` has a value: a ``Switch`` itself always runs."""
        source = draft.get(node_of(text))
        if source is None or source.op not in SWITCHES:
            return node_of(text)
        name = draft.free_name(f"{source.name}/alive")
        draft.put(make_node(name, "Identity", [text], {"T": type_attr(draft.dtype(text))}), after=source.name)
        return name

    def put(self, node: Node) -> None:
        """Adds a node to the graph, or replaces the node with the same name."""
        self._main.put(node)

    def remove(self, name: str) -> None:
        """Deletes a node; remaining consumers are an error when the block ends.

        Raises:
            UnknownNameError: there is no such node.
        """
        draft, inner = self._find(name)
        draft.delete(inner)

    def map_nodes(self, change: Callable[[Node], Node]) -> None:
        """Replaces each node, also in library functions, with the result of ``change``, which must keep its name."""
        for function in self.graph.functions:
            self._draft(function)
        for draft in self._drafts.values():
            for node in draft.nodes:
                changed = change(node)
                if changed is not node:
                    draft.put(changed, reshapes=False)

    def dtype(self, name: str) -> DataType:
        """The element type of the first output of a node; ``INVALID`` if it is unknown.

        Raises:
            UnknownNameError: there is no such node.
        """
        draft, inner = self._find(name)
        return draft.dtype(draft.spell(inner))

    def names(self) -> list[str]:
        """The current names of all nodes, those of library functions as ``function/node``."""
        inner = (f"{name}/{node.name}" for name in self.graph.functions for node in self._draft(name).nodes)
        return [*(node.name for node in self._main.nodes), *inner]

    def checked(self) -> Graph:
        """The edited graph.

        Raises:
            GraphscopeError: it is invalid although the original graph was valid, types do not match, or a node is in two loops.
        """
        self._reshape_calls()
        functions = [self._build(function) for function in self.graph.functions.values()]
        graph = self._main.built(self.graph.with_functions(functions))
        assert isinstance(graph, Graph)
        refuse_invalid_names(self.graph, graph)
        known = {problem.text for problem in find_problems(self.graph, self._catalog)}
        problems = [p.text for p in find_problems(graph, self._catalog) if p.text not in known]
        problems += [text for function in self._drafts for text in self._wrong_types(function, graph)]
        if problems:
            more = f"\nand {len(problems) - _LISTED:,} more" if len(problems) > _LISTED else ""
            raise GraphscopeError("\n".join(["the edited graph is not valid", *problems[:_LISTED]]) + more)
        refuse_mixed_frames(graph)
        return graph

    def _reshape_calls(self) -> None:
        """What calls a function that was changed may give other shapes."""
        changed = {name for name, draft in self._drafts.items() if name and draft.reshaped}
        for node in self._main.nodes if changed else ():
            if not changed.isdisjoint(called_functions([node])):
                self._main.reshaped[node.name] = None

    def _build(self, function: Function) -> Function:
        draft = self._drafts.get(function.name)
        built = function if draft is None else draft.built(function)
        assert isinstance(built, Function)
        return built

    def _wrong_types(self, function: str, graph: Graph) -> list[str]:
        """Inputs of changed nodes, and of what takes these, whose type has become another than that of their op."""
        draft = self._drafts[function]
        among = {*draft.touched, *(taker.name for name in draft.touched for taker in draft.takers(name))}
        before, after = (g.functions[function] if function else g for g in (self.graph, graph))
        found = list(find_wrong_types(after, self._catalog, among))
        known = set(find_wrong_types(before, self._catalog, among)) if found else ()
        return [text for name, text in found if (name, text) not in known]

    def _types(self, node: Node) -> tuple[list[DataType], DataType] | None:
        """The types of the data inputs and of the first output; ``None`` if the op is unknown."""
        definition = self._catalog.get(node.op)
        outputs = self._catalog.outputs(node.op, node.attrs)
        return (input_types(definition, node.attrs), outputs[0].dtype) if definition is not None and outputs else None

    def _draft(self, function: str) -> Draft:
        if function not in self._drafts:
            self._drafts[function] = Draft(self.graph.functions[function], self._catalog)
        return self._drafts[function]

    def _find(self, name: str) -> tuple[Draft, str]:
        """The body that contains a node, and the node's name in it."""
        if name in self._main:
            return self._main, name
        found = next(((draft, inner) for draft, inner in self._inside(name) if inner in draft), None)
        if found is None:
            raise UnknownNameError("node", name, (node.name for node in self._main.nodes))
        return found

    def _find_source(self, name: str) -> tuple[Draft, str]:
        """As :meth:`_find`, for the arguments of library functions too."""
        found = (pair for pair in self._inside(name) if pair[0].has_source(pair[1]))
        return (self._main, name) if name in self._main else next(found, None) or self._find(name)

    def _inside(self, name: str) -> Iterator[tuple[Draft, str]]:
        """The library functions that a name may begin with, and the rest of it."""
        for i, character in enumerate(name):
            if character == "/" and name[:i] in self.graph.functions:
                yield self._draft(name[:i]), name[i + 1 :]

    def _spell(self, draft: Draft, tensor: str) -> str:
        """``tensor`` as written in the inputs of nodes of ``draft``.

        Raises:
            UnknownNameError: it has no such node.
        """
        if draft.has_source(tensor):
            return draft.spell(tensor)
        found, inner = self._find_source(node_of(tensor))
        if found is not draft:
            raise GraphscopeError(f"{tensor} is in another graph or function: a node can only take tensors of its own")
        return draft.spell(inner + tensor[len(node_of(tensor)) :])

    def _by_draft(self, names: Mapping[str, str]) -> dict[str, dict[str, str]]:
        """Function -> old name -> new name, both without the function's name."""
        found: dict[str, dict[str, str]] = {}
        functions = {id(draft): function for function, draft in self._drafts.items()}
        for name, new in names.items():
            draft, inner = self._find(name)
            functions = functions if id(draft) in functions else {id(d): f for f, d in self._drafts.items()}
            function = functions[id(draft)]
            found.setdefault(function, {})[inner] = new.removeprefix(f"{function}/") if function else new
        return found
