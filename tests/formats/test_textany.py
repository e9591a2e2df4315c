"""Expanded google.protobuf.Any values in text."""

from __future__ import annotations

import pytest
from google.protobuf import text_format
from google.protobuf.message import Message

from graphscope.errors import CorruptFileError
from graphscope.formats.text.parser import parse
from graphscope.protos import AssetFileDef, CollectionDef, MetaGraphDef, TensorProto
from tests.support.text_oracles import places, read

ASSET = "[type.googleapis.com/tensorflow.AssetFileDef]"
SPELLINGS = [
    f"{ASSET} {{ filename: 'x' }}",
    f"{ASSET}: < filename: 'x' >",
    ASSET.replace("/", " / ") + "{filename:'x'}",
    f"{ASSET}:{{filename:'x'}}",
]


def any_list(content: str) -> bytes:
    return f"any_list {{\n  value {{ {content} }}\n}}".encode()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_expanded_any_keeps_its_type_as_written(spelling: str) -> None:
    collection = parse(any_list(spelling), CollectionDef(), source="x")
    (value,) = collection.any_list.value
    assert value.type_url == "type.googleapis.com/tensorflow.AssetFileDef"
    assert value.value == AssetFileDef(filename="x").SerializeToString()


def test_collections_of_assets_are_read_as_tensorflow_reads_them() -> None:
    meta_graph_pb2 = pytest.importorskip("tensorflow.core.protobuf.meta_graph_pb2", reason="needs TensorFlow's protos")
    asset = meta_graph_pb2.AssetFileDef(filename="vocabulary.txt")
    asset.tensor_info.name = "Const:0"
    written = meta_graph_pb2.MetaGraphDef()
    written.collection_def["saved_model_assets"].any_list.value.add().Pack(asset)
    text = text_format.MessageToString(written)
    assert ASSET in text
    for message_class in (meta_graph_pb2.MetaGraphDef, MetaGraphDef):
        assert read(text.encode(), message_class) == written.SerializeToString()


def test_a_resolver_is_asked_first() -> None:
    asked = []

    def resolve(name: str) -> type[Message] | None:
        asked.append(name)
        return TensorProto if name == "my.Type" else None

    content = "[a.b/my.Type] { dtype: DT_INT32 }"
    collection = parse(any_list(content), CollectionDef(), source="x", resolve_any=resolve)
    assert collection.any_list.value[0].type_url == "a.b/my.Type"
    assert collection.any_list.value[0].value == TensorProto(dtype=3).SerializeToString()
    parse(any_list(f"{ASSET} {{}}"), CollectionDef(), source="x", resolve_any=resolve)
    assert asked == ["my.Type", "tensorflow.AssetFileDef"]


@pytest.mark.parametrize(("content", "column", "message"), [
    ("[a.b/my.Type] {}", 11, "the type my.Type inside google.protobuf.Any is not known"),
    ("[my.Type] {}", 11, "expected a type in brackets"),
    (f"{ASSET} 3", 57, "expected '{' before the fields of tensorboard.AssetFileDef, found '3'"),
    (f"{ASSET} {{ name: 3 }}", 59, "tensorboard.AssetFileDef has no field named 'name'; closest: filename"),
    (f"{ASSET} {{}} {ASSET} {{}}", 60, "google.protobuf.Any holds one value only"),
    (f"{ASSET} {{}}, ", 59, "expected a field of google.protobuf.Any or '}', found ','"),
    (f"type_url: 'a/b' {ASSET} {{}}", 27, "google.protobuf.Any holds one value only"),
])  # fmt: skip
def test_what_is_wrong_with_an_any_is_said(content: str, column: int, message: str) -> None:
    error = read(any_list(content), CollectionDef)
    assert isinstance(error, CorruptFileError)
    assert (places(error), message in error.message) == ((2, column), True), error.message
