"""Variable names of TensorFlow 2: the object graphs of checkpoints and SavedModels.

Source: ``trackable_object_graph.proto``, ``saved_object_graph.proto``. A checkpoint's keys are paths through Python objects
(``layer/kernel/.ATTRIBUTES/VARIABLE_VALUE``); the names that a person knows stand in the object graph beside them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from graphscope.core.tensors import Shape, shape_of
from graphscope.core.values.dtypes import DataType
from graphscope.named_tuple import NamedTuple
from graphscope.protos import SavedObjectGraph, TrackableObjectGraph

OBJECT_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The checkpoint key whose value, a string scalar, is the serialized ``TrackableObjectGraph``."""

VALUE_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"


class TrackedName(NamedTuple):
    """What a checkpoint's object graph says of one key: the variable's own name, and whether it is an optimizer slot."""

    name: str
    is_slot: bool


class SavedVariable(NamedTuple):
    """A variable of a TF2 SavedModel; ``key`` is ``None`` if the checkpoint's object graph does not lead to it."""

    name: str
    dtype: DataType
    shape: Shape
    trainable: bool
    key: str | None


def tracked_names(objects: TrackableObjectGraph) -> dict[str, TrackedName]:
    """Checkpoint key -> its variable's name; a name that two variables share is replaced by the path of each."""
    slots = set(_optimizer_state(objects))
    found = {}
    for i, node in enumerate(objects.nodes):
        for attribute in node.attributes:
            found[attribute.checkpoint_key] = TrackedName(attribute.full_name, i in slots)
    uses = Counter(tracked.name for tracked in found.values())
    return {
        key: tracked if tracked.name and uses[tracked.name] == 1 else TrackedName(_path(key), tracked.is_slot)
        for key, tracked in found.items()
    }


def keys_by_name(objects: TrackableObjectGraph) -> dict[str, str]:
    """Variable name -> checkpoint key, as ``Saver.restore`` reads object-based checkpoints: of equal names the last counts.

    Source: ``object_graph_key_mapping`` in ``tensorflow/python/training/saver.py``.
    """
    return {a.full_name: a.checkpoint_key for node in objects.nodes for a in node.attributes if a.full_name}


_KERAS_OPTIMIZER = frozenset({"_iterations", "_learning_rate"})
"""Children by which an optimizer of Keras 3 is known; its variables are below it, and the model's under another child."""

OF_THE_MODEL = "_trainable_variables"


def _optimizer_state(objects: TrackableObjectGraph) -> Iterator[int]:
    """Numbers of the nodes that optimizers keep their state in: slots, and what else hangs on an optimizer."""
    for node in objects.nodes:
        yield from (slot.slot_variable_node_id for slot in node.slot_variables)
        children = {child.local_name: child.node_id for child in node.children}
        if node.slot_variables or children.keys() >= _KERAS_OPTIMIZER:
            children.pop(OF_THE_MODEL, None)
            pending = [i for i in children.values() if 0 <= i < len(objects.nodes)]
            yield from pending
            lists = (objects.nodes[i] for i in pending if not objects.nodes[i].attributes)
            yield from (child.node_id for items in lists for child in items.children)


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
    """Saved node -> checkpoint key."""
    pairs = _match(saved, objects)
    for here, there in [*pairs.items(), *_matched_slots(saved, objects, pairs)]:
        if _inside((here, there), len(saved.nodes), len(objects.nodes)):
            for attribute in objects.nodes[there].attributes:
                yield here, attribute.checkpoint_key


def _match(saved: SavedObjectGraph, objects: TrackableObjectGraph) -> dict[int, int]:
    """Walks both graphs from their roots along equal child names: node of one -> node of the other."""
    found = {0: 0} if saved.nodes and objects.nodes else {}
    pending = list(found.items())
    while pending:
        here, there = pending.pop()
        children = {c.local_name: c.node_id for c in objects.nodes[there].children}
        for child in saved.nodes[here].children:
            pair = (child.node_id, children.get(child.local_name, -1))
            if pair[0] not in found and _inside(pair, len(saved.nodes), len(objects.nodes)):
                found[pair[0]] = pair[1]
                pending.append(pair)
    return found


def _matched_slots(
    saved: SavedObjectGraph, objects: TrackableObjectGraph, pairs: Mapping[int, int]
) -> Iterator[tuple[int, int]]:
    """Optimizer slots are no children: an optimizer's slot of one name for matching variables."""
    for here, there in pairs.items():
        slots = {(s.original_variable_node_id, s.slot_name): s for s in objects.nodes[there].slot_variables}
        for slot in saved.nodes[here].slot_variables:
            match = slots.get((pairs.get(slot.original_variable_node_id, -1), slot.slot_name))
            if match is not None:
                yield slot.slot_variable_node_id, match.slot_variable_node_id


def _inside(pair: tuple[int, int], first: int, second: int) -> bool:
    return 0 <= pair[0] < first and 0 <= pair[1] < second
