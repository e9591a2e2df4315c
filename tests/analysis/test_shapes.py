"""Static shapes: what is carried along, loops and functions, demands, feeds, and graphs that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphscope import load
from graphscope.analysis.shapes import Shapes, infer
from graphscope.analysis.shapes import rules as subjects
from graphscope.analysis.shapes.table import rule
from graphscope.core.changes.build import make_node
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.tensors import Shape
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.protos import FunctionDef, GraphDef, NodeDef
from tests.support.fixture_files import FIXTURES
from tests.support.saving import tf
from tests.support.written import graph_of as written

v1 = tf.compat.v1


def graph_of(message: Any) -> Graph:
    """A graph of TensorFlow's message, or of ours."""
    proto = GraphDef.FromString(message.SerializeToString())
    header = GraphDef()
    header.CopyFrom(proto)
    del header.node[:], header.library.function[:]
    functions = [Function(_without_nodes(f), [Node(n) for n in f.node_def]) for f in proto.library.function]
    return Graph(header, [Node(node) for node in proto.node], functions)


def _without_nodes(function: FunctionDef) -> FunctionDef:
    result = FunctionDef()
    result.CopyFrom(function)
    del result.node_def[:]
    return result


def built(build: Callable[[], Any], **feeds: Shape) -> Shapes:
    with tf.Graph().as_default() as graph:
        build()
    return infer(graph_of(graph.as_graph_def()), feeds)


# What is carried along


def test_a_batch_stays_the_same_batch() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 28, 28, 3], name="x")
        batch = tf.shape(x)[0]
        flat = tf.reshape(x, tf.stack([batch, -1]), name="flat")
        parts = tf.reshape(flat, tf.stack([batch, 14, 2, -1]), name="parts")
        tf.reshape(parts, [-1, 28, 28, 3], name="back")
        tf.reshape(flat, tf.concat([tf.shape(x)[:1], [56, 42]], 0), name="joined")
        tf.zeros(tf.stack([batch * 1, 5]), name="zeros")
        tf.reshape(tf.transpose(flat), [2352, -1], name="turned")
        tf.reshape(flat, tf.stack([tf.maximum(batch, 0), -1]), name="least")
        tf.reshape(flat, tf.stack([tf.maximum(-1, batch), -1]), name="less")
        tf.reshape(flat, tf.stack([tf.maximum(batch, 1), -1]), name="more")
        tf.pad(flat, tf.stack([tf.stack([0, batch]), [1, 2]]), name="padded")
        tf.zeros(tf.cast(tf.constant([250, 255], tf.uint8) + tf.constant([5, 1], tf.uint8), tf.int32)[:1], name="byte")
        tf.zeros(
            tf.cast(tf.constant([250, 255], tf.uint8) + tf.constant([5, 1], tf.uint8), tf.int32)[1:], name="wrapped"
        )

    found = built(build)
    names = ("flat", "parts", "back", "joined", "zeros", "turned", "least", "less", "more", "padded", "byte", "wrapped")
    expected = (
        *((None, 2352), (None, 14, 2, 84), (None, 28, 28, 3), (None, 56, 42), (None, 5), (2352, None)),
        *((None, 2352), (None, 2352), (None, None), (None, 2355), (255,), (None,)),
    )
    assert {name: found.shape(name) for name in names} == dict(zip(names, expected))


def test_a_slice_of_everything_keeps_the_batch() -> None:
    x = "x Placeholder(?,3)"
    numbers = ("zero Const:int32=[0]", "one Const:int32=[1]", "back Const:int32=[-1]")
    whole = (
        'StridedSlice{"end_mask":1} x zero zero one',
        'StridedSlice{"begin_mask":1,"end_mask":1} x one one one',
        'StridedSlice{"begin_mask":1,"end_mask":1} x one one back',
    )
    parts = (
        'StridedSlice{"end_mask":1} x one zero one',
        'StridedSlice{"end_mask":1} x zero zero back',
        'StridedSlice{"begin_mask":1} x zero one one',
    )
    found = infer(written([x, *numbers, *(f"y{k} {line}" for k, line in enumerate([*whole, *parts]))]))
    batch = (found.sizes("x") or ())[0]
    is_whole = [(found.sizes(f"y{k}") or ())[0] is batch for k in range(6)]
    assert is_whole == [True] * 3 + [False] * 3
    assert found.errors == {}


@pytest.mark.parametrize(("axis", "shape"), [(-1, (2, 3, 5)), (0, (5, 2, 3)), (1, (2, 5, 3)), (2, (2, 3, 5))])
def test_the_axis_of_one_hot(axis: int, shape: Shape) -> None:
    lines = ["x Placeholder(2,3)", "depth Const:int32=5", "value Const=1.0"]
    node = 'y OneHot{"axis":AXIS} x depth value value'
    assert infer(written([*lines, node.replace("AXIS", str(axis))])).shape("y") == shape
    for wrong in (-2, 3):
        assert list(infer(written([*lines, node.replace("AXIS", str(wrong))])).errors) == ["y"]


def test_elements_of_small_tensors() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 6, 8], name="x")
        size = tf.shape(x)[1:]
        half = tf.cast(tf.cast(size, tf.float32) / 2.0, tf.int32)
        tf.fill(half, 1.0, name="half")
        tf.reshape(x, [-1, tf.reduce_prod(size)], name="product")
        tf.tile(x, [1, 2, size[0] // 3], name="tiled")
        tf.range(0, size[1] * 2, 3, name="range")
        tf.zeros(tf.maximum(size, [7, 7]), name="most")
        tf.transpose(x, tf.range(tf.rank(x) - 1, -1, -1), name="turned")
        tf.reshape(tf.range(24), tf.gather([2, 3, 4, 12], [0, 3]), name="gathered")
        tf.pad(x, tf.stack([[0, 0], size, [1, 2]]), name="padded")

    found = built(build)
    expected = {
        "half": (3, 4),
        "product": (None, 48),
        "tiled": (None, 12, 16),
        "range": (6,),
        "most": (7, 8),
        "turned": (8, 6, None),
        "gathered": (2, 12),
        "padded": (None, 20, 11),
    }
    assert {name: found.shape(name) for name in expected} == expected


def test_overflow_and_rounding_are_never_guessed() -> None:
    def build() -> None:
        big = tf.constant(2**30, name="big")
        tf.zeros(tf.stack([big * 4]), name="wrapped")
        tf.range(0.0, 1.0, 0.1, name="tenths")
        tf.range(0.0, 3.0, tf.constant(0.3, tf.float32), name="thirds")

    found = built(build)
    assert found.shape("wrapped") == (None,)
    with tf.Graph().as_default():
        assert found.shape("tenths") == tuple(tf.range(0.0, 1.0, 0.1).shape.as_list())
        assert found.shape("thirds") == tuple(tf.range(0.0, 3.0, 0.3).shape.as_list())


def test_types() -> None:
    found = built(lambda: tf.math.argmax(v1.placeholder(tf.float32, [3, 4], name="x"), 1, name="y"))
    assert found.dtype("x") is DataType.FLOAT
    assert found.dtype("y:0") is DataType.INT64
    assert found.dtype("y:7") is DataType.INVALID
    assert found.shape("y:7") is None
    for ask in (found.shape, found.dtype, found.known):
        with pytest.raises(UnknownNameError):
            ask("nowhere")


# Loops and functions


def loop(use_v2: bool) -> Callable[[], None]:
    def build() -> None:
        with _ControlFlow(use_v2):
            x = v1.placeholder(tf.float32, [None, 4], name="x")
            results = v1.while_loop(
                lambda i, same, grows: i < 3,
                lambda i, same, grows: (i + 1, tf.tanh(same), tf.concat([grows, grows], 1)),
                [tf.constant(0), x, x],
                shape_invariants=[tf.TensorShape([]), x.shape, tf.TensorShape([None, None])],
            )
            for name, result in zip(("i", "same", "grows"), results):
                tf.identity(result, name=name)

    return build


class _ControlFlow:
    """TensorFlow's loops as nodes, or as functions."""

    def __init__(self, use_v2: bool) -> None:
        self.use_v2 = use_v2

    def __enter__(self) -> None:
        (v1.enable_control_flow_v2 if self.use_v2 else v1.disable_control_flow_v2)()

    def __exit__(self, *_: object) -> None:
        v1.enable_control_flow_v2()


@pytest.mark.parametrize("use_v2", [False, True])
def test_loops(use_v2: bool) -> None:
    found = built(loop(use_v2))
    assert {name: found.shape(name) for name in ("i", "same", "grows")} == {
        "i": (),
        "same": (None, 4),
        "grows": (None, None),
    }
    assert found.errors == {}
    fed = built(loop(use_v2), x=(2, 4))
    assert (fed.shape("same"), fed.shape("grows")) == ((2, 4), (2, None))


def test_an_error_that_more_turns_take_back_is_forgotten() -> None:
    """Before it is known what comes round, the variable seems to have its first shape, which does not fit."""
    lines = ["x Placeholder(2,3)", "five Placeholder(5,3)", "any Placeholder(?,3)", "enter Enter x"]
    lines += ["merge Merge enter next", "sum AddV2 merge five", "next NextIteration any", "wrong AddV2 x five"]
    found = infer(written(lines))
    assert list(found.errors) == ["wrong"]
    assert (found.shape("merge"), found.shape("sum")) == ((None, 3), (5, 3))


def test_a_rank_that_changes_in_a_loop_is_unknown() -> None:
    def build() -> None:
        with _ControlFlow(False):
            x = v1.placeholder(tf.float32, [3, 4], name="x")
            invariants = [tf.TensorShape([]), tf.TensorShape(None)]
            results = v1.while_loop(
                lambda i, y: i < 3, lambda i, y: (i + 1, tf.expand_dims(y, 0)), [tf.constant(0), x], invariants
            )
            tf.identity(results[1], name="deep")

    found = built(build)
    assert found.shape("deep") is None
    assert found.errors == {}


def test_branches() -> None:
    def build() -> None:
        x, flag = v1.placeholder(tf.float32, [5, 4], name="x"), v1.placeholder(tf.bool, [], name="flag")
        y = tf.cond(flag, lambda: (x, x), lambda: (x[:2], tf.reshape(x, [-1])))
        tf.identity(y[0], name="rows")
        tf.identity(y[1], name="rank")

    for use_v2 in (False, True):
        with _ControlFlow(use_v2):
            found = built(build)
        assert found.shape("rows") == (None, 4)
        assert found.shape("rank") is None


def test_functions_are_followed_for_each_call() -> None:
    def build() -> None:
        @tf.function
        def flatten(value: Any) -> Any:
            return tf.reshape(value, [tf.shape(value)[0], -1])

        spec = tf.TensorSpec(None, tf.float32)
        concrete = flatten.get_concrete_function(spec)
        tf.identity(concrete(v1.placeholder(tf.float32, [None, 3, 4], name="x")), name="a")
        tf.identity(concrete(v1.placeholder(tf.float32, [7, 5, 2, 2], name="z")), name="b")

    found = built(build)
    assert (found.shape("a"), found.shape("b")) == ((None, 12), (7, 20))


def test_a_for_loop_gives_its_body_the_counter_first() -> None:
    def build() -> None:
        @tf.function
        def body(i: Any, total: Any, row: Any) -> Any:
            return total + tf.reduce_sum(row), tf.expand_dims(row[0], 0)

        concrete = body.get_concrete_function(*(tf.TensorSpec(None, d) for d in (tf.int32, tf.float32, tf.float32)))
        start = [v1.placeholder(tf.float32, []), v1.placeholder(tf.float32, [2, 3])]
        results = tf.raw_ops.For(start=0, limit=5, delta=1, input=start, body=concrete)
        tf.identity(results[0], name="total")
        tf.identity(results[1], name="row")

    found = built(build)
    assert (found.shape("total"), found.shape("row")) == ((), (None, 3))


def test_what_runs_in_one_of_several_branches() -> None:
    def build() -> None:
        x, choice = v1.placeholder(tf.float32, [5, 4], name="x"), v1.placeholder(tf.int32, [], name="choice")
        branches = [lambda: x, lambda: x[:2], lambda: tf.zeros([3, 4])]
        with _ControlFlow(True):
            tf.identity(tf.switch_case(choice, branches), name="case")

    found = built(build)
    assert found.shape("case") == (None, 4)


def test_outputs_that_are_not_there() -> None:
    found = built(lambda: v1.placeholder(tf.float32, [2], name="x"))
    assert (found.dtype("x"), found.dtype("x:1")) == (DataType.FLOAT, DataType.INVALID)
    assert (found.shape("x:0"), found.shape("x:1")) == ((2,), None)


def test_outputs_within_functions_have_names() -> None:
    """Also those of which there are several under one name, in a function of a file."""

    def build() -> None:
        @tf.function
        def second(value: Any) -> Any:
            parts = tf.split(value, [1, 2, 3])
            top = tf.math.top_k(value, 2)
            return parts[0], parts[1], parts[2], top.values, top.indices

        concrete = second.get_concrete_function(tf.TensorSpec([6], tf.float32))
        for k, part in enumerate(concrete(v1.placeholder(tf.float32, [6]))):
            tf.identity(part, name=f"part{k}")

    found = built(build)
    assert [found.shape(f"part{k}") for k in range(5)] == [(1,), (2,), (3,), (2,), (2,)]


def test_functions_that_call_each_other_without_end() -> None:
    message = GraphDef()
    names = [f"f{k}" for k in range(40)]
    for name, called in zip(names, [*names[1:], "f0"]):
        function = message.library.function.add()
        function.signature.name = name
        function.signature.input_arg.add(name="a", type=1)
        function.signature.output_arg.add(name="b", type=1)
        for k in range(2):
            node = function.node_def.add(name=f"n{k}", op="PartitionedCall", input=["a" if not k else "n0:output:0"])
            node.attr["f"].func.name = called
            node.attr["Tin"].list.type.append(1)
            node.attr["Tout"].list.type.append(1)
        function.ret["b"] = "n1:output:0"
    placeholder(message, "x", (3,))
    message.node.add(name="y", op="f0", input=["x"])
    assert infer(graph_of(message)).shape("y") is None


# Demands


def test_placeholders_take_what_consumers_demand() -> None:
    def build() -> None:
        def any_shape(name: str, dtype: Any = tf.float32) -> Any:
            return v1.placeholder(dtype, name=name)

        tf.raw_ops.MatMul(a=tf.tanh(any_shape("rows")), b=tf.zeros([8, 3]), name="product")
        tf.nn.conv2d(any_shape("image"), tf.zeros([3, 3, 5, 2]), 1, "SAME", name="conv")
        tf.io.decode_jpeg(any_shape("jpeg", tf.string), channels=3, name="decoded")
        tf.matmul(v1.placeholder(tf.float32, [None, None], name="partly"), tf.zeros([6, 2]), name="other")
        tf.tanh(any_shape("free"), name="whatever")
        tf.nn.softmax(v1.placeholder(tf.float32, [None, 4], name="stated"), name="probabilities")

    found = built(build)
    assert {name: found.shape(name) for name in ("rows", "image", "jpeg", "partly", "free")} == {
        "rows": (None, 8),
        "image": (None, None, None, 5),
        "jpeg": (),
        "partly": (None, 6),
        "free": None,
    }
    assert found.shape("Tanh") == (None, 8)
    assert found.shape("conv") == (None, None, None, 2)
    assumed = {name for name in ("rows", "Tanh", "image", "jpeg", "partly") if not found.known(name)}
    assert assumed == {"rows", "Tanh", "image", "jpeg", "partly"}
    assert found.known("product")
    assert found.known("decoded")
    assert found.known("stated")
    assert found.known("free")


def test_demands_that_contradict_each_other_are_dropped() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, name="x")
        tf.raw_ops.MatMul(a=x, b=tf.zeros([8, 3]), name="one")
        tf.raw_ops.MatMul(a=x, b=tf.zeros([9, 3]), name="other")

    found = built(build)
    assert found.shape("x") is None
    assert found.known("x")
    assert found.errors == {}


def test_demands_that_some_other_node_does_not_fit_are_dropped() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, name="x")
        tf.raw_ops.MatMul(a=x, b=tf.zeros([8, 3]), name="product")
        tf.raw_ops.AddV2(x=x, y=tf.zeros([5, 7]), name="sum")

    found = built(build)
    assert found.shape("x") is None
    assert found.errors == {}


# Feeds


def test_feeds_take_the_place_of_what_is_stated() -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 6], name="x")
        tf.reshape(tf.matmul(x, tf.zeros([6, 4])), [-1], name="y")

    assert built(build).shape("y") == (None,)
    assert built(build, x=(5, 6)).shape("y") == (20,)
    assert built(build, **{"MatMul:0": (2, 4)}).shape("y") == (8,)
    with pytest.raises(GraphscopeError, match=r"x:0 is \(\?, 6\) and cannot be fed \(5, 7\)"):
        built(build, x=(5, 7))
    with pytest.raises(UnknownNameError):
        built(build, z=(1,))


def test_a_feed_that_no_consumer_fits_is_an_error_of_the_consumer() -> None:
    def build() -> None:
        tf.raw_ops.MatMul(a=v1.placeholder(tf.float32, name="x"), b=tf.zeros([6, 4]), name="y")

    assert list(built(build, x=(5, 7)).errors) == ["y"]


# Graphs that are wrong


def placeholder(message: Any, name: str, shape: tuple[int, ...]) -> None:
    node = message.node.add(name=name, op="Placeholder")
    node.attr["dtype"].type = 1
    node.attr["shape"].shape.SetInParent()
    for size in shape:
        node.attr["shape"].shape.dim.add(size=size)


WRONG: dict[str, tuple[str, list[str], dict[str, Any]]] = {
    "rank": ("MatMul", ["x", "x"], {}),
    "sizes": ("AddV2", ["x", "y"], {}),
    "missing inputs": ("MatMul", ["x"], {}),
    "no inputs": ("Conv2D", [], {}),
    "strides": ("MaxPool", ["x"], {}),
    "squeezed": ("Squeeze", ["x"], {"squeeze_dims": [1]}),
    "axis": ("Pack", ["x", "x"], {"axis": 9}),
    "no value": ("Const", [], {}),
}


@pytest.mark.parametrize("kind", sorted(WRONG))
def test_errors_are_kept_by_node(kind: str) -> None:
    op, inputs, attributes = WRONG[kind]
    message = GraphDef()
    message.versions.producer = 1000
    placeholder(message, "x", (2, 3, 4))
    placeholder(message, "y", (2, 3, 5))
    node = message.node.add(name="wrong", op=op, input=inputs)
    for name, value in attributes.items():
        if isinstance(value, list):
            node.attr[name].list.i.extend(value)
        else:
            node.attr[name].i = value
    message.node.add(name="below", op="Tanh", input=["wrong"])
    message.node.add(name="beside", op="Tanh", input=["x"])
    found = infer(graph_of(message))
    assert list(found.errors) == ["wrong"]
    assert found.shape("wrong") is found.shape("below") is None
    assert found.shape("beside") == (2, 3, 4)


def test_sizes_beyond_64_bits() -> None:
    message = GraphDef()
    message.versions.producer = 1000
    placeholder(message, "x", (2**40, 2**40))
    message.node.add(name="size", op="Size", input=["x"])
    message.node.add(name="flat", op="Tile", input=["x", "times"])
    times = message.node.add(name="times", op="Const")
    times.attr["dtype"].type = 9
    times.attr["value"].tensor.dtype = 9
    times.attr["value"].tensor.tensor_shape.dim.add(size=2)
    times.attr["value"].tensor.int64_val.extend([2**62, 2**62])
    message.node.add(name="around", op="Tanh", input=["around"])
    for name, value in (("start", -(2**63)), ("limit", 2**63 - 1), ("delta", 1)):
        node = message.node.add(name=name, op="Const")
        node.attr["dtype"].type = 9
        node.attr["value"].tensor.dtype = 9
        node.attr["value"].tensor.tensor_shape.SetInParent()
        node.attr["value"].tensor.int64_val.append(value)
    message.node.add(name="range", op="Range", input=["start", "limit", "delta"])
    found = infer(graph_of(message))
    assert found.shape("size") == ()
    assert "flat" in found.errors
    assert found.shape("around") is None


MODELS = ("rnn/model.ckpt-3000.meta", "batchnorm_resource/model.ckpt-4800.meta", "lenet5/saved_model/saved_model.pb")


@settings(max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck))
@given(model=st.sampled_from(MODELS), random=st.randoms(use_true_random=False))
def test_any_graph_is_looked_at_without_an_exception(model: str, random: Any) -> None:
    """Inputs, ops and attributes are exchanged at random."""
    original = load(FIXTURES / model).graph
    nodes = [Node(_copy(node.proto), node.payloads) for node in original]
    for node in random.sample(nodes, min(20, len(nodes))):
        _spoil(node.proto, random.choice(nodes).proto, random)
    found = infer(original.with_nodes(nodes))
    assert all(isinstance(message, str) for message in found.errors.values())
    assert len(found.by_name) >= 0


def _copy(proto: NodeDef) -> NodeDef:
    result = NodeDef()
    result.CopyFrom(proto)
    return result


def _spoil(node: NodeDef, other: NodeDef, random: Any) -> None:
    kind = random.choice(["op", "inputs", "drop", "attributes", "input", "attribute"])
    if kind == "op":
        node.op = other.op
    elif kind == "inputs":
        node.input[:] = other.input
    elif kind == "drop":
        del node.input[random.randrange(len(node.input) + 1) :]
    elif kind == "input" and node.input:
        node.input[random.randrange(len(node.input))] = f"{other.name}:{random.randrange(3)}"
    elif kind == "attributes":
        for name in list(node.attr):
            del node.attr[name]
    else:
        for name in set(node.attr) & set(other.attr):
            node.attr[name].CopyFrom(other.attr[name])


def test_nodes_that_share_a_name_are_no_reason_to_fail() -> None:
    nodes = [make_node("x", "Placeholder", (), {}), make_node("m", "Neg", ["x"], {})]
    nodes.append(make_node("m", "Neg", ["m", "gone:3"], {}))
    found = infer(Graph(GraphDef(), nodes))
    assert found.shape("x:0") is None


def test_every_module_of_rules_is_looked_into() -> None:
    """One that is not listed would never be imported; what registers no rule is for the others."""
    modules = {path.stem for path in Path(subjects.__file__).parent.glob("*.py")}
    assert modules - set(subjects.SUBJECTS) == {"__init__", "layouts"}
    assert len(subjects.SUBJECTS) == len(set(subjects.SUBJECTS)) == len(modules) - 2


def test_an_op_has_one_rule() -> None:
    assert subjects.find_rule("MatMul") is not None
    with pytest.raises(AssertionError, match="MatMul"):
        rule("MatMul")(lambda _: ())
    assert subjects.find_rule("NoOpOfThisName") is None
