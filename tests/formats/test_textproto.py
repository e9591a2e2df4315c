"""The text parser against google.protobuf.text_format and TensorFlow's own C++ parser."""

from __future__ import annotations

import mmap
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto.struct_pb2 import StructuredValue

from graphscope.errors import CorruptFileError
from graphscope.formats.text.parser import MAX_DEPTH, parse
from graphscope.protos import AttrValue, GraphDef, MetaGraphDef, NodeDef, TensorProto
from tests.support.counted import lines_run
from tests.support.text_messages import extremes, kinds, messages
from tests.support.text_oracles import canonical, fields, places, read, read_by_tensorflow, read_by_text_format
from tests.support.zoo_files import needs_zoo, zoo_files, zoo_id

KINDS, LEGACY = kinds("proto3"), kinds("proto2")
MANY = settings(max_examples=60, suppress_health_check=list(HealthCheck))
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


def assert_agreement(text: bytes) -> None:
    """Ours is text_format's result; what ours alone refuses, TensorFlow's C++ parser refuses or reads otherwise."""
    ours, theirs = read(text), read_by_text_format(text)
    if isinstance(ours, bytes):
        assert ours == theirs
    elif theirs is not None and b"\0" not in text:
        assert read_by_tensorflow(text) != fields(GraphDef.FromString(theirs))


@needs_zoo
@pytest.mark.parametrize("path", [p for p in zoo_files("*.pbtxt") if p.name != "saved_model.pbtxt"], ids=zoo_id)
def test_graphs_of_the_zoo_are_what_text_format_reads(path: Path) -> None:
    text = path.read_bytes()
    assert read(text) == read_by_text_format(text)


@needs_zoo
@pytest.mark.parametrize("path", zoo_files("saved_model.pbtxt"), ids=zoo_id)
def test_saved_models_of_the_zoo_are_what_text_format_reads(path: Path) -> None:
    saved_model_pb2 = pytest.importorskip(
        "tensorflow.core.protobuf.saved_model_pb2", reason="needs TensorFlow's protos"
    )
    text = path.read_bytes()
    expected = read_by_text_format(text, saved_model_pb2.SavedModel)
    assert expected
    assert read(text, saved_model_pb2.SavedModel) == expected
    for meta_graph in saved_model_pb2.SavedModel.FromString(expected).meta_graphs:
        printed = text_format.MessageToString(meta_graph).encode()
        assert read(printed, MetaGraphDef) == canonical(MetaGraphDef.FromString(meta_graph.SerializeToString()))


@pytest.mark.parametrize("message_class", [KINDS, LEGACY])
def test_the_ends_of_every_range_are_read_back(message_class: type[Message]) -> None:
    message = extremes(message_class)
    text = text_format.MessageToString(message).encode()
    assert read(text, message_class) == canonical(message)


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


def test_the_sample_is_read_as_text_format_reads_it() -> None:
    assert isinstance(read(SAMPLE), bytes)
    assert read(SAMPLE) == read_by_text_format(SAMPLE)


def test_the_sample_is_read_as_the_c_parser_reads_it() -> None:
    graph = parse(SAMPLE, GraphDef(), source="x.pbtxt")
    assert read_by_tensorflow(SAMPLE) == fields(graph)


def test_every_kind_of_buffer_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(SAMPLE)
    assert read(memoryview(SAMPLE)) == read(SAMPLE)
    with (tmp_path / "x").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert read(mapped) == read(SAMPLE)


def test_an_empty_text_is_an_empty_message() -> None:
    assert read(b"") == b""
    assert read(b" # only a comment") == b""


@pytest.mark.parametrize("part", range(8))
def test_a_truncated_text_is_read_or_refused_as_text_format_does(part: int) -> None:
    for end in range(part, len(SAMPLE), 8):
        ours, theirs = read(SAMPLE[:end]), read_by_text_format(SAMPLE[:end])
        assert ours == theirs or (theirs is None and isinstance(ours, CorruptFileError)), SAMPLE[:end]


@settings(MANY, max_examples=400)
@given(
    at=st.integers(0, len(SAMPLE) - 1),
    new=st.binary(max_size=2) | st.sampled_from([b"{", b"}", b"<", b'"', b"'", b"\\", b"[", b",", b";", b"#", b"\n"]),
    cut=st.integers(0, 3),
)
def test_a_damaged_text_is_read_as_text_format_does_or_refused(at: int, new: bytes, cut: int) -> None:
    assert_agreement(SAMPLE[:at] + new + SAMPLE[at + cut :])


@MANY
@given(data=st.data(), random=st.randoms(use_true_random=False))
def test_indentation_means_nothing(data: st.DataObject, random: Any) -> None:
    names = st.sampled_from(["a", "b"])
    graph = GraphDef()
    for _ in range(data.draw(st.integers(1, 6))):
        node = graph.node.add(name=data.draw(names))
        for key in data.draw(st.lists(names)):
            node.attr[key].CopyFrom(data.draw(messages(AttrValue, 2)))
    lines = text_format.MessageToString(graph, as_utf8=False).split("\n")
    text = "\n".join("  " * random.randrange(4) + line.strip() for line in lines)
    assert read(text.encode()) == read_by_text_format(text.encode())


VALUES = {
    "f": "1e39 -1e39 1e400 -1e400 3.5e38 1e-50 1.f 1e5f .5 -.5 5. 0 -0 -0.0 0.1 16777217 INF -Infinity NaN -nan",
    "i": "0 -0 00 0x1F 0X1f -0x1f 0777 -017 9223372036854775807 -9223372036854775808 0777777777777777777777",
    "b": "true True t 1 false False f 0",
    "type": "DT_FLOAT 1 -1 0x1 99999 2147483647 -2147483648 0",
}


@pytest.mark.parametrize(("field", "value"), [(f, value) for f, values in VALUES.items() for value in values.split()])
def test_every_spelling_of_a_value(field: str, value: str) -> None:
    text = f"{field}: {value}".encode()
    assert read(text, AttrValue) == read_by_text_format(text, AttrValue)
    assert isinstance(read(text, AttrValue), bytes)
    wrapped = b"node { attr { value { %s } } }" % text
    assert read_by_tensorflow(wrapped) == fields(parse(wrapped, GraphDef(), source="x"))


@pytest.mark.parametrize(
    ("value", "closed", "opened"), [(b"-7", True, True), (b"5", False, True), (b"RED", True, True)]
)
def test_a_closed_enum_takes_no_other_numbers(value: bytes, closed: bool, opened: bool) -> None:
    text = b"one_color: " + value
    for message_class, is_taken in ((LEGACY, closed), (KINDS, opened)):
        assert isinstance(read(text, message_class), bytes) == is_taken
        assert (read_by_text_format(text, message_class) is not None) == is_taken


# Spellings that one of the two parsers takes, or that they read differently, and what is said of them.
REFUSED = {
    rb'node { name: "\?" }': "this backslash starts no known escape",
    rb'node { name: "\X41" }': "this backslash starts no known escape",
    rb'node { name: "\u005cn" }': "this backslash starts no known escape",
    rb'node { name: "\ud83d\ude00" }': "this backslash starts no known escape",
    rb'node { attr { key: "s" value { s: "\400" } } }': "this backslash starts no known escape",
    rb'node { name: "\377" }': "tensorboard.NodeDef.name is text, and this is not UTF-8",
    rb"version: +1": "expected an integer from -2147483648 to 2147483647 for tensorboard.GraphDef.version, found '+1'",
    rb"version: - 1": "expected an integer",
    rb"version: 1_0": "expected an integer",
    rb"version: 0b1": "expected an integer",
    rb"version: 0o7": "expected an integer",
    rb"node { attr { value { tensor { uint32_val: -0 } } } }": "expected an integer from 0 to 4294967295",
    rb'node { attr { key: "f" value { f: nanf } } }': "expected a number for tensorboard.AttrValue.f, found 'nanf'",
    rb'node { attr { key: "f" value { f: 1_0 } } }': "expected a number",
    rb'node { attr { key: "f" value { f: +1 } } }': "expected a number",
    rb'node { attr { key: "t" value { type: 010 } } }': "expected a value of tensorboard.DataType for",
    "version:\u00a01".encode(): "expected a value for tensorboard.GraphDef.version, found '\\xa0'",
    b"\xef\xbb\xbfversion: 1": "expected a field of tensorboard.GraphDef, found '\\ufeff'",
    b'node { name: "\xff" }': "the text is not UTF-8 (invalid start byte)",
    b'node { name: "\0" }': "a NUL byte, which is not valid in text",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items())
def test_what_tensorflows_parsers_disagree_on_is_refused(text: bytes, message: str) -> None:
    error = read(text)
    assert isinstance(error, CorruptFileError)
    assert message in error.message
    assert_agreement(text)


# Text, line, column, what is said.
BROKEN = [
    (b'node {\n  nme: "a"\n}', 2, 3, "tensorboard.NodeDef has no field named 'nme'; closest: name"),
    (b"node {\n  zzzzzz <>\n}", 2, 3, "tensorboard.NodeDef has no field named 'zzzzzz'"),
    (b"node {\n  name: 3\n}", 2, 9, "expected a string in quotes for tensorboard.NodeDef.name, found '3'"),
    (b"node {\n  name: DT_X }", 2, 9, "expected a string in quotes for tensorboard.NodeDef.name, found 'DT_X'"),
    (b"node {\n  name { }\n}", 2, 8, "expected a value for tensorboard.NodeDef.name, found '{'"),
    (b"node {\n  name 'a'\n}", 2, 8, "expected ':' after name, found \"'\""),
    (b"node: 3", 1, 7, "expected '{' for tensorboard.GraphDef.node, found '3'"),
    (b"node: 'a'", 1, 7, 'expected a message for tensorboard.GraphDef.node, found "\'"'),
    (b"node [ {}", 1, 10, "expected ',' or ']' in the list of node, found the end of the text"),
    (b"version: [1]", 1, 10, "expected a value for tensorboard.GraphDef.version, found '['"),
    (b"version: 2147483648 ", 1, 10, "expected an integer from -2147483648 to 2147483647"),
    (
        b"version: 1 version: 2",
        1,
        12,
        "tensorboard.GraphDef.version, or another member of its oneof, is given a second",
    ),
    (b"node { attr { value { i: 0\n b: true } } }", 2, 2, "tensorboard.AttrValue.b, or another member of its oneof"),
    (b"node {} ,;", 1, 10, "expected a field of tensorboard.GraphDef, found ';'"),
    (b"version: 1,,", 1, 12, "expected a field of tensorboard.GraphDef, found ','"),
    (b"}", 1, 1, "expected a field of tensorboard.GraphDef, found '}'"),
    (b"node <\n}", 2, 1, "expected a field of tensorboard.NodeDef or '>', found '}'"),
    (b"node {\n\n", 3, 1, "expected a field of tensorboard.NodeDef or '}', found the end of the text"),
    ('node { name: "é" op: "a\n" }'.encode(), 1, 22, "this string is not closed before the end of its line"),
    (rb'node { op: "a\"', 1, 12, "this string is not closed before the end of its line"),
    (b'# \xc3\xa9\nnode { name: "\xc3" }', 2, 15, "the text is not UTF-8"),
    (b'node { name: "x" }\n[a.b]: 1', 2, 1, "expected a field of tensorboard.GraphDef, found '['"),
    (b"node { attr { value { type: DT_NONE } } }", 1, 29, "expected a value of tensorboard.DataType"),
    (b"node { attr { value { b: TRUE } } }", 1, 26, "expected true or false for tensorboard.AttrValue.b, found 'TRUE'"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), BROKEN)
def test_an_error_says_where_and_what(text: bytes, line: int, column: int, message: str) -> None:
    graph = GraphDef(version=5)
    with pytest.raises(CorruptFileError) as caught:
        parse(text, graph, source="some/graph.pbtxt")
    assert (places(caught.value), message in caught.value.message) == ((line, column), True), caught.value.message
    assert caught.value.path == "some/graph.pbtxt"
    assert graph == GraphDef(version=5)
    assert read_by_text_format(text) is None


def nested(levels: int, brackets: str) -> bytes:
    middle = len(brackets) // 2
    opening, closing = brackets[:middle], brackets[middle:]
    text = f"list_value {opening[-1]} values: {opening} " * (levels // 2) + f"{closing}{closing[0]} " * (levels // 2)
    return text.encode()


@pytest.mark.parametrize("brackets", ["{}", "<>", "[<>]"])
def test_nesting_ends_where_protobufs_binary_readers_end(brackets: str) -> None:
    deepest = nested(MAX_DEPTH, brackets)
    assert read(deepest, StructuredValue) == read_by_text_format(deepest, StructuredValue)
    assert StructuredValue.FromString(read(deepest, StructuredValue))  # type: ignore[arg-type]
    error = read(nested(MAX_DEPTH + 2, brackets), StructuredValue)
    assert isinstance(error, CorruptFileError)
    assert "messages are nested more than 100 deep" in error.message


SIZE = 200_000
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "comments": lambda size: b"#\n" * size,
    "spaces": lambda size: b" " * size + b"}",
    "separators": lambda size: b"version: 1" + b"," * size,
    "empty literals": lambda size: b"node { name: " + b'""' * size + b" }",
    "unclosed literals": lambda size: b'node { name: "' + b"a' " * size,
    "backslashes": lambda size: b'node { name: "' + b"\\" * (2 * size + 1) + b'" }',
    "escaped quotes": lambda size: b'node { name: "' + b'\\"' * size + b'" }',
    "escapes": lambda size: b'node { name: "' + b"\\x4" * size + b'" }',
    "open messages": lambda size: b"node { attr { value { list { func { attr { value { func {" * size,
    "open braces": lambda size: b"{" * size,
    "open lists": lambda size: b"node: " + b"[" * size,
    "digits": lambda size: b"version: " + b"1" * size,
    "fraction": lambda size: b"node { attr { value { f: 0." + b"1" * size + b" } } }",
    "name": lambda size: b"a" * size,
    "empty messages": lambda size: b"node{}" * size,
    "numbers": lambda size: b"node { attr { value { list {" + b"i: 1\n" * size + b"} } } }",
    "repeated zeros": lambda size: b"version: 0 " * size,
    "long gaps": lambda size: (b"version: 0" + b" " * 500) * (size // 500),
    "type URL": lambda size: b"node { experimental_type { [" + b"a/" * size + b"] {} } }",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_takes_more_than_linear_work(name: str) -> None:
    """Lines of Python are counted; a quadratic step within a regular expression would take minutes on the longest text."""
    short, long = (lines_run(lambda size=size: read(HOSTILE[name](size))) for size in (2_000, 4_000))  # type: ignore[misc]
    assert long < 2.2 * short + 2_000
    read(HOSTILE[name](SIZE))
