"""Graph collections, decoded as far as their names say what they hold.

Source: ``tensorflow/python/framework/ops.py`` (``GraphKeys``) and ``meta_graph.proto`` (``CollectionDef``).
"""

from __future__ import annotations

from collections.abc import Mapping

from graphscope import protos
from graphscope.named_tuple import NamedTuple
from graphscope.protos import CollectionDef, DecodeError, Message, MetaGraphDef

VARIABLE_COLLECTIONS = (
    "variables",
    "trainable_variables",
    "local_variables",
    "model_variables",
    "moving_average_variables",
    "metric_variables",
    "global_step",
    "concatenated_variables",
)
_MESSAGES = {
    **dict.fromkeys(VARIABLE_COLLECTIONS, "VariableDef"),
    "queue_runners": "QueueRunnerDef",
    "cond_context": "CondContextDef",
    "while_context": "WhileContextDef",
}


class Collection(NamedTuple):
    """One collection of a meta graph.

    Attributes:
        name: its key.
        kind: what it holds: ``node``, ``bytes``, ``int64``, ``float``, ``any``, or the name of a message type.
        values: node and tensor names, numbers, decoded messages, or raw bytes if nothing says what they are.
    """

    name: str
    kind: str
    values: tuple[str | bytes | int | float | Message, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it lists: nodes, or the names of variables and queues in decoded messages."""
        return tuple(n for n in map(_name, self.values) if n)


def collections_of(meta: MetaGraphDef) -> dict[str, Collection]:
    """The collections by name, sorted."""
    return {name: _decode(name, meta.collection_def[name]) for name in sorted(meta.collection_def)}


def _decode(name: str, proto: CollectionDef) -> Collection:
    which = proto.WhichOneof("kind")
    if which is None:
        return Collection(name, "empty", ())
    kind = which.removesuffix("_list")
    values = tuple(getattr(proto, which).value)
    if kind == "bytes" and name in _MESSAGES:
        decoded = _messages(_MESSAGES[name], values)
        if decoded is not None:
            return Collection(name, _MESSAGES[name], decoded)
    return Collection(name, kind, values)


def _messages(message: str, values: tuple[bytes, ...]) -> tuple[Message, ...] | None:
    """All values as messages; ``None`` if one is something else: users may call a collection what they like."""
    kind: type[Message] = getattr(protos, message)
    try:
        return tuple(kind.FromString(v) for v in values)
    except DecodeError:
        return None


def _name(value: str | bytes | int | float | Message) -> str:
    if isinstance(value, str):
        return value
    for attribute in ("variable_name", "queue_name", "context_name"):
        found = getattr(value, attribute, None)
        if isinstance(found, str):
            return found
    return ""


def variable_names(collections: Mapping[str, Collection], name: str) -> frozenset[str]:
    """Names of the variable ops that collection ``name`` lists, without ``:0``."""
    found = collections.get(name)
    return frozenset(n.partition(":")[0] for n in found.names) if found else frozenset()
