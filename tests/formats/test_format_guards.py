"""What each guard of the formats is there for: messages byte by byte, with protobuf and TensorFlow as the measure."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.errors import CorruptFileError, FileError
from graphscope.formats.checkpoint.v2 import BundleStore
from graphscope.formats.io.atomic import write_file
from graphscope.formats.text.parser import parse
from graphscope.protos import AttrValue, BundleEntryProto, GraphDef, NodeDef
from tests.support.fixture_files import FIXTURES
from tests.support.saving import small_v2, tf
from tests.support.tables import read_table, varint, write_table

COUNT = 600
"""Floats in a tensor that stays in its file."""


def delimited(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def node_bytes(tensor: bytes, beside: bytes = b"") -> bytes:
    """A graph of one ``Const`` with this ``TensorProto``, and more fields beside it in the ``AttrValue``."""
    proto = NodeDef(name="c", op="Const")
    proto.attr["dtype"].type = 1
    attribute = delimited(1, b"value") + delimited(2, delimited(8, tensor) + beside)
    return delimited(1, proto.SerializeToString() + delimited(5, attribute))


# Tensors

HEAD = b"\x08\x01" + delimited(2, delimited(2, b"\x08" + varint(COUNT)))
FIRST, SECOND = (np.full(COUNT, value, "<f4").tobytes() for value in (1, 2))
TENSORS = {
    "content": delimited(4, FIRST),
    "content, then the field of its type": delimited(4, FIRST) + delimited(5, SECOND),
    "the field of its type, then content": delimited(5, SECOND) + delimited(4, FIRST),
    "two contents": delimited(4, SECOND) + delimited(4, FIRST),
    "two contents, the last one empty": delimited(4, SECOND) + delimited(4, b"") + delimited(5, FIRST),
    "the field of its type": delimited(5, FIRST),
    "two contents, the last one empty and nothing beside": delimited(4, SECOND) + delimited(4, b""),
    "one value for all": delimited(5, np.float32(1).tobytes()) + delimited(4, b"") + delimited(16, bytes(COUNT * 4)),
}


@pytest.mark.parametrize("name", TENSORS)
def test_a_tensor_said_in_several_ways_is_what_tensorflow_reads(tmp_path: Path, name: str) -> None:
    content = node_bytes(HEAD + TENSORS[name])
    (tmp_path / "g.pb").write_bytes(content)
    theirs = tf.compat.v1.GraphDef.FromString(content)
    expected = tf.make_ndarray(theirs.node[0].attr["value"].tensor)
    assert expected.tolist() == [0.0 if "nothing" in name else 1.0] * COUNT
    model = graphscope.load(tmp_path / "g.pb")
    payload = model.graph["c"].tensor()
    assert payload is not None
    assert "value" in model.graph["c"].payloads, "it is to stay in the file"
    np.testing.assert_array_equal(payload.numpy(), expected)
    assert b"".join(payload.chunks()) == expected.tobytes()
    graphscope.save(model, tmp_path / "again.pb")
    again = tf.compat.v1.GraphDef.FromString((tmp_path / "again.pb").read_bytes())
    np.testing.assert_array_equal(tf.make_ndarray(again.node[0].attr["value"].tensor), expected)


def test_a_newer_field_beside_a_large_tensor_is_kept(tmp_path: Path) -> None:
    newer = varint(99 << 3) + varint(7)
    (tmp_path / "g.pb").write_bytes(node_bytes(HEAD + TENSORS["content"], newer))
    graphscope.save(graphscope.load(tmp_path / "g.pb"), tmp_path / "again.pb")
    [written] = tf.compat.v1.GraphDef.FromString((tmp_path / "again.pb").read_bytes()).node
    value = written.attr["value"]
    assert newer in value.SerializeToString()
    assert len(value.tensor.tensor_content) == 4 * COUNT


# Checkpoints


def test_a_slice_has_no_slices_of_its_own(tmp_path: Path) -> None:
    good = small_v2(tmp_path)
    items = read_table(good / "model.index")
    whole = BundleEntryProto.FromString(items[b"split"])
    for key in [key for key in items if key.startswith(b"\x00split") or b"split\x00\x01" in key]:
        part = BundleEntryProto.FromString(items[key])
        part.slices.extend(whole.slices)
        items[key] = part.SerializeToString()
    write_table(good / "model.index", items)
    with pytest.raises(CorruptFileError, match=r"its slice .* has another type"):
        BundleStore(f"{good}/model").payload("split").numpy()


# Files


@pytest.mark.parametrize("old", [None, b"old"])
def test_what_is_checked_lies_beside_its_place_and_not_in_it(tmp_path: Path, old: bytes | None) -> None:
    """In another directory it could be on another disk, where no rename leads from."""
    target = tmp_path / "out.pb"
    if old is not None:
        target.write_bytes(old)
    seen: list[tuple[Path, bytes, bytes | None]] = []

    def check(path: Path) -> None:
        seen.append((path, path.read_bytes(), target.read_bytes() if target.exists() else None))

    assert write_file(target, [b"ne", b"w"], overwrite=True, check=check) == 3
    [(path, content, stood)] = seen
    assert (path.parent, content, stood) == (tmp_path, b"new", old)
    assert path != target
    assert [p.name for p in tmp_path.iterdir()] == ["out.pb"]


@pytest.mark.parametrize("old", [None, b"old"])
def test_what_fails_its_check_leaves_nothing(tmp_path: Path, old: bytes | None) -> None:
    target = tmp_path / "out.pb"
    if old is not None:
        target.write_bytes(old)

    def check(path: Path) -> None:
        raise CorruptFileError("no", path=path)

    with pytest.raises(CorruptFileError):
        write_file(target, [b"new"], overwrite=True, check=check)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == ({} if old is None else {"out.pb": b"old"})


# Text

SINGULAR: dict[str, Callable[[], Any]] = {
    'name: ["a"]': NodeDef,
    "i: [1]": AttrValue,
    "b: [true]": AttrValue,
    "type: [DT_FLOAT]": AttrValue,
    "tensor: [{ dtype: DT_FLOAT }]": AttrValue,
    "list: [{ i: 1 }]": AttrValue,
    "versions: [{ producer: 1 }]": GraphDef,
    "library: []": GraphDef,
}


@pytest.mark.parametrize("text", SINGULAR)
def test_brackets_belong_to_repeated_fields(text: str) -> None:
    with pytest.raises(CorruptFileError, match=r"expected|found"):
        parse(text.encode(), SINGULAR[text](), source="t.pbtxt")


# A graph and another checkpoint


def test_weights_from_another_checkpoint(tmp_path: Path) -> None:
    for name in ("graph.pbtxt", "model.ckpt-6000.index", "model.ckpt-6000.data-00000-of-00001"):
        shutil.copy(FIXTURES / "softmax" / name, tmp_path)
    model = graphscope.load(tmp_path / "graph.pbtxt", checkpoint=tmp_path / "model.ckpt-6000")
    assert [(Path(f.path).name, f.role) for f in model.files] == [
        ("graph.pbtxt", "graph"),
        ("model.ckpt-6000.index", "index"),
        ("model.ckpt-6000.data-00000-of-00001", "data"),
    ]
    again = graphscope.load(FIXTURES / "softmax" / "model.ckpt-6000", checkpoint=tmp_path / "model.ckpt-6000")
    assert [f.path for f in again.files if f.role != "graph"] == [f.path for f in model.files if f.role != "graph"]
    with pytest.raises(FileError, match=r"graph\.pbtxt: not a checkpoint"):
        graphscope.load(tmp_path / "graph.pbtxt", checkpoint=FIXTURES / "softmax" / "graph.pbtxt")
