"""Small good files to break, and what is looked at and checked in each broken one."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import text_format

import graphscope
from graphscope.analysis.detail import show
from graphscope.analysis.listing import Listing, list_nodes
from graphscope.analysis.scopes import scope_tree
from graphscope.analysis.summary import summarize
from graphscope.analysis.variable_rows import weights, with_statistics
from graphscope.core.graph import Body
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError
from tests.support.fixture_files import FIXTURES
from tests.support.saving import as_array, save_v1, tf

from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef  # isort: skip
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel  # isort: skip

GraphDef = tf.compat.v1.GraphDef

BOUND_BYTES = 64 << 20
"""Memory that reading one file may take, beside four times its size."""

READ_BYTES = 16 << 20
"""A fill (one value for many elements) above this size is right and is not read here."""


@dataclass(frozen=True)
class Subject:
    """A file to break.

    Attributes:
        content: the good one.
        name: its place, below the directory that is opened.
        kind: the message in it; ``None`` for the files of a checkpoint.
        others: what lies beside it: name -> content.
        is_text: whether the message is in text.
    """

    content: bytes
    name: str
    kind: Any = None
    others: tuple[tuple[str, bytes], ...] = ()
    is_text: bool = False


# Good files


def small_graph() -> Any:
    graph = GraphDef()
    graph.versions.producer = 27
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = 1
    graph.node[0].attr["shape"].shape.dim.add(size=-1)
    for name, value in (("w", np.arange(6.0, dtype=np.float32).reshape(2, 3)), ("s", [b"ab", b""]), ("n", 7)):
        add_const(graph.node, name, tf.make_tensor_proto(value))
    product = graph.node.add(name="y/MatMul", op="MatMul", input=["x", "w", "^n"], device="/cpu:0")
    product.attr["transpose_a"].b = False
    product.attr["f"].list.func.add(name="fn").attr["T"].type = 1
    split = graph.node.add(name="y/split", op="Split", input=["n:0", "y/MatMul"])
    split.attr["num_split"].i = 3
    graph.node.add(name="z", op="NobodyKnowsThis", input=["y/split:2", "y/split:1"])
    function = graph.library.function.add()
    function.signature.name = "fn"
    function.signature.output_arg.add(name="o", type=1)
    add_const(function.node_def, "inner", tf.make_tensor_proto(2.0))
    function.ret["o"] = "inner:output:0"
    return graph


def add_const(nodes: Any, name: str, tensor: Any) -> None:
    node = nodes.add(name=name, op="Const")
    node.attr["value"].tensor.CopyFrom(tensor)
    node.attr["dtype"].type = tensor.dtype


def graph_with_payloads() -> Any:
    graph = GraphDef()
    add_const(graph.node, "w", tf.make_tensor_proto(np.arange(280, dtype=np.float32).reshape(7, 40)))
    add_const(graph.node, "h", tf.make_tensor_proto(np.arange(520, dtype=np.float16)))
    graph.node[1].attr["value"].tensor.ClearField("tensor_content")
    graph.node[1].attr["value"].tensor.half_val.extend(range(9, 529))
    add_const(graph.node, "s", tf.make_tensor_proto([b"%d" % n * 9 for n in range(60)]))
    return graph


@functools.cache
def trained() -> tuple[Any, tuple[tuple[str, bytes], ...]]:
    """A meta graph with a saver, two variables and a slot, and the checkpoint beside it."""
    import tempfile

    v1 = tf.compat.v1
    with tempfile.TemporaryDirectory() as directory, tf.Graph().as_default():
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        w = v1.get_variable("w", initializer=[[1.0], [2.0]])
        v1.train.MomentumOptimizer(0.1, 0.9).minimize(tf.reduce_sum(x @ w), v1.train.get_or_create_global_step())
        saver = v1.train.Saver()
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            saver.save(session, f"{directory}/m")
        meta = MetaGraphDef.FromString(Path(f"{directory}/m.meta").read_bytes())
        others = tuple((name, Path(directory, name).read_bytes()) for name in ("m.index", "m.data-00000-of-00001"))
    meta.meta_info_def.ClearField("stripped_op_list")
    for node in meta.graph_def.node:
        node.attr.pop("_class", None)
    return meta, others


@functools.cache
def subjects() -> dict[str, Subject]:
    meta, values = trained()
    saved = SavedModel(saved_model_schema_version=1)
    saved.meta_graphs.add().graph_def.CopyFrom(small_graph())
    saved.meta_graphs[0].meta_info_def.tags.append("serve")
    saved.meta_graphs[0].signature_def["d"].outputs["o"].name = "z:0"
    saved.meta_graphs[0].object_graph_def.nodes.add().children.add(node_id=1, local_name="v")
    saved.meta_graphs[0].object_graph_def.nodes.add().variable.name = "v"
    state = (FIXTURES / "softmax" / "checkpoint").read_bytes()
    members = ("5700.index", "6000.index")
    beside = tuple((f"model.ckpt-{m}", (FIXTURES / "softmax" / f"model.ckpt-{m}").read_bytes()) for m in members)
    text = text_format.MessageToString(small_graph()).encode()
    return {
        "graph": Subject(small_graph().SerializeToString(deterministic=True), "g.pb", GraphDef),
        "payloads": Subject(graph_with_payloads().SerializeToString(deterministic=True), "g.pb", GraphDef),
        "meta graph": Subject(meta.SerializeToString(deterministic=True), "m.meta", MetaGraphDef, values),
        "SavedModel": Subject(saved.SerializeToString(deterministic=True), "saved_model.pb", SavedModel),
        "text": Subject(text, "g.pbtxt", GraphDef, is_text=True),
        "index": Subject(values[0][1], values[0][0], others=values[1:]),
        "V1": Subject(v1_table(), "model"),
        "state": Subject(state, "checkpoint", others=beside),
    }


def v1_table() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        tensors = {"w": tf.constant([[1.0, 2.0]]), "n": tf.constant(7)}
        save_v1(Path(directory, "v1"), list(tensors), list(tensors.values()))
        return Path(directory, "v1").read_bytes()


NAMES = ("graph", "payloads", "meta graph", "SavedModel", "text", "index", "V1", "state")


Values = dict[tuple[str, int, str], Any]
"""Function, number of the node in its body, attribute -> value; ``variables``, number, name -> value."""


def look(path: Path) -> tuple[Model | None, Values]:
    """All that can be looked at; the model and the values that could be read, or ``None`` where it was refused."""
    try:
        model = graphscope.load(path)
    except GraphscopeError as error:
        check_refusal(path, error)
        return None, {}
    with refusals():
        summarize(model)
    with refusals():
        small = [(row, content) for row, content in weights(model) if (row.size_bytes or 0) <= READ_BYTES]
        list(with_statistics(small))
    values: Values = {}
    if model.has_graph:
        with refusals():
            list(list_nodes(model, Listing(functions=True)))
        for name, body in model.graph.bodies:
            list(scope_tree(body))
            values |= tensors(name, body)
        for node in model.graph:
            if (getattr(node.tensor(), "nbytes", 0) or 0) <= READ_BYTES:
                with refusals():
                    show(model, node.name)
    for number, variable in enumerate(model.variables):
        with refusals():
            values["variables", number, variable.name] = model.value(variable).numpy()
    return model, values


def check_refusal(path: Path, error: GraphscopeError) -> None:
    assert path.name in f"{error.message} {error.hint}"


def refusals() -> contextlib.AbstractContextManager[None]:
    return contextlib.suppress(GraphscopeError)


def tensors(function: str, body: Body) -> Iterator[tuple[tuple[str, int, str], Any]]:
    for number, node in enumerate(body):
        for key in node.attrs:
            tensor = node.tensor(key)
            if tensor is not None and (tensor.nbytes or 0) <= READ_BYTES:
                with refusals():
                    yield (function, number, key), tensor.numpy()


@contextlib.contextmanager
def memory(more: int) -> Iterator[None]:
    """At most ``more`` bytes of memory beside what this process has: an allocation above that is a ``MemoryError``."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        yield
        return
    import resource

    old = resource.getrlimit(resource.RLIMIT_AS)
    now = int(statm.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + more, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)


def put(subject: Subject, content: bytes, directory: Path) -> Path:
    for name, other in subject.others:
        (directory / name).write_bytes(other)
    (directory / subject.name).write_bytes(content)
    return directory / subject.name


def examine(subject: Subject, content: bytes, directory: Path) -> bool:
    """Looks at the file with ``content`` and checks what was found; returns whether it could be opened."""
    path = put(subject, content, directory)
    with memory(BOUND_BYTES + 4 * len(content)):
        model, values = look(path)
    if model is None:
        return False
    if subject.kind is None:
        assert_as_saved(subject.name, model, values)
    else:
        assert_as_protobuf(subject, content, model, values)
    return True


def assert_as_protobuf(subject: Subject, content: bytes, model: Model, values: Values) -> None:
    message = subject.kind()
    if subject.is_text:
        text_format.Parse(content.decode(), message)
    else:
        message.ParseFromString(content)
    metas = message.meta_graphs if subject.kind is SavedModel else [message]
    graph = next((m.graph_def if subject.kind is not GraphDef else m) for m in metas)
    bodies = {"": graph.node} | {f.signature.name: f.node_def for f in graph.library.function}
    for name, body in model.graph.bodies:
        stated = [(n.name, n.op, list(n.input), n.device, sorted(n.attr)) for n in bodies[name]]
        assert [(n.name, n.op, list(n.inputs), n.device, sorted(n.attrs)) for n in body] == stated
        for number, node in enumerate(bodies[name]):
            for key, value in node.attr.items():
                if (name, number, key) in values:
                    assert_as_numpy(values[name, number, key], value.tensor)


def assert_as_numpy(found: Any, proto: Any) -> None:
    try:
        expected = as_array(tf.make_ndarray(proto))
    except (TypeError, ValueError, OverflowError):
        return  # it knows fewer types and refuses what the runtime fills
    if expected.dtype.hasobject:
        assert [t or b"" for t in expected.reshape(-1)] == found.reshape(-1).tolist()
    else:
        assert found.shape == expected.shape
        assert found.tobytes() == expected.tobytes()


def assert_as_saved(name: str, model: Model, values: Values) -> None:
    if name == "checkpoint":
        assert Path(model.path).name in ("model.ckpt-6000", "model.ckpt-5700")
        return
    good = {"w": [[1.0], [2.0]], "w/Momentum": [[0.0], [0.0]], "global_step": 0}
    if name == "model":
        good = {"w": [[1.0, 2.0]], "n": 7}
    assert {variable: array.tolist() for (_, _, variable), array in values.items()} == good
