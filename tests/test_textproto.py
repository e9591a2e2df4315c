"""The text parser against google.protobuf.text_format and TensorFlow's own C++ parser."""

from __future__ import annotations

import functools
import mmap
import os
import re
import time
import warnings
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from google.protobuf.message import Message
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto.struct_pb2 import StructuredValue

from graphscope.errors import CorruptFileError
from graphscope.formats.textproto import MAX_DEPTH, parse
from graphscope.protos import AttrValue, CollectionDef, GraphDef, MetaGraphDef, NodeDef, TensorProto
from tests.text_messages import kinds, messages
from tests.zoo_files import needs_zoo, zoo_files, zoo_id

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
KINDS, LEGACY = kinds("proto3"), kinds("proto2")
MANY = settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
TYPES = st.sampled_from([KINDS, LEGACY, GraphDef, NodeDef, TensorProto, AttrValue, StructuredValue, MetaGraphDef])

# A graph in which every construct of the format occurs, printed as people and as printers write it.
SAMPLE = rb"""# a comment
node {
  name: "a"
  op: "Const"
  attr {
    key: "value"
    value {
      tensor {
        dtype: DT_FLOAT
        tensor_shape {
          dim {
            size: 2
          }
          dim { size: -1 name: "x" }
        }
        float_val: 1.5
        float_val: -2e-3
        tensor_content: "\001\x4\377\\ab\n"
        string_val: "caf""" + "é".encode() + rb"""\u00e9\U0001F600" 'b' # between
          "d"
        bool_val: true
        int_val: 0x1F
        int64_val: -017
        half_val: [1, 2, 3]
      }
    }
  }
  attr {
    key: "T"
    value {
      type: DT_FLOAT
    }
  }
}
node { name: "b" op: "Foo" input: "a" attr { key: "T" value { type: DT_FLOAT } }
  attr: { key: "l" value: < list { i: [1,2], s: "x"; f: inf f: -nan f: 1.f b: t type: 7 } > } }
versions { producer: 27, min_consumer: 12; bad_consumers: [] bad_consumers: [ 1 , 2 ] }
library < function { signature { name: "f" } node_def { name: "n", op: 'A' } ret { key: "a" value: "b" } } >
node: [{name: "x"}, <name: "y">]
version: 0 version: 3
"""  # fmt: skip


def canonical(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)


def read(text: bytes, message_class: type[Message] = GraphDef, **options: Any) -> bytes | CorruptFileError:
    try:
        return canonical(parse(text, message_class(), source="x.pbtxt", **options))
    except CorruptFileError as error:
        return error


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
    """The nodes, library and versions that TensorFlow's C++ parser finds in a GraphDef, re-serialised."""
    tf = tensorflow()
    try:
        found = tf.raw_ops.DecodeProtoV2(
            bytes=[text], message_type="tensorflow.GraphDef", field_names=["node", "library", "versions"],
            output_types=[tf.string] * 3, descriptor_source="local://", message_format="text",
        )  # fmt: skip
    except tf.errors.InvalidArgumentError:
        return None
    graph = GraphDef()
    for name, values in zip(("node", "library", "versions"), found.values):
        for value in values.numpy()[0]:
            part = graph.node.add() if name == "node" else getattr(graph, name)
            part.MergeFromString(value)
    return parts(graph)


def parts(graph: Any) -> list[list[bytes]]:
    return [[canonical(node) for node in graph.node], [canonical(graph.library)], [canonical(graph.versions)]]


def agrees(text: bytes) -> None:
    """Ours is text_format's result; what ours alone refuses, TensorFlow's C++ parser refuses or reads otherwise."""
    ours, theirs = read(text), read_by_text_format(text)
    if ours == theirs or (theirs is None and isinstance(ours, CorruptFileError)):
        return
    assert isinstance(ours, CorruptFileError), f"only text_format refuses {text!r}" if theirs is None else text
    reading = read_by_tensorflow(text)
    assert reading is None or (theirs is not None and reading != parts(GraphDef.FromString(theirs))), text


def places(error: CorruptFileError) -> tuple[int, int]:
    found = re.search(r"line ([\d,]+), column ([\d,]+): ", error.message)
    assert found
    return int(found[1].replace(",", "")), int(found[2].replace(",", ""))


@needs_zoo
@pytest.mark.parametrize("path", [p for p in zoo_files("*.pbtxt") if p.name != "saved_model.pbtxt"], ids=zoo_id)
def test_graphs_of_the_zoo_are_what_text_format_reads(path: Path) -> None:
    text = path.read_bytes()
    assert read(text) == read_by_text_format(text)


@needs_zoo
@pytest.mark.parametrize("path", zoo_files("saved_model.pbtxt"), ids=zoo_id)
def test_saved_models_of_the_zoo_are_what_text_format_reads(path: Path) -> None:
    saved_model_pb2 = pytest.importorskip("tensorflow.core.protobuf.saved_model_pb2", reason="needs TensorFlow's protos")
    text = path.read_bytes()
    expected = read_by_text_format(text, saved_model_pb2.SavedModel)
    assert expected
    assert read(text, saved_model_pb2.SavedModel) == expected
    for meta_graph in saved_model_pb2.SavedModel.FromString(expected).meta_graphs:
        printed = text_format.MessageToString(meta_graph).encode()
        assert read(printed, MetaGraphDef) == canonical(MetaGraphDef.FromString(meta_graph.SerializeToString()))


@MANY
@given(data=st.data(), options=st.fixed_dictionaries({name: st.booleans() for name in (
    "as_one_line", "as_utf8", "pointy_brackets", "use_short_repeated_primitives", "use_index_order",
)}))  # fmt: skip
def test_printed_messages_are_read_back(data: st.DataObject, options: dict[str, bool]) -> None:
    message_class = data.draw(TYPES)
    message = data.draw(messages(message_class))
    text = text_format.MessageToString(message, **options).encode()
    expected = read_by_text_format(text, message_class)
    assert expected is not None
    assert read(text, message_class) == expected


@MANY
@given(data=st.data(), as_utf8=st.booleans())
def test_single_quotes_and_split_literals_are_read_back(data: st.DataObject, as_utf8: bool) -> None:
    message = data.draw(messages(NodeDef))
    text = text_format.MessageToString(message, as_utf8=as_utf8)
    text = re.sub(r'"((?:[^"\\\n]|\\.)*)"', lambda literal: f"'{literal[1]}' # c\n \"\"''", text)
    expected = read_by_text_format(text.encode(), NodeDef)
    assert expected is not None
    assert read(text.encode(), NodeDef) == expected


def test_the_sample_is_read_as_both_others_read_it() -> None:
    ours = read(SAMPLE)
    assert ours == read_by_text_format(SAMPLE)
    assert isinstance(ours, bytes)
    if os.environ.get("WITHOUT_TENSORFLOW") is None:
        assert read_by_tensorflow(SAMPLE) == parts(GraphDef.FromString(ours))
