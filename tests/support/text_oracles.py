"""What is read in a text: by us, by google.protobuf.text_format, and by TensorFlow's C++ parser."""

from __future__ import annotations

import functools
import os
import re
import warnings
from typing import Any

import pytest
from google.protobuf import text_format
from google.protobuf.message import Message

from graphscope.errors import CorruptFileError
from graphscope.formats.text.lexer import Buffer  # type: ignore[attr-defined]
from graphscope.formats.text.parser import parse
from graphscope.protos import GraphDef

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def canonical(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def read(text: Buffer, message_class: type[Message] = GraphDef, **options: Any) -> bytes | CorruptFileError:
    try:
        return canonical(parse(text, message_class(), source="x.pbtxt", **options))
    except CorruptFileError as error:
        return error


def places(error: CorruptFileError) -> tuple[int, int]:
    found = re.search(r"line ([\d,]+), column ([\d,]+): ", error.message)
    assert found
    return int(found[1].replace(",", "")), int(found[2].replace(",", ""))


def read_by_text_format(text: bytes, message_class: type[Message] = GraphDef) -> bytes | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return canonical(text_format.Parse(text, message_class()))
        except (text_format.ParseError, ValueError, OverflowError):
            return None


@functools.cache
def tensorflow() -> Any:
    return pytest.importorskip("tensorflow", reason="TensorFlow's C++ parser decides where text_format alone accepts")


def read_by_tensorflow(text: bytes) -> list[list[bytes]] | None:
    """:func:`fields` of the GraphDef that TensorFlow's C++ parser reads; ``None`` where it refuses."""
    tf = tensorflow()
    try:
        found = tf.raw_ops.DecodeProtoV2(
            bytes=[text], message_type="tensorflow.GraphDef", field_names=["node", "library", "versions", "version"],
            output_types=[tf.string] * 3 + [tf.int32], descriptor_source="local://", message_format="text",
        )  # fmt: skip
    except tf.errors.OpError:
        return None
    nodes, libraries, versions, version = (values.numpy()[0].tolist() for values in found.values)
    graph = GraphDef(version=sum(version))
    for node in nodes:
        graph.node.add().MergeFromString(node)
    for field, values in ((graph.library, libraries), (graph.versions, versions)):
        for value in values:
            field.MergeFromString(value)
    return fields(graph)


def fields(graph: Any) -> list[list[bytes]]:
    """What a GraphDef holds, without the presence of empty messages."""
    return [[canonical(node) for node in graph.node], [canonical(graph.library)], [canonical(graph.versions)],
            [b"%d" % graph.version]]  # fmt: skip
