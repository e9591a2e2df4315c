"""Values that stay in the text: where they belong."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from google.protobuf.message import Message

from graphscope.errors import CorruptFileError
from graphscope.formats.text.lexer import decode_region, region_size
from graphscope.formats.text.parser import CUT_ABOVE, Cut, TextRegion, parse
from graphscope.protos import CollectionDef, GraphDef, MetaGraphDef, NodeDef, TensorProto
from tests.support.text_messages import kinds

CONTENT = TensorProto.DESCRIPTOR.full_name + ".tensor_content"
STRINGS = TensorProto.DESCRIPTOR.full_name + ".string_val"


def cut(text: bytes, message: Any, *wants: str) -> list[TextRegion]:
    """The regions of ``text``, and ``message`` filled with the rest."""
    asked = Cut(frozenset(wants))
    parse(text, message, source="x", cut=asked)
    return asked.found


def spelled(text: bytes, region: TextRegion) -> bytes:
    return decode_region(text, region.offset, region.end, source="x")


def tensors(message: Message, path: tuple[Any, ...] = ()) -> dict[tuple[Any, ...], bytes]:
    """Every large ``tensor_content`` inside ``message`` by its path, found by walking the message."""
    found = {}
    for field, value in message.ListFields():
        name = field.name
        if field.message_type is None:
            if field.full_name == CONTENT and len(value) > CUT_ABOVE:
                place = (*path, (name, None))
                found[place] = value
            continue
        if field.message_type.GetOptions().map_entry:
            inner = {(*path, (name, key), ("value", None)): each for key, each in value.items()}
        elif isinstance(field.default_value, list):
            inner = {(*path, (name, index)): each for index, each in enumerate(value)}
        else:
            inner = {(*path, (name, None)): value}
        for place, each in inner.items():
            if isinstance(each, Message):
                found.update(tensors(each, place))
    return found


def a_graph() -> Any:
    """Large and small tensors in nodes, lists of tensors, functions and function attributes."""
    meta = MetaGraphDef()
    graph, rng = meta.graph_def, np.random.default_rng(7)
    nodes = [graph.node.add(name=f"n{n}", op="Const", input=["a", "b"]) for n in range(40)]
    for function in ("f", "g"):
        body = graph.library.function.add()
        body.signature.name = function
        nodes += [body.node_def.add(name=f"{function}{n}") for n in range(5)]
    for number, node in enumerate(nodes):
        node.attr["T"].type = 1
        node.attr["value"].tensor.dtype = 4
        node.attr["value"].tensor.tensor_content = rng.bytes((10, 1500, 5000)[number % 3])
        if number % 4 == 0:
            for _ in range(3):
                node.attr["more"].list.tensor.add(tensor_content=rng.bytes(2000))
            node.attr["call"].func.attr["deep"].tensor.tensor_content = rng.bytes(3000)
    return meta


@pytest.mark.parametrize("options", [{}, {"as_one_line": True}, {"pointy_brackets": True}], ids=str)
def test_each_region_belongs_where_its_path_says(options: dict[str, bool]) -> None:
    meta = a_graph()
    text = text_format.MessageToString(meta, **options).encode()
    rest = MetaGraphDef()
    regions = cut(text, rest, CONTENT)
    expected = tensors(meta)
    assert len(expected) > 50
    assert {region.path: spelled(text, region) for region in regions} == expected
    assert {region.field for region in regions} == {CONTENT}
    assert [region.offset for region in regions] == sorted(region.offset for region in regions)
    assert not tensors(rest)
    for region in regions:
        put_back(rest, region.path, spelled(text, region))
    assert rest == meta


def put_back(message: Any, path: tuple[Any, ...], value: bytes) -> None:
    for name, index in path[:-1]:
        if name == "value" and not hasattr(message, "value"):
            continue  # a map's entry is the value itself
        message = getattr(message, name) if index is None else getattr(message, name)[index]
    setattr(message, path[-1][0], value)


def test_the_path_in_a_graph() -> None:
    content = "x" * CUT_ABOVE
    text = f'node {{}} node {{ attr {{ value {{ tensor {{ tensor_content: "{content}" }} }} key: "k" }} }}'.encode()
    (region,) = cut(text, GraphDef(), CONTENT)
    assert region.path == (
        ("node", 1), ("attr", "k"), ("value", None), ("tensor", None), ("tensor_content", None)
    )  # fmt: skip
    assert text[region.offset : region.end] == b'"%s"' % content.encode()


def test_repeated_values_keep_their_places() -> None:
    strings = [b"short", b"a" * 2000, b"", b"b" * 2000, b"end"]
    text = text_format.MessageToString(TensorProto(string_val=strings)).encode()
    rest = TensorProto()
    regions = cut(text, rest, STRINGS)
    assert [(region.path, spelled(text, region)) for region in regions] == [
        ((("string_val", 1),), strings[1]),
        ((("string_val", 3),), strings[3]),
    ]
    assert list(rest.string_val) == [b"short", b"", b"", b"", b"end"]
    listed = b'string_val: ["a", "%s", \'%s\']' % (b"b" * 2000, b"c" * 2000)
    assert [region.path for region in cut(listed, TensorProto(), STRINGS)] == [(("string_val", n),) for n in (1, 2)]


@pytest.mark.parametrize(("size", "is_cut"), [(CUT_ABOVE - 2, False), (CUT_ABOVE - 1, True)])
def test_what_counts_is_the_length_in_the_text(size: int, is_cut: bool) -> None:
    text = b'tensor_content: "' + b"x" * size + b'"'
    message = TensorProto()
    assert bool(cut(text, message, CONTENT)) == is_cut
    assert len(message.tensor_content) == (0 if is_cut else size)


def test_only_wanted_fields_are_cut() -> None:
    text = b'tensor_content: "%s" string_val: "%s"' % (b"x" * 2000, b"y" * 2000)
    message = TensorProto()
    assert [region.field for region in cut(text, message, STRINGS)] == [STRINGS]
    assert message == TensorProto(tensor_content=b"x" * 2000, string_val=[b""])
    assert cut(text, TensorProto()) == []


@pytest.mark.parametrize("second", ["{ i: 3 }", '{ tensor { tensor_content: "z" } }', ""])
def test_a_later_entry_of_a_map_takes_the_place_of_a_large_one(second: str) -> None:
    large = 'attr {{ key: "{}" value {{ tensor {{ tensor_content: "{}" }} }} }}'
    other = f'attr {{ key: "k" {"value " + second if second else ""} }}'
    text = f"{large.format('k', 'a' * 2000)} {large.format('kept', 'b' * 2000)} {other}".encode()
    node = NodeDef()
    (region,) = cut(text, node, CONTENT)
    assert region.path[0] == ("attr", "kept")
    assert spelled(text, region) == b"b" * 2000
    expected = text_format.Parse(text, NodeDef())
    assert node.attr["k"] == expected.attr["k"]


def test_the_last_of_equal_keys_is_the_one() -> None:
    entry = b'attr { key: "k" value { tensor { tensor_content: "%s" } } }'
    text = entry % (b"a" * 2000) + entry % (b"b" * 2000)
    (region,) = cut(text, NodeDef(), CONTENT)
    assert spelled(text, region) == text_format.Parse(text, NodeDef()).attr["k"].tensor.tensor_content


def test_keys_of_every_type_are_in_the_path() -> None:
    message_class = kinds("proto3")
    field = message_class.DESCRIPTOR.fields_by_name["map400"].full_name
    text = b"map400 { key: 'a' value { one_bytes: '%s' } }" % (b"x" * 2000)
    wanted = message_class.DESCRIPTOR.full_name + ".one_bytes"
    (region,) = cut(text, message_class(), wanted)
    assert region.path == (("map400", "a"), ("value", None), ("one_bytes", None)), field


def test_nothing_is_left_inside_an_any() -> None:
    content = "x" * 2000
    any_value = f'[type.googleapis.com/tensorflow.TensorProto] {{ tensor_content: "{content}" }}'
    collection = CollectionDef()
    assert cut(f"any_list {{ value {{ {any_value} }} }}".encode(), collection, CONTENT) == []
    assert TensorProto.FromString(collection.any_list.value[0].value).tensor_content == content.encode()


def test_a_failed_text_leaves_no_regions() -> None:
    asked = Cut(frozenset({CONTENT}))
    with pytest.raises(CorruptFileError):
        parse(b'tensor_content: "%s" x: 1' % (b"x" * 2000), TensorProto(), source="x", cut=asked)
    assert asked.found == []


def test_a_large_value_takes_no_memory(tmp_path: Path) -> None:
    tensor = TensorProto(dtype=4, tensor_content=np.random.default_rng(3).bytes(2_000_000))
    text = text_format.MessageToString(tensor).encode()
    assert len(text) > 5_000_000
    tracemalloc.start()
    try:
        (region,) = cut(text, TensorProto(), CONTENT)
        size = region_size(text, region.offset, region.end, source="x")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 2_000_000
    assert peak < 5 * (1 << 20)
