"""When the nodes of a model run: on load, by a signature, by a method, by the saver, on request, or never.

Source: ``tensorflow/python/saved_model/{loader_impl,load}.py`` (2.21): what a loader runs by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property

from graphscope.analysis.audit.finding import Reach
from graphscope.analysis.ends.savers import saver_nodes
from graphscope.core.graph import Node, reached_functions
from graphscope.core.model import Model
from graphscope.core.signatures import INIT_OP
from graphscope.core.tensors import node_of

_LOADERS = frozenset({"_create_resource", "_initialize", "_destroy_resource", "_create_resource_fn", "__initialize__"})
"""Methods of a SavedModel's objects that ``tf.saved_model.load`` calls by itself."""


class Reached:
    """Determines when a node of a model runs; the earliest :class:`Reach` counts. Computed on demand."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.graph = model.graph

    def of(self, node: str, function: str = "") -> Reach:
        """When ``node`` of the graph, or of library function ``function``, runs."""
        if function:
            return self.functions.get(function, Reach.DEAD)
        return next((reach for reach, names in self._nodes.items() if node in names), Reach.REQUEST)

    @property
    def uncalled(self) -> list[str]:
        """Library functions that no node of the graph calls, directly or through others."""
        called = {function.name for function in reached_functions(self.graph, self.graph.nodes)}
        return [name for name in self.graph.functions if name not in called]

    @cached_property
    def functions(self) -> Mapping[str, Reach]:
        """Library function -> when it runs; functions that nothing calls are left out."""
        found: dict[str, Reach] = {}
        for reach in Reach:
            called = reached_functions(self.graph, self._callers(reach), self._gradients)
            for name in (*(function.name for function in called), *self._outside.get(reach, ())):
                found.setdefault(name, reach)
        return found

    @cached_property
    def _gradients(self) -> Mapping[str, str]:
        """Library function -> the function that computes its gradient, where the library names one."""
        return {g.function_name: g.gradient_func for g in self.graph.header.library.gradient}

    def _callers(self, reach: Reach) -> Iterator[Node]:
        """Nodes that call functions at ``reach``; of those outside the graph, the functions' own."""
        if reach is Reach.REQUEST:
            known = frozenset[str]().union(*self._nodes.values())
            yield from (node for node in self.graph.nodes if node.proto.name not in known)
        else:
            yield from (self.graph.by_name[name] for name in self._nodes.get(reach, ()))
        for name in self._outside.get(reach, ()):
            yield from self.graph.functions[name]

    @cached_property
    def _nodes(self) -> Mapping[Reach, Collection[str]]:
        """When -> the graph's own nodes that run then; the others run on request."""
        meta = self.model.meta
        saved = [meta.saver_def.save_tensor_name, meta.saver_def.restore_op_name]
        saving = self._find_needed(saved) or saver_nodes(self.graph)
        return {
            Reach.LOAD: self._find_needed(self.model.starts(tables=True)),
            Reach.SIGNATURE: self._find_needed(self._list_signed()),
            Reach.SAVER: saving,
        }

    def _find_needed(self, names: Iterable[str]) -> frozenset[str]:
        known = (name for name in map(node_of, names) if name in self.graph)
        return frozenset(self.graph.ancestors(dict.fromkeys(known)))

    def _list_signed(self) -> Iterator[str]:
        for name, signature in self.model.signatures.items():
            if name != INIT_OP:
                yield from (spec.name for specs in signature.outputs.values() for spec in specs)

    @cached_property
    def _outside(self) -> Mapping[Reach, Collection[str]]:
        """When -> functions that the objects of a TensorFlow 2 SavedModel call."""
        if not self.model.meta.HasField("object_graph_def"):
            return {}
        objects = self.model.meta.object_graph_def
        loading: dict[str, None] = {}
        for node in objects.nodes:
            for child in node.children:
                if child.local_name in _LOADERS and 0 <= child.node_id < len(objects.nodes):
                    method = objects.nodes[child.node_id]
                    loading |= dict.fromkeys([*method.function.concrete_functions, *_bare(method)])
        known = self.graph.functions
        methods = [name for name in objects.concrete_functions if name in known]
        return {Reach.LOAD: [name for name in loading if name in known], Reach.METHOD: methods}


def _bare(method: object) -> list[str]:
    bare = getattr(method, "bare_concrete_function", None)
    name = bare.concrete_function_name if bare is not None else ""
    return [name] if name else []
