"""Graph files: what protobuf parses is what is loaded, and what is saved again is the same message, weights included."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import graphscope
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError
from tests.support.fixture_files import FIXTURES
from tests.support.saving import tf
from tests.support.tables import varint
from tests.support.zoo_files import ZOO, zoo_files, zoo_id

from google.protobuf import text_format  # isort: skip
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef  # isort: skip
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel  # isort: skip
from tests.support.graph_bytes import LARGE, GraphDef, add_const, assert_round_trip, bytes_of, every_form, saved

OTHERS = ("saved_model_config.pb", "fingerprint.pb", "keras_metadata.pb", "tfhub_module.pb")
"""No graphs: TensorFlow Serving's settings, checksums, what Keras and TensorFlow Hub add."""

LARGEST_TEXT = 700_000  # protobuf's own text parser, the oracle, takes seconds for more


def is_graph(path: Path) -> bool:
    is_asset = (path.parent.parent / "saved_model.pb").is_file()
    return path.name not in OTHERS and (not is_asset) and not {"negative", "op_tests"} & {*path.parts}


ZOO_FILES = [p for p in zoo_files("*.pb", "*.pbtxt", "*.meta") if is_graph(p)] if ZOO.is_dir() else []
ZOO_FILES = [p for p in ZOO_FILES if p.suffix != ".pbtxt" or p.stat().st_size <= LARGEST_TEXT]
OP_TESTS = zoo_files("*.pb", below="op_tests")
FIXTURE_FILES = [p for pattern in ("*.pb", "*.pbtxt", "*.meta") for p in sorted(FIXTURES.rglob(pattern))]


def label(path: Path) -> str:
    return zoo_id(path) if ZOO.parent in path.parents else str(path.relative_to(FIXTURES))


@pytest.mark.parametrize("path", [*FIXTURE_FILES, *ZOO_FILES], ids=label)
def test_round_trip(path: Path, tmp_path: Path) -> None:
    model = graphscope.load(path)
    if model.problems:
        with pytest.raises(GraphscopeError, match="not a valid graph"):
            graphscope.save(model, tmp_path / "x.pb")
        return
    assert assert_round_trip(path, model, tmp_path) > 0 or "Const" not in model.graph.ops
    for tags in model.tag_sets[1:]:
        assert_round_trip(path, graphscope.load(path, tags=tags), tmp_path)


@pytest.mark.skipif(not OP_TESTS, reason="the zoo is not beside the project")
def test_round_trip_of_op_tests(tmp_path: Path) -> None:
    assert len(OP_TESTS) > 200
    refused = []
    for path in OP_TESTS:
        model = graphscope.load(path)
        if model.problems:
            refused.append(path.parent.relative_to(path.parents[3]).as_posix())
            with pytest.raises(GraphscopeError, match="not a valid graph"):
                graphscope.save(model, tmp_path / "x.pb")
        else:
            assert_round_trip(path, model, tmp_path)
    assert refused == [f"scatter_nd_sub/locking/rank{rank}shape_1indices" for rank in (1, 2)], (
        "TensorFlow refuses them too"
    )


def check_every_form(path: Path, tmp_path: Path) -> Model:
    model = graphscope.load(path)
    assert assert_round_trip(path, model, tmp_path) == 2 * len(LARGE) + 3
    assert model.graph.versions.bad_consumers == [3]
    return model


def test_every_form(tmp_path: Path) -> None:
    path = tmp_path / "forms.pb"
    path.write_bytes(every_form().SerializeToString())
    model = check_every_form(path, tmp_path)
    assert set(model.graph["odd"].payloads) == {"zwei_tensoren", "another"}
    assert not model.graph["small"].payloads
    for body in (model.graph, model.graph.functions["body"]):
        assert [set(node.payloads) for node in body if "/" in node.name] == [{"value"}] * len(LARGE)
    in_memory = sum(len(n.proto.SerializeToString()) for _, body in model.graph.bodies for n in body)
    content = sum(t.ByteSize() for t in LARGE.values())
    assert in_memory < path.stat().st_size - 2 * content, "the weights stay in the file"


@pytest.mark.parametrize("as_utf8", [False, True])
def test_every_form_in_text(tmp_path: Path, as_utf8: bool) -> None:
    path = tmp_path / "forms.pbtxt"
    path.write_text(text_format.MessageToString(every_form(), as_utf8=as_utf8))
    model = check_every_form(path, tmp_path)
    assert {n.name for n in model.graph if n.payloads} == {"odd", *(f"large/{n}" for n in LARGE if "content" in n)}


def string_content(strings: Sequence[bytes]) -> Any:
    """Strings as ``Tensor::AsProtoTensorContent`` writes them: lengths, then bytes."""
    proto = type(LARGE["content"])(dtype=tf.string.as_datatype_enum)
    proto.tensor_shape.dim.add(size=len(strings))
    proto.tensor_content = b"".join(varint(len(s)) for s in strings) + b"".join(strings)
    return proto


@pytest.mark.parametrize("count", [3, 300])
@pytest.mark.parametrize("is_text", [False, True])
def test_strings_as_content(tmp_path: Path, is_text: bool, count: int) -> None:
    """``tf.make_ndarray`` cannot read them; the runtime does."""
    strings = [b"%d\xff\0" % n * (n % 90) for n in range(count)]
    graph = GraphDef()
    add_const(graph.node, "c", string_content(strings))
    del graph.node[0].input[:]
    path = tmp_path / "x"
    path.write_bytes(text_format.MessageToString(graph).encode() if is_text else graph.SerializeToString())
    model = graphscope.load(path)
    tensor = model.graph["c"].tensor()
    assert tensor is not None
    assert tensor.numpy().tolist() == strings
    assert bytes_of(saved(model, tmp_path, GraphDef)) == bytes_of(graph)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        graph.node[0].device = ""
        [fetched] = tf.import_graph_def(graph, return_elements=["c:0"], name="")
        assert session.run(fetched).tolist() == strings


@pytest.mark.parametrize("kind", [MetaGraphDef, SavedModel])
@pytest.mark.parametrize("is_text", [False, True])
def test_every_form_in_other_messages(tmp_path: Path, kind: Any, is_text: bool) -> None:
    message = kind()
    metas = [message] if kind is MetaGraphDef else [message.meta_graphs.add(), message.meta_graphs.add()]
    for number, meta in enumerate(metas):
        meta.meta_info_def.tags.append(f"tag{number}")
        meta.meta_info_def.tensorflow_version = "9.9"
        operation = meta.meta_info_def.stripped_op_list.op.add(name="NobodyKnowsThis")
        for name in ("small", "large"):
            operation.input_arg.add(name=name, type=1)
        operation.attr.add(name="d", type="tensor").default_value.tensor.CopyFrom(LARGE["content"])
        meta.graph_def.CopyFrom(every_form())
        meta.graph_def.node[1].attr["value"].tensor.CopyFrom(LARGE["content_double" if number else "content_half"])
        meta.collection_def["things"].bytes_list.value.append(b"\xff" * 2000)
    if kind is SavedModel:
        message.saved_model_schema_version = 1
    path = tmp_path / ("saved_model" if kind is SavedModel else "x")
    path.write_bytes(text_format.MessageToString(message).encode() if is_text else message.SerializeToString())
    for number, _ in enumerate(metas):
        model = graphscope.load(path, tags=[f"tag{number}"] if kind is SavedModel else [])
        assert assert_round_trip(path, model, tmp_path) == 2 * len(LARGE) + 3
        assert model.meta.meta_info_def.tags == [f"tag{number}"]
