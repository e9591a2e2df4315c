"""Which message a file holds, byte by byte: the first fields decide, and what is cut short still tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphscope.errors import NotTensorFlowError
from graphscope.formats.detect.neighbours import refuse_neighbours
from graphscope.formats.detect.sniff import Content, first_text_field, sniff
from graphscope.formats.io.wire import FileSource
from tests.support.graph_bytes import field
from tests.support.tables import varint

GRAPH, META, SAVED = Content.GRAPH, Content.META_GRAPH, Content.SAVED_MODEL


def number(key: int, value: int) -> bytes:
    return varint(key << 3) + varint(value)


def sniffed(content: bytes, directory: Path) -> tuple[Content, bool]:
    (directory / "f").write_bytes(content)
    found = sniff(FileSource(directory / "f"))
    return found.content, found.is_text


NODE = field(1, b"n") + field(2, b"Const")
FUNCTION = field(1, field(1, field(1, b"fn")))
VERSIONS = number(1, 987)
A_GRAPH = field(1, NODE) + field(4, VERSIONS)
META_INFO = field(5, b"2.21.0")
A_META = field(1, META_INFO) + field(2, A_GRAPH)
OP_LIST = field(2, field(1, field(1, b"Const")))

# What is no node or function may still be what another message has in its place: information of a meta graph.
BINARY: dict[str, tuple[bytes, Content]] = {
    "nodes": (A_GRAPH, GRAPH),
    "one node": (field(1, NODE), GRAPH),
    "nodes, cut within the second": (field(1, NODE) + field(1, NODE)[:-3], GRAPH),
    "versions alone": (field(4, VERSIONS), GRAPH),
    "no versions": (field(4, b""), GRAPH),
    "an old version number": (number(3, 21), GRAPH),
    "a library": (field(2, FUNCTION), GRAPH),
    "an empty library": (field(2, b""), GRAPH),
    "a library of gradients": (field(2, field(2, b"abc")), META),
    "a function without a signature": (field(2, field(1, field(3, b"x"))), SAVED),
    "a function whose third field is like a signature": (field(2, field(1, field(3, field(1, b"fn")))), SAVED),
    "a function without a name": (field(2, field(1, field(1, field(2, b"x")))), SAVED),
    "a function with a bad name": (field(2, field(1, field(1, field(1, b"a b")))), SAVED),
    "a node, then a newer field": (field(1, NODE) + field(9, b"new"), GRAPH),
    "a node, then debug information": (field(1, NODE) + field(5, b"\x0a\x01x"), GRAPH),
    "a node, then an old version number": (field(1, NODE) + number(3, 21), GRAPH),
    "a node, then a library": (field(1, NODE) + field(2, FUNCTION), GRAPH),
    "a node, then a number for a library": (field(1, NODE) + number(2, 1), Content.UNKNOWN),
    "a newer field first": (field(9, b"new") + field(1, NODE), Content.UNKNOWN),
    "a node, then a field of the wrong type": (field(1, NODE) + number(4, 1), Content.UNKNOWN),
    "debug information": (field(5, b"\x0a\x01x"), META),
    "a node without an op": (field(1, field(1, b"n")), META),
    "a node without a name": (field(1, field(2, b"Const")), META),
    "a node of an empty name": (field(1, field(1, b"") + field(2, b"Const")), META),
    "a node of an odd name": (field(1, field(1, b"\xff \n") + field(2, b"Const")), GRAPH),
    "a node of a scoped op": (field(1, field(1, b"n") + field(2, b"Own>Op.v-1/x")), GRAPH),
    "a node of no op": (field(1, field(1, b"n") + field(2, b"1st")), META),
    "a node of two words": (field(1, field(1, b"n") + field(2, b"a b")), META),
    "a node of a line": (field(1, field(1, b"n") + field(2, b"Const\n")), META),
    "a node whose name comes second": (field(1, field(2, b"Const") + field(1, b"n")), GRAPH),
    "a node whose op comes third": (field(1, field(1, b"n") + field(3, b"x") + field(2, b"Const")), META),
    "a meta graph": (A_META, META),
    "a meta graph of tags": (field(1, field(4, b"serve")) + field(2, A_GRAPH), META),
    "a meta graph of an op list": (field(1, OP_LIST) + field(2, A_GRAPH), META),
    "a meta graph of empty information": (field(1, b"") + field(2, A_GRAPH), META),
    "empty information alone": (field(1, b""), Content.UNKNOWN),
    "a graph without information": (field(2, A_GRAPH), META),
    "a graph without information, of a library": (field(2, field(2, FUNCTION)), META),
    "a saver": (field(3, field(1, b"save/Const:0")), META),
    "a saver, then a number": (field(3, b"x") + number(4, 1), Content.UNKNOWN),
    "a collection": (field(4, field(1, b"variables") + field(2, b"")), META),
    "objects": (field(7, b"x"), META),
    "beyond a meta graph": (field(8, b"x"), Content.UNKNOWN),
    "information of no such field": (field(1, field(9, b"x")) + field(2, A_GRAPH), Content.UNKNOWN),
    "information of its last field": (field(1, field(8, b"x")) + field(2, A_GRAPH), META),
    "a saved model": (number(1, 1) + field(2, A_META), SAVED),
    "a saved model of two": (number(1, 1) + field(2, A_META) * 2, SAVED),
    "a saved model of none": (number(1, 1), SAVED),
    "a saved model of an empty one": (number(1, 1) + field(2, b""), SAVED),
    "a saved model of something else": (number(1, 1) + field(2, b"\x0a\x03abc"), Content.UNKNOWN),
    "a saved model of another version": (number(1, 2) + field(2, A_META), Content.UNKNOWN),
    "a saved model with another field": (number(1, 1) + field(3, A_META), Content.UNKNOWN),
    "a saved model, then another field": (number(1, 1) + field(2, A_META) + field(3, b"x"), Content.UNKNOWN),
    "meta graphs without a version": (field(2, A_META), SAVED),
    "meta graphs of numbers": (number(2, 3), Content.UNKNOWN),
    "nothing": (b"", Content.UNKNOWN),
    "a group": (b"\x0b" + field(1, NODE), Content.UNKNOWN),
    "a fixed number": (b"\x0d1234" + field(1, NODE), Content.UNKNOWN),
    "a tag alone": (b"\x0a", Content.UNKNOWN),
    "no end of a number": (b"\xff" * 30, Content.UNKNOWN),
    "a body beyond the end": (varint(1 << 3 | 2) + varint(1 << 40) + NODE, GRAPH),
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_binary_messages(name: str, tmp_path: Path) -> None:
    content, expected = BINARY[name]
    assert sniffed(content, tmp_path) == (expected, False)


@pytest.mark.parametrize("size", [1 << 15, (1 << 16) - 40, 1 << 16, 1 << 17])
def test_long_bodies_are_passed_over_unread(size: int, tmp_path: Path) -> None:
    """Fields that begin behind the first 64 KiB are read where they lie; a name of an op has its end in them."""
    long = field(1, NODE + field(5, b"x" * size))
    assert sniffed(long + field(4, VERSIONS), tmp_path) == (GRAPH, False)
    assert sniffed(long + number(4, 1), tmp_path) == (Content.UNKNOWN, False)
    assert sniffed(field(1, META_INFO) + field(2, long + field(4, VERSIONS)), tmp_path) == (META, False)
    assert sniffed(field(3, b"x" * size) + field(2, A_GRAPH), tmp_path) == (META, False)


TEXT: dict[str, tuple[str, Content]] = {
    "node": ('node { name: "a" }', GRAPH),
    "versions": ("versions < producer: 1 >", GRAPH),
    "library": ("library{}", GRAPH),
    "version": ("version: 3", GRAPH),
    "space before the colon": ("version \t: 3", GRAPH),
    "meta_info_def": ("meta_info_def {", META),
    "graph_def": ("graph_def {", META),
    "saver_def": ("saver_def {", META),
    "collection_def": ("collection_def {", META),
    "signature_def": ("signature_def {", META),
    "asset_file_def": ("asset_file_def {", META),
    "object_graph_def": ("object_graph_def {", META),
    "schema": ("saved_model_schema_version: 1", SAVED),
    "meta_graphs": ("meta_graphs {", SAVED),
    "state": ('model_checkpoint_path: "m"', Content.STATE),
    "all paths": ('all_model_checkpoint_paths: "m"', Content.STATE),
    "timestamps": ("all_model_checkpoint_timestamps: 1.5", Content.STATE),
    "blank lines": ("\n\n \t node {", GRAPH),
    "comments": ("# one { \n  # node:\n\nversions {", GRAPH),
    "a comment to the end": ("# node {", Content.UNKNOWN),
    "an empty comment": ("#\nnode {", GRAPH),
    "a mark": ("\ufeffnode {", GRAPH),
    "a mark and a comment": ("\ufeff# x\nnode {", GRAPH),
    "capitals": ("Node {", Content.UNKNOWN),
    "no brace": ("node name", Content.UNKNOWN),
    "another": ("nodes {", Content.UNKNOWN),
}


@pytest.mark.parametrize("name", TEXT)
def test_text_messages(name: str, tmp_path: Path) -> None:
    text, expected = TEXT[name]
    assert sniffed(text.encode(), tmp_path) == (expected, expected is not Content.UNKNOWN)


@pytest.mark.parametrize("size", [0, 1, (1 << 16) - 6, (1 << 16) - 5, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, 3 << 16])
def test_comments_of_any_length(size: int, tmp_path: Path) -> None:
    """The chunks in which the beginning is looked for end anywhere: in a comment, before its end, before the field."""
    for text in (
        f"#{'c' * size}\nnode {{",
        f"{' ' * size}node {{",
        f"{' ' * size}# x\nnode {{",
        f"{'#' * size}\n\n#y\n node {{",
    ):
        assert sniffed(text.encode(), tmp_path) == (GRAPH, True)
        assert first_text_field(FileSource(tmp_path / "f")) == "node"


@pytest.mark.parametrize("content", [b"", b"\n\n", b"# only", b"\xef\xbb\xbf", b"\xef\xbb"])
def test_no_field_at_all(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(content)
    assert first_text_field(FileSource(tmp_path / "f")) == ""


# Neighbours


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x08\x07\x12\x04", "an ONNX model"),
        (b"\x08\x03\x42\x04", "an ONNX model"),
        (b"\x08\x63\x3a\x04", "an ONNX model"),
        (b"\x08\x02\x12\x04", None),
        (b"\x08\x64\x12\x04", None),
        (b"\x08\x07\x4a\x04", None),
        (b"\x09\x07\x12\x04", None),
        (b"\x08\x07\x12", None),
        (b"  \n<!DOCTYPE html>", "an HTML"),
        (b"PK\x03\x04 config.json", "a Keras model"),
        (b"PK\x03\x04 a.npy", "a NumPy archive"),
        (b"PK\x05\x06", "a zip archive"),
        (b"PK\x03\x05", None),
        (b"x" * 257 + b"ustar", "a tar archive"),
        (b"x" * 256 + b"ustar", None),
        (b"x" * 258 + b"ustar", None),
        (b"1234TFL3", "a TensorFlow Lite model"),
        (b"123TFL3", None),
        (b"\x80\x04.", "a Python pickle"),
        (b"op { name: 1 }", "a list of op definitions"),
    ],
)
def test_what_people_point_at_by_mistake(head: bytes, name: str | None, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(head)
    if name is None:
        refuse_neighbours(FileSource(tmp_path / "f"))
    else:
        with pytest.raises(NotTensorFlowError, match=f"this is {name}"):
            refuse_neighbours(FileSource(tmp_path / "f"))
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(NotTensorFlowError, match="empty"):
        refuse_neighbours(FileSource(tmp_path / "f"))
