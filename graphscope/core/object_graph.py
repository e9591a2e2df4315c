"""Variable names of TensorFlow 2: the object graphs of checkpoints and SavedModels.

Source: ``trackable_object_graph.proto``, ``saved_object_graph.proto``. A checkpoint's keys are paths through Python objects
(``layer/kernel/.ATTRIBUTES/VARIABLE_VALUE``); the names that a person knows stand in the object graph beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from graphscope.core.dtypes import DataType
from graphscope.core.tensors import Shape, shape_of
from graphscope.protos import SavedObjectGraph, TrackableObjectGraph

OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The checkpoint key whose value, a string scalar, is the serialised ``TrackableObjectGraph``."""

VALUE_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


@dataclass(frozen=True, slots=True)
class TrackedName:
    """What a checkpoint's object graph says of one key: the variable's own name, and whether it is an optimizer slot."""

    name: str
    is_slot: bool


@dataclass(frozen=True, slots=True)
class SavedVariable:
    """A variable of a TF2 SavedModel; ``key`` is ``None`` where the checkpoint's object graph does not lead to it."""

    name: str
    dtype: DataType
    shape: Shape
    trainable: bool
    key: str | None


def tracked_names(objects: TrackableObjectGraph) -> dict[str, TrackedName]:
    """Checkpoint key -> its variable's name; a name that two variables share is replaced by the path of each."""
    slots = {slot.slot_variable_node_id for node in objects.nodes for slot in node.slot_variables}
    found = {}
    for i, node in enumerate(objects.nodes):
        for attribute in node.attributes:
            found[attribute.checkpoint_key] = TrackedName(attribute.full_name, i in slots)
    uses = Counter(tracked.name for tracked in found.values())
    return {
        key: tracked if tracked.name and uses[tracked.name] == 1 else TrackedName(_path(key), tracked.is_slot)
        for key, tracked in found.items()
    }


def _path(key: str) -> str:
    return key.removesuffix(VALUE_SUFFIX)


def saved_variables(saved: SavedObjectGraph, objects: TrackableObjectGraph | None) -> list[SavedVariable]:
    """The variables of a SavedModel, each with the checkpoint key that the same path of children leads to."""
    keys = dict(_keys(saved, objects)) if objects is not None else {}
    return [
        SavedVariable(
            node.variable.name or f"variable_{i}",
            DataType.of(node.variable.dtype),
            shape_of(node.variable.shape),
            node.variable.trainable,
            keys.get(i),
        )
        for i, node in enumerate(saved.nodes)
        if node.WhichOneof("kind") == "variable"
    ]


def _keys(saved: SavedObjectGraph, objects: TrackableObjectGraph) -> Iterator[tuple[int, str]]:
    """Walks both graphs from their roots along equal child names: (saved node, checkpoint key)."""
    seen = {(0, 0)} if saved.nodes and objects.nodes else set()
    pending = list(seen)
    while pending:
        here, there = pending.pop()
        for attribute in objects.nodes[there].attributes:
            yield here, attribute.checkpoint_key
        children = {c.local_name: c.node_id for c in objects.nodes[there].children}
        for child in saved.nodes[here].children:
            pair = (child.node_id, children.get(child.local_name, -1))
            if pair not in seen and _inside(pair, len(saved.nodes), len(objects.nodes)):
                seen.add(pair)
                pending.append(pair)


def _inside(pair: tuple[int, int], first: int, second: int) -> bool:
    return 0 <= pair[0] < first and 0 <= pair[1] < second
