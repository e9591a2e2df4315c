"""A model while it is edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelKind
from graphscope.core.tensors import TensorName
from graphscope.core.variables.variables import VariableStore
from graphscope.protos import MetaGraphDef

if TYPE_CHECKING:
    from graphscope.core.changes.editor import GraphEditor


@dataclass(frozen=True, slots=True)
class Edited:
    """An edited model.

    Attributes:
        model: as it is now.
        outputs: tensors that must stay, where a person named them.
        names: tensor of the first model -> what it is called now, if that is another name.
        notes: what a person should know of the steps.
    """

    model: Model
    outputs: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def renamed(self, names: Mapping[str, str]) -> Edited:
        """With nodes that have new names, old -> new: the tensors of the first model are followed."""
        following = {old: _move(now, names) for old, now in self.names.items()}
        following |= {
            f"{old}:0": f"{new}:0" for old, new in names.items() if f"{old}:0" not in set(self.names.values())
        }
        return replace(self, names=following, outputs=tuple(_move(name, names) for name in self.outputs))

    def with_graph(self, graph: Graph) -> Edited:
        """With another graph; signatures and collections stay as they are."""
        return replace(self, model=with_parts(self.model, graph))

    def noted(self, text: str) -> Edited:
        """With one more note."""
        return replace(self, notes=(*self.notes, text))


def change_graph(edited: Edited, change: Callable[[GraphEditor], object]) -> Edited:
    """``edited`` after ``change`` of its graph.

    Raises:
        GraphscopeError: the result is not valid.
    """
    with edited.model.graph.edit(edited.model.catalog) as editor:
        change(editor)
    return edited.with_graph(editor.graph)


def with_parts(
    model: Model, graph: Graph, meta: MetaGraphDef | None = None, store: VariableStore | None = None
) -> Model:
    """``model`` with another graph, and other signatures and collections or values where they are given.

    Its graph is in no file any more. What has values and a graph without a meta graph becomes a meta checkpoint.
    """
    files = tuple(file for file in model.files if file.role != "graph")
    values = model.store if store is None else store
    kind = model.kind
    if kind in (ModelKind.GRAPH, ModelKind.EVENT_FILE) and values is not None:
        kind = ModelKind.META_CHECKPOINT
    return model.replace(
        kind=kind,
        files=files,
        loaded_graph=graph,
        meta=model.meta if meta is None else meta,
        store=values,
        store_version="V2" if store is not None else model.store_version,
    )


def _move(tensor: str, names: Mapping[str, str]) -> str:
    parsed = TensorName.parse(tensor)
    return str(parsed._replace(node=names.get(parsed.node, parsed.node)))
