"""Tells a GraphDef, a MetaGraphDef and a SavedModel apart by content, in binary and in text."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass

from graphscope.errors import CorruptFileError
from graphscope.formats.records import is_event_file
from graphscope.formats.wire import Cursor, Source


class Content(enum.Enum):
    """What a file holds."""

    GRAPH = "GraphDef"
    META_GRAPH = "MetaGraphDef"
    SAVED_MODEL = "SavedModel"
    STATE = "checkpoint state"
    EVENTS = "event file"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sniffed:
    """The message that a file holds, and whether as text."""

    content: Content
    is_text: bool


_TEXT_FIELDS = {
    **dict.fromkeys(("node", "versions", "library", "version"), Content.GRAPH),
    **dict.fromkeys(
        (
            "meta_info_def",
            "graph_def",
            "saver_def",
            "collection_def",
            "signature_def",
            "asset_file_def",
            "object_graph_def",
        ),
        Content.META_GRAPH,
    ),
    **dict.fromkeys(("saved_model_schema_version", "meta_graphs"), Content.SAVED_MODEL),
    **dict.fromkeys(
        ("model_checkpoint_path", "all_model_checkpoint_paths", "all_model_checkpoint_timestamps"), Content.STATE
    ),
}
_FIRST_FIELD = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s|#[^\n]*(?:\n|\Z))*([a-z_]+)\s*[:{<]")
_OP = re.compile(rb"[A-Za-z_][\w.>\-/]*\Z")
_HEAD = 1 << 16


def sniff(source: Source) -> Sniffed:
    """What ``source`` holds, from its first fields; ``UNKNOWN`` for anything else."""
    head = source.read(0, min(_HEAD, source.size))
    text = _FIRST_FIELD.match(head)
    if text is not None:
        content = _TEXT_FIELDS.get(text[1].decode())
        if content is not None:
            return Sniffed(content, True)
    return Sniffed(Content.EVENTS if is_event_file(head) else _binary(head), False)


def _binary(head: bytes) -> Content:
    fields = _fields(head, limit=4)
    for content, test in _TESTS:
        if test(fields):
            return content
    return Content.UNKNOWN


Fields = list[tuple[int, int, bytes]]
"""Field number, wire type and (for wire type 2) body of the first fields of a message."""


def _fields(data: bytes, limit: int) -> Fields:
    """As many of the first fields as can be read; the body of one that runs on beyond ``data`` is cut short."""
    cursor = Cursor(data, "")
    found: Fields = []
    try:
        while cursor.at < cursor.end and len(found) < limit:
            tag = cursor.uvarint()
            number, wire_type = tag >> 3, tag & 7
            if wire_type == 0:
                value = cursor.uvarint()
                found.append((number, 0, str(value).encode()))
            elif wire_type == 2:
                size = cursor.uvarint()
                found.append((number, 2, cursor.take(min(size, cursor.end - cursor.at))))
            else:
                return []
    except CorruptFileError:
        pass  # the head ends within a field: what was read before it is enough
    return found


def _is_saved_model(fields: Fields) -> bool:
    """``saved_model_schema_version`` 1, then a meta graph; the version may be absent."""
    if fields[:1] == [(1, 0, b"1")] and all(f[:2] == (2, 2) for f in fields[1:]):
        return len(fields) == 1 or _is_meta_graph(_fields(fields[1][2], 4)) or not fields[1][2]
    return False


_GRAPH_FIELDS = ((1, 2), (2, 2), (3, 0), (4, 2), (5, 2))


def _is_graph(fields: Fields) -> bool:
    """Nodes first, or only a library or versions; fields that nobody knows may follow."""
    if not fields or any(f[:2] not in _GRAPH_FIELDS and (f[0] <= 5 or f is fields[0]) for f in fields):
        return False
    number, _, body = fields[0]
    if number == 1:
        return _is_node(body)
    if number == 4:
        return not body.startswith(b"\n")  # a VersionDef starts with a number, a collection with its name
    return number == 3 or (number == 2 and _is_library(body))


def _is_node(body: bytes) -> bool:
    """A name, whatever it is made of, and an op, which is an identifier."""
    fields = {n: b for n, wire_type, b in _fields(body, 2) if wire_type == 2}
    return bool(fields.get(1)) and bool(_OP.match(fields.get(2, b"")))


def _is_library(body: bytes) -> bool:
    functions = _fields(body, 1)
    if not functions or functions[0][0] != 1:
        return not functions
    signature = _fields(functions[0][2], 1)
    if not signature or signature[0][0] != 1:
        return False
    name = _fields(signature[0][2], 1)
    return bool(name) and name[0][0] == 1 and bool(_OP.match(name[0][2]))


def _is_meta_graph(fields: Fields) -> bool:
    """``meta_info_def`` (with a TensorFlow version, tags or an op list), a graph in field 2, or what only it has."""
    if not fields or any(n not in range(1, 8) or w != 2 for n, w, _ in fields):
        return False
    number, _, body = fields[0]
    if number == 1:
        inner = _fields(body, 4)
        return bool(inner) and not _is_node(body) and all(n in range(1, 9) for n, _, _ in inner)
    return number > 2 or _is_graph(_fields(body, 2))


_TESTS: tuple[tuple[Content, Callable[[Fields], bool]], ...] = (
    (Content.SAVED_MODEL, _is_saved_model),
    (Content.GRAPH, _is_graph),
    (Content.META_GRAPH, _is_meta_graph),
)
