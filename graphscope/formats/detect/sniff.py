"""Distinguishes GraphDef, MetaGraphDef and SavedModel files by content, in binary and in text."""

from __future__ import annotations

import enum
from collections.abc import Callable

from graphscope.core.patterns import Pattern
from graphscope.core.values.payload import CHUNK_BYTES
from graphscope.errors import CorruptFileError
from graphscope.formats.io.records import is_event_file
from graphscope.formats.io.wire import Cursor, FileSource
from graphscope.named_tuple import NamedTuple


class Content(enum.Enum):
    """The content of a file."""

    GRAPH = "GraphDef"
    META_GRAPH = "MetaGraphDef"
    SAVED_MODEL = "SavedModel"
    STATE = "checkpoint state"
    EVENTS = "event file"
    UNKNOWN = "unknown"


class Sniffed(NamedTuple):
    """The type of message in a file, and whether it is text."""

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
_LEADING = Pattern(rb"\s*(#?)")
_NEWLINE = Pattern(rb"\n")
_FIRST_FIELD = Pattern(rb"([a-z_]+)\s*[:{<]")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OP = Pattern(rb"[A-Za-z_][\w.>\-/]*\Z")
_HEAD = 1 << 16
_LONGEST_TAG_AND_SIZE = 20


def sniff(source: FileSource) -> Sniffed:
    """The content of ``source``, from its first fields; ``UNKNOWN`` for anything else."""
    content = _TEXT_FIELDS.get(first_text_field(source))
    if content is not None:
        return Sniffed(content, True)
    whole = _Region(source, source.read(0, min(_HEAD, source.size)), 0, source.size)
    return Sniffed(Content.EVENTS if is_event_file(whole.head) else _binary(whole), False)


def first_text_field(source: FileSource) -> str:
    """The name of the first field, if ``source`` holds a message as text, whatever comments come first; else empty."""
    start = _text_start(source)
    name = _FIRST_FIELD.match(source.read(start, min(_HEAD, source.size - start)))
    return name[1].decode() if name else ""


def _text_start(source: FileSource) -> int:
    """Where the first byte lies that is neither white space nor in a comment. Reads no more than that far."""
    start = len(BYTE_ORDER_MARK) if source.read(0, min(3, source.size)) == BYTE_ORDER_MARK else 0
    in_comment = False
    for chunk in source.chunks(start, source.size - start, min(_HEAD, CHUNK_BYTES)):
        at = 0
        while at < len(chunk):
            if in_comment:
                end = _NEWLINE.compiled.search(chunk, at)
                at, in_comment = (end.end(), False) if end else (len(chunk), True)
                continue
            blank = _LEADING.compiled.match(chunk, at)
            at = blank.end() if blank else at
            in_comment = bool(blank and blank[1])
            if not in_comment and at < len(chunk):
                return start + at
        start += len(chunk)
    return source.size


class _Region(NamedTuple):
    """A message, or a part of one, that is in a file from byte ``start`` to ``end``: nothing is read before it is needed.

    Attributes:
        head: the first bytes of the file, read already.
    """

    source: FileSource
    head: bytes
    start: int
    end: int

    def read(self, offset: int, size: int) -> bytes:
        """Up to ``size`` bytes from byte ``offset`` of the file, none beyond the region."""
        end = min(offset + size, self.end)
        return self.head[offset:end] if end <= len(self.head) else self.source.read(offset, end - offset)

    @property
    def body(self) -> bytes:
        """Its first bytes: more than a name of an op ever has."""
        return self.read(self.start, _HEAD)

    def fields(self, limit: int) -> Fields:
        """As many of the first fields as can be read; one that runs on beyond the end is cut short."""
        found: Fields = []
        at = self.start
        try:
            while at < self.end and len(found) < limit:
                cursor = Cursor(self.read(at, _LONGEST_TAG_AND_SIZE), "")
                number, wire_type = divmod(cursor.uvarint(), 8)
                if wire_type not in (0, 2):
                    return []
                value = cursor.uvarint()
                at += cursor.at
                end = min(at + value, self.end) if wire_type == 2 else at
                found.append(Field(number, wire_type, value, _Region(self.source, self.head, at, end)))
                at = end
        except CorruptFileError:
            pass  # the file ends within a field: what was read before it is enough
        return found


class Field(NamedTuple):
    """One field of a message: its number and wire type, the value of a varint or the size stated, and where its body lies."""

    number: int
    wire_type: int
    value: int
    region: _Region

    @property
    def kind(self) -> tuple[int, int]:
        """Number and wire type."""
        return self.number, self.wire_type


Fields = list[Field]


def _binary(whole: _Region) -> Content:
    fields = whole.fields(4)
    for content, test in _TESTS:
        if test(fields):
            return content
    return Content.UNKNOWN


def _is_saved_model(fields: Fields) -> bool:
    """``saved_model_schema_version`` 1, then meta graphs."""
    if not fields or fields[0].kind != (1, 0) or fields[0].value != 1:
        return False
    return len(fields) == 1 or _is_unversioned(fields[1:]) or (_has_meta_graphs(fields[1:]) and not fields[1].value)


def _is_unversioned(fields: Fields) -> bool:
    """Meta graphs alone: TensorFlow does not ask for the version, and TensorFlow Hub did not write it."""
    return _has_meta_graphs(fields) and _is_meta_graph(fields[0].region.fields(4))


def _has_meta_graphs(fields: Fields) -> bool:
    return bool(fields) and all(f.kind == (2, 2) for f in fields)


_GRAPH_FIELDS = ((1, 2), (2, 2), (3, 0), (4, 2), (5, 2))


def _is_graph(fields: Fields) -> bool:
    """Nodes first, or only a library or versions; unknown fields may follow."""
    if not fields or any(f.kind not in _GRAPH_FIELDS and (f.number <= 5 or f is fields[0]) for f in fields):
        return False
    first = fields[0]
    if first.number == 1:
        return _is_node(first.region)
    if first.number == 4:
        return not first.region.body.startswith(b"\n")  # a VersionDef starts with a number, a collection with its name
    return first.number == 3 or (first.number == 2 and _is_library(first.region))


def _is_node(region: _Region) -> bool:
    """A name, whatever it is made of, and an op, which is an identifier."""
    fields = {f.number: f for f in region.fields(2) if f.wire_type == 2}
    return 1 in fields and fields[1].value > 0 and 2 in fields and bool(_OP.match(fields[2].region.body))


def _is_library(region: _Region) -> bool:
    functions = region.fields(1)
    if not functions or functions[0].number != 1:
        return not functions
    signature = functions[0].region.fields(1)
    if not signature or signature[0].number != 1:
        return False
    name = signature[0].region.fields(1)
    return bool(name) and name[0].number == 1 and bool(_OP.match(name[0].region.body))


def _is_meta_graph(fields: Fields) -> bool:
    """``meta_info_def`` (with a TensorFlow version, tags or an op list), a graph in field 2, or what only it has."""
    if not fields or any(f.number not in range(1, 8) or f.wire_type != 2 for f in fields):
        return False
    first = fields[0]
    if first.number == 1:
        inner = first.region.fields(4)
        if not inner:
            return _is_meta_graph(fields[1:])
        return not _is_node(first.region) and all(f.number in range(1, 9) for f in inner)
    return first.number > 2 or _is_graph(first.region.fields(2))


_TESTS: tuple[tuple[Content, Callable[[Fields], bool]], ...] = (
    (Content.SAVED_MODEL, _is_saved_model),
    (Content.GRAPH, _is_graph),
    (Content.META_GRAPH, _is_meta_graph),
    (Content.SAVED_MODEL, _is_unversioned),
)
"""In this order: what a message without a version may be taken for comes first."""
