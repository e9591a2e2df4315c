"""Freezing graphs that TensorFlow builds here, one for each way to reach a variable, compared with the restored session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.cli.terminal.wording import to_words
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.transforms.freeze import FreezeOptions, freeze
from tests.support.saving import tf
from tests.support.verified import assert_same
from tests.support.zoo_files import ZOO, needs_zoo
from tests.transforms.test_freeze import compared, frozen_file

from graphscope.runtime.comparing.verify import verify  # isort: skip

v1 = tf.compat.v1

NO_LONGER = set(
    "VariableV2 Variable VarHandleOp ReadVariableOp ResourceGather ResourceGatherNd VariableShape"
    " RefSwitch RefMerge RefEnter RefIdentity".split()
)
"""What no frozen graph holds, in its functions neither."""


@dataclass
class Saved:
    """What a graph's builder wants of its saving and freezing.

    Attributes:
        outputs: what to compute.
        set: placeholders to bake.
        saver: makes the ``Saver``; by default of all global variables.
        options: more of :class:`FreezeOptions`.
        feeds: node or tensor name -> value; random where nothing is said.
        present, absent: ops that the saved graph has (or the test tests nothing), and that the frozen one has not.
    """

    outputs: list[str] = field(default_factory=lambda: ["out"])
    set: Mapping[str, Any] = field(default_factory=dict)
    saver: Callable[[], Any] = lambda: v1.train.Saver()
    options: Mapping[str, Any] = field(default_factory=dict)
    feeds: Mapping[str, Any] | None = None
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def save(build: Callable[[], Saved], directory: Path, *, modern: bool) -> tuple[Model, Saved]:
    """A meta checkpoint of what ``build`` makes, its variables initialized with a fixed seed."""
    before = v1.control_flow_v2_enabled()
    (v1.enable_control_flow_v2 if modern else v1.disable_control_flow_v2)()
    try:
        with tf.Graph().as_default() as graph:
            v1.set_random_seed(7)
            saved = build()
            saver = saved.saver()
            with v1.Session() as session:
                session.run(v1.global_variables_initializer())
                saver.save(session, str(directory / "model.ckpt"), write_state=False)
            assert set(saved.present) <= all_ops(graph.as_graph_def())
    finally:
        (v1.enable_control_flow_v2 if before else v1.disable_control_flow_v2)()
    return graphscope.load(directory / "model.ckpt"), saved


def all_ops(graph_def: Any) -> set[str]:
    inner = (node for function in graph_def.library.function for node in function.node_def)
    return {node.op for node in [*graph_def.node, *inner]}


def ops_of(model: Model) -> set[str]:
    return {op for _, body in model.graph.bodies for op in body.ops}


def check(build: Callable[[], Saved], directory: Path, *, fold: bool, modern: bool = False) -> Model:
    """Builds, saves, freezes, compares; gives the frozen model."""
    model, saved = save(build, directory, modern=modern)
    found, result = compared(
        model,
        directory / "frozen.pb",
        saved.set,
        outputs=saved.outputs,
        fold=fold,
        feeds=saved.feeds,
        **saved.options,
    )
    assert found.is_within
    if not fold:
        assert_same(found)
    assert not any(output.is_random for output in found.outputs)
    assert not (NO_LONGER | set(saved.absent)) & ops_of(result)
    run_elsewhere(result, saved.outputs)
    return result


def run_elsewhere(result: Model, outputs: list[str]) -> None:
    """TensorFlow's own import takes the file, and each output has a tensor."""
    graph_def = v1.GraphDef.FromString(Path(result.path).read_bytes())
    with tf.Graph().as_default():
        found = v1.import_graph_def(graph_def, name="", return_elements=outputs)
    assert all(element is not None for element in found)


def x(*shape: int | None, dtype: Any = tf.float32, name: str = "x") -> Any:
    return v1.placeholder(dtype, shape, name=name)


def variable(name: str, *shape: int, resource: bool = False, dtype: Any = tf.float32, **options: Any) -> Any:
    initializer = None if dtype.is_floating else v1.random_uniform_initializer(0, 9, dtype=dtype)
    return v1.get_variable(name, list(shape), dtype, initializer, use_resource=resource, **options)


def out(value: Any, name: str = "out") -> Any:
    return tf.identity(value, name=name)


# Reference variables


def reference_in_cond() -> Saved:
    v, w = variable("v", 3), variable("w", 3)
    held = x(3)
    out(v1.cond(x(dtype=tf.bool, name="p"), lambda: v * held, lambda: v + w))
    return Saved(present=("Switch", "Merge"))


def reference_through_ref_switch() -> Saved:
    v, w = variable("v", 3), variable("w", 3)
    p = x(dtype=tf.bool, name="p")
    _, taken = tf.raw_ops.RefSwitch(data=v._ref(), pred=p)
    off, _ = tf.raw_ops.RefSwitch(data=w._ref(), pred=p)
    merged, index = tf.raw_ops.RefMerge(inputs=[off, taken])
    out(tf.raw_ops.RefIdentity(input=merged) * x(3) + tf.cast(index, tf.float32))
    return Saved(present=("RefSwitch", "RefMerge", "RefIdentity"))


def reference_in_while() -> Saved:
    v, n = variable("v", 3), x(dtype=tf.int32, name="n")
    _, total = v1.while_loop(lambda i, t: i < n, lambda i, t: (i + 1, t * 0.5 + v), [0, x(3)])
    out(total)
    return Saved(present=("Enter", "Exit"))


def reference_entered() -> Saved:
    """A loop whose constant input is the reference itself."""
    v, n = variable("v", 3), x(dtype=tf.int32, name="n")
    loop = {"frame_name": "loop", "parallel_iterations": 10}
    held = tf.raw_ops.RefEnter(data=v._ref(), is_constant=True, **loop)
    bound = tf.raw_ops.Enter(data=n, is_constant=True, **loop)
    i = tf.raw_ops.Enter(data=tf.constant(0), **loop)
    t = tf.raw_ops.Enter(data=x(3), **loop)
    i_merged, t_merged = (tf.raw_ops.Merge(inputs=[e, e], name="merge").output for e in (i, t))
    go_on = tf.raw_ops.LoopCond(input=i_merged < bound)
    i_out, i_in = tf.raw_ops.Switch(data=i_merged, pred=go_on)
    t_out, t_in = tf.raw_ops.Switch(data=t_merged, pred=go_on)
    with tf.control_dependencies([i_in]):
        one, half = tf.constant(1), tf.constant(0.5)
    for merged, back in ((i_merged, i_in + one), (t_merged, t_in * half + held)):
        merged.op._update_input(1, tf.raw_ops.NextIteration(data=back))
    tf.raw_ops.Exit(data=i_out)
    out(tf.raw_ops.Exit(data=t_out))
    return Saved(present=("RefEnter",))


def reference_asked_whether_initialized() -> Saved:
    v = variable("v", 3)
    out(x(3) * v.initialized_value())
    return Saved(present=("IsVariableInitialized",), absent=("IsVariableInitialized",))


def reference_integers() -> Saved:
    rows = variable("rows", 2, 1, dtype=tf.int32)
    out(tf.scatter_nd(rows._ref(), x(2, 3), [10, 3]))
    return Saved(present=("ScatterNd",))


# Resource variables


def resource_read() -> Saved:
    v = variable("v", 3, resource=True)
    out(x(3) * v)
    return Saved(present=("VarHandleOp", "ReadVariableOp"))


def resource_gather() -> Saved:
    v = variable("v", 5, 4, resource=True)
    out(tf.gather(v, x(None, dtype=tf.int32)))
    return Saved(feeds={"x": np.int32([4, 0, 1])}, present=("ResourceGather",))


def resource_gather_int64_twice() -> Saved:
    v = variable("v", 10, 4, resource=True)
    indices = x(None, 2, dtype=tf.int64)
    a = tf.nn.embedding_lookup(v, indices)
    out(a + v.sparse_read(indices))
    return Saved(present=("ResourceGather",))


def resource_gather_named_axis() -> Saved:
    """The node that a frozen gather takes its axis from must not meet one of that name."""
    v, options = variable("v", 3, 10, 4, resource=True), {"batch_dims": 1, "name": "g"}
    rows = tf.raw_ops.ResourceGather(resource=v.handle, indices=x(3, 2, dtype=tf.int32), dtype=tf.float32, **options)
    out(rows + tf.constant(2.0, name="g/axis"))
    return Saved(present=("ResourceGather",))


def resource_gather_batch_dims() -> Saved:
    v = variable("v", 3, 10, 4, resource=True)
    out(tf.gather(v, x(3, 2, dtype=tf.int32), batch_dims=1, axis=1))
    indices = x(3, 2, dtype=tf.int32, name="y")
    both = tf.raw_ops.ResourceGather(resource=v.handle, indices=indices, dtype=tf.float32, batch_dims=1)
    out(both, "batched")
    return Saved(["out", "batched"], present=("ResourceGather",))


def resource_gather_nd() -> Saved:
    v = variable("v", 10, 10, 2, resource=True)
    out(v.gather_nd(x(None, 2, dtype=tf.int32)))
    return Saved(present=("ResourceGatherNd",))


def resource_shape() -> Saved:
    v = variable("v", 6, 4, resource=True)
    shape = tf.raw_ops.VariableShape(input=v.handle, out_type=tf.int64, name="shape")
    out(tf.reshape(x(24), shape))
    out(tf.raw_ops.VariableShape(input=v.handle) * 2, "shape32")
    return Saved(["out", "shape32", "shape"], present=("VariableShape",))


def resource_in_cond() -> Saved:
    v, w = variable("v", 3, resource=True), variable("w", 9, 3, resource=True)
    p, held = x(dtype=tf.bool, name="p"), x(3)

    def other() -> Any:
        return tf.gather(w, 2) + w.gather_nd([1]) + tf.cast(tf.shape(w)[0], tf.float32)

    out(v1.cond(p, lambda: v * held, other))
    return Saved()


def resource_in_nested_cond() -> Saved:
    v, p = variable("v", 3, resource=True), x(dtype=tf.bool, name="p")
    q, held = x(dtype=tf.bool, name="q"), x(3)
    out(v1.cond(p, lambda: v1.cond(q, lambda: v * 2.0, lambda: v - held), lambda: held / v))
    return Saved()


def resource_in_while() -> Saved:
    v, w = variable("v", 3, resource=True), variable("w", 10, 3, resource=True)
    n = x(dtype=tf.int32, name="n")
    _, total = v1.while_loop(lambda i, t: i < n, lambda i, t: (i + 1, t * 0.5 + v + tf.gather(w, i)), [0, x(3)])
    out(total)
    return Saved()


def resource_in_cond_in_while() -> Saved:
    v, n = variable("v", 3, resource=True), x(dtype=tf.int32, name="n")

    def step(i: Any, t: Any) -> Any:
        return i + 1, v1.cond(tf.equal(i % 2, 0), lambda: t + v, lambda: t * v)

    out(v1.while_loop(lambda i, t: tf.logical_and(i < n, tf.reduce_sum(v) < 1e3), step, [0, x(3)])[1])
    return Saved()


def resource_asked_whether_initialized() -> Saved:
    v, held = variable("v", 3, resource=True), x(3)
    out(v1.cond(v1.is_variable_initialized(v), lambda: v * held, lambda: held))
    return Saved(present=("VarIsInitializedOp",), absent=("VarIsInitializedOp",))


# Library functions


def in_function() -> Saved:
    v, w = variable("v", 3, resource=True), variable("w", 10, 3, resource=True)

    @tf.function
    def compute(a: Any) -> Any:
        return a * v + tf.gather(w, [1, 2, 3]) + w.gather_nd([[4]]) + tf.cast(tf.shape(w)[1], tf.float32)

    out(compute(x(3)))
    return Saved(present=("ResourceGather", "ResourceGatherNd", "ReadVariableOp"))


def in_nested_functions() -> Saved:
    v, u = variable("v", 3, resource=True), variable("u", 3, resource=True, dtype=tf.float64)

    @tf.function
    def inner(a: Any) -> Any:
        return a * v + tf.cast(u, tf.float32)

    @tf.function
    def outer(a: Any) -> Any:
        return inner(a) + inner(a + 1) * v

    out(outer(x(3)) + inner(x(3, name="y")))
    return Saved()


def in_function_without_variables() -> Saved:
    v = variable("v", 3, resource=True)

    @tf.function
    def plain(a: Any, b: Any) -> Any:
        return a * b, a + b

    product, total = plain(x(3), v)
    out(product - total * v)
    return Saved()


def in_function_with_loop_and_branch() -> Saved:
    v = variable("v", 3, resource=True)

    @tf.function
    def compute(a: Any, n: Any) -> Any:
        for i in tf.range(n):
            if i % 2 == 0:
                a = a + v
            else:
                a = a * v
        return a

    out(compute(x(3), x(dtype=tf.int32, name="n")))
    return Saved(present=("While",))


def in_partitioned_calls() -> Saved:
    """Both call ops, written down as such: one function reads its argument, the other takes two handles."""
    v, w = variable("v", 3, resource=True), variable("w", 3, resource=True)

    @tf.function
    def read(a: Any) -> Any:
        return a + v

    @tf.function
    def both(a: Any) -> Any:
        return read(a) * w

    for name, function in (("stateless", read), ("stateful", both)):
        concrete = function.get_concrete_function(tf.TensorSpec([3]))
        concrete.add_to_graph(tf.compat.v1.get_default_graph())
        call = tf.raw_ops.PartitionedCall if name == "stateless" else tf.raw_ops.StatefulPartitionedCall
        args = [x(3, name=f"x_{name}"), *concrete.captured_inputs]
        out(call(args=args, Tout=[tf.float32], f=concrete)[0], name)
    return Saved(["stateless", "stateful"], present=("PartitionedCall", "StatefulPartitionedCall"))


def handle_as_loop_variable() -> Saved:
    v = variable("v", 3, resource=True)

    @tf.function
    def go_on(i: Any, a: Any, handle: Any) -> Any:
        return i < tf.cast(tf.reduce_sum(tf.raw_ops.VariableShape(input=handle)), tf.int32)

    @tf.function
    def step(i: Any, a: Any, handle: Any) -> Any:
        return i + 1, a * tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32), handle

    specs = (tf.TensorSpec([], tf.int32), tf.TensorSpec([3]), tf.TensorSpec([], tf.resource))
    cond, body = (f.get_concrete_function(*specs) for f in (go_on, step))
    for function in (cond, body):
        function.add_to_graph(v1.get_default_graph())
    found = tf.raw_ops.While(input=[tf.constant(0), x(3), v.handle], cond=cond, body=body)
    out(found[1] + tf.raw_ops.ReadVariableOp(resource=found[2], dtype=tf.float32))
    return Saved(present=("While",))


def stateless_if() -> Saved:
    v = variable("v", 3, resource=True)

    @tf.function
    def yes(handle: Any, a: Any) -> Any:
        return a * tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)

    @tf.function
    def no(handle: Any, a: Any) -> Any:
        return a + tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)

    specs = (tf.TensorSpec([], tf.resource), tf.TensorSpec([3]))
    branches = [f.get_concrete_function(*specs) for f in (yes, no)]
    for function in branches:
        function.add_to_graph(v1.get_default_graph())
    for op in ("If", "StatelessIf"):
        made = getattr(tf.raw_ops, op)(
            cond=x(dtype=tf.bool, name=f"p_{op}"),
            input=[v.handle, x(3, name=f"x_{op}")],
            Tout=[tf.float32],
            then_branch=branches[0],
            else_branch=branches[1],
        )
        out(made[0], f"out_{op}")
    return Saved(["out_If", "out_StatelessIf"], present=("If", "StatelessIf"))


def switch_case() -> Saved:
    v, w = variable("v", 3, resource=True), variable("w", 3, resource=True)
    held = x(3)
    out(tf.switch_case(x(dtype=tf.int32, name="n"), [lambda: v * held, lambda: w + 1.0, lambda: v - w]))
    return Saved(present=("Case",))


# Slices, names, averages


def partitioned_rows() -> Saved:
    return _partitioned(0)


def partitioned_columns() -> Saved:
    return _partitioned(1)


def _partitioned(axis: int) -> Saved:
    """Three parts, the first larger than the others."""
    for resource in (False, True):
        partitioner = v1.fixed_size_partitioner(3, axis)
        v = variable(f"v{int(resource)}", 7, 8, resource=resource, partitioner=partitioner)
        out(tf.matmul(x(2, 7, name=f"x{int(resource)}"), tf.convert_to_tensor(v)), f"out{int(resource)}")
    return Saved(["out0", "out1"])


def partitioned_lookup() -> Saved:
    v = variable("v", 10, 4, resource=True, partitioner=v1.fixed_size_partitioner(3))
    out(v1.nn.embedding_lookup(v, x(None, dtype=tf.int32), partition_strategy="div"))
    return Saved()


def renamed() -> Saved:
    v, w = variable("v", 3), variable("w", 3, resource=True)
    out(v * x(3) - w)
    return Saved(saver=lambda: v1.train.Saver({"w": v, "other/name": w}))


def sharded() -> Saved:
    v, w = variable("v", 3), variable("w", 3)
    out(v * x(3) - w)
    return Saved(saver=lambda: v1.train.Saver(sharded=True))


def switched_deep() -> Saved:
    v, p = variable("v", 3), x(dtype=tf.bool, name="is_training")
    w, held = variable("w", 3), x(3)

    def training() -> Any:
        with tf.control_dependencies([v1.assign_add(v, held)]):
            return held * 3.0

    def inner() -> Any:
        return v1.cond(p, training, lambda: held * v)

    out(v1.cond(tf.logical_not(p), inner, training) + v1.cond(p, training, lambda: held * w))
    return Saved(set={"is_training": False}, absent=("Switch", "Merge", "AssignAdd"))


def switched_function() -> Saved:
    v, p = variable("v", 3, resource=True), x(dtype=tf.bool, name="is_training")
    held = x(3)

    def training() -> Any:
        return held + v.assign_add(held)

    def inner() -> Any:
        return v1.cond(p, training, lambda: held * v)

    out(v1.cond(p, training, inner))
    return Saved(set={"is_training": False}, absent=("AssignAddVariableOp",))


def dropout_kept() -> Saved:
    v, keep = variable("v", 30, resource=True), x(name="keep_prob")
    out(v1.nn.dropout(x(30) * v, keep_prob=keep))
    return Saved(set={"keep_prob": 1})


def dropout_rate() -> Saved:
    v, rate = variable("v", 30, resource=True), x(name="rate")
    out(v1.nn.dropout(x(30) * v, rate=rate))
    return Saved(set={"rate": 0.0})


def batch_norm_switched() -> Saved:
    """Moving averages of reference variables that the training branch assigns to."""
    p = x(dtype=tf.bool, name="phase_train")
    beta, mean, variance = variable("beta", 3), variable("mean", 3), variable("variance", 3)
    held = x(4, 3)
    batch_mean, batch_variance = tf.nn.moments(held, [0])

    def training() -> Any:
        with tf.control_dependencies([v1.assign(mean, batch_mean), v1.assign(variance, batch_variance)]):
            return tf.identity(batch_mean), tf.identity(batch_variance)

    m, s = v1.cond(p, training, lambda: (tf.identity(mean), tf.abs(variance)))
    out(tf.nn.batch_normalization(held, m, s, beta, None, 1e-3))
    return Saved(set={"phase_train": False}, absent=("Assign", "Switch", "Merge"))


# Unusual outputs and inputs


def output_is_a_read() -> Saved:
    v, _ = variable("v", 3, resource=True), variable("w", 3)
    read = v.read_value()
    out(x(3) * read)
    return Saved([read.op.name, "w", "w/read", "v/Read/ReadVariableOp", "out"])


def output_is_constant() -> Saved:
    variable("v", 3)
    tf.constant([1.0, 2.0], name="c")
    x(3)
    return Saved(["c", "x"])


def output_of_several() -> Saved:
    v = variable("v", 6, 2)
    first, _, third = tf.split(v * x(6, 2), 3, name="parts")
    out(first * third)
    return Saved(["parts:1", "out", "parts:2"])


def cut_open_inside() -> Saved:
    v = variable("v", 3)
    hidden = tf.add(tf.io.decode_raw(x(dtype=tf.string, name="bytes"), tf.float32), 1.0, name="hidden")
    out(tf.reshape(hidden, [3]) * v)
    return Saved(options={"inputs": ["hidden:0"]}, feeds={"hidden": np.float32([1, 2, -3])}, absent=("DecodeRaw",))


def default_taken() -> Saved:
    v = variable("v", 3)
    out(v1.placeholder_with_default(v * 2.0, [3], name="d") * x(3))
    return Saved(present=("PlaceholderWithDefault",))


def default_left_open() -> Saved:
    v = variable("v", 3)
    out(v1.placeholder_with_default(v * 2.0, [3], name="d") * x(3))
    return Saved(options={"inputs": ["d"]}, feeds={"d": np.float32([4, 5, 6])})


LEGACY = [
    reference_in_cond,
    reference_through_ref_switch,
    reference_in_while,
    reference_entered,
    reference_asked_whether_initialized,
    reference_integers,
    resource_gather_named_axis,
    partitioned_rows,
    partitioned_columns,
    partitioned_lookup,
    renamed,
    sharded,
    switched_deep,
    batch_norm_switched,
    dropout_kept,
    dropout_rate,
    output_is_a_read,
    output_is_constant,
    output_of_several,
    cut_open_inside,
    default_taken,
    default_left_open,
]
EITHER = [
    resource_read,
    resource_gather,
    resource_gather_int64_twice,
    resource_gather_batch_dims,
    resource_gather_nd,
    resource_shape,
    resource_in_cond,
    resource_in_nested_cond,
    resource_in_while,
    resource_in_cond_in_while,
    resource_asked_whether_initialized,
    switched_function,
    in_function,
    in_nested_functions,
    in_function_without_variables,
]
MODERN = [in_function_with_loop_and_branch, in_partitioned_calls, handle_as_loop_variable, stateless_if, switch_case]

CASES = [(build, False) for build in [*LEGACY, *EITHER]] + [(build, True) for build in [*EITHER, *MODERN]]


@pytest.mark.parametrize("fold", [False, True], ids=["whole", "folded"])
@pytest.mark.parametrize(("build", "modern"), CASES, ids=[f"{b.__name__}-{'v2' if m else 'v1'}" for b, m in CASES])
def test_a_frozen_graph_computes_the_same(build: Callable[[], Saved], modern: bool, fold: bool, tmp_path: Path) -> None:
    check(build, tmp_path, fold=fold, modern=modern)


# Savers and averages


def test_two_savers_each_name_their_variables(tmp_path: Path) -> None:
    """The backbone comes from a saver that renames, the head from another; one checkpoint has both."""

    def build() -> Saved:
        v, w = variable("v", 3), variable("w", 3)
        out(v * x(3) - w)
        v1.train.Saver({"w": v, "v": w}, name="unused")
        return Saved(saver=lambda: v1.train.Saver({"backbone/v": v, "head/w": w}, name="second"))

    check(build, tmp_path, fold=False)


def averaged(names: Callable[[Any], dict[str, Any] | None]) -> Callable[[], Saved]:
    def build() -> Saved:
        v, w = variable("v", 3), variable("w", 3, resource=True)
        average = tf.train.ExponentialMovingAverage(0.5)
        average.apply([v])
        for variable_ in v1.global_variables():
            if variable_.op.name.endswith("ExponentialMovingAverage"):
                variable_._initializer_op = v1.assign(variable_, [5.0, 6.0, 7.0]).op  # not what v has
        out(v * x(3) - w)
        return Saved(saver=lambda: v1.train.Saver(names(average)))

    return build


def test_moving_averages_replace_their_variables_only(tmp_path: Path) -> None:
    model, _ = save(averaged(lambda _: None), tmp_path, modern=False)
    frozen, result = frozen_file(model, FreezeOptions(outputs=["out"], moving_averages=True), tmp_path / "f.pb")
    assert list(frozen.averaged) == ["v"]
    assert frozen.averaged["v"].numpy().tolist() == [5.0, 6.0, 7.0]
    options: dict[str, Any] = {"atol": 0, "rtol": 0}
    assert_same(verify(model, result, ["out"], values=dict(frozen.averaged), **options))
    assert not verify(model, result, ["out"], **options).is_within


def test_a_saver_of_variables_to_restore(tmp_path: Path) -> None:
    """The variable itself is restored from the average's entry: that is its value, with and without ``--ema``."""
    model, _ = save(averaged(lambda a: a.variables_to_restore()), tmp_path, modern=False)
    for moving_averages in (False, True):
        options = FreezeOptions(outputs=["out"], moving_averages=moving_averages, fold=False)
        _, result = frozen_file(model, options, tmp_path / "f.pb")
        assert verify(model, result, ["out"], atol=0, rtol=0).is_equal


# What cannot be frozen


@needs_zoo
def test_a_table_in_a_function_is_refused() -> None:
    """The graph itself has no table: functions that it calls make and use them."""
    place = "tensorflow+tfx/tfx/components/testdata/trainer/current/Format-Serving/export/chicago-taxi/1646034756"
    model = graphscope.load(ZOO / "saved_model" / place)
    assert not any("Table" in op for op in model.graph.ops)
    with pytest.raises(GraphscopeError, match=r"lookup tables.*hash_table"):
        freeze(model, FreezeOptions(outputs=["head/predictions/probabilities"]))


def test_a_table_is_refused_by_name(tmp_path: Path) -> None:
    def build() -> Saved:
        v = variable("v", 3, resource=True)
        pairs = tf.lookup.KeyValueTensorInitializer(tf.constant(["a", "b"]), tf.constant([1.0, 2.0]))
        table = tf.lookup.StaticHashTable(pairs, 0.0, name="words")
        out(table.lookup(x(3, dtype=tf.string)) * v)
        return Saved()

    model, _ = save(build, tmp_path, modern=False)
    with pytest.raises(GraphscopeError, match=r"lookup tables.*words") as caught:
        freeze(model, FreezeOptions(outputs=["out"]))
    assert "convert" in to_words(caught.value.hint)


def assigning(resource: bool) -> Callable[[], Saved]:
    def build() -> Saved:
        v = variable("v", 3, resource=resource)
        out(v.assign_add(x(3)) * 2.0)
        return Saved()

    return build


def assigning_in_function() -> Saved:
    v = variable("v", 3, resource=True)

    @tf.function
    def bump(a: Any) -> Any:
        return v.assign_add(a) * 2.0

    out(bump(x(3)))
    return Saved()


def reading_late() -> Saved:
    """The reader waits for a group of updates, as a training step does."""
    v, w = variable("v", 3), variable("w", 3)
    with tf.control_dependencies([tf.group(v1.assign(w, x(3)), v1.assign_add(v, w))]):
        out(v.read_value())
    return Saved()


def scattering() -> Saved:
    v = variable("v", 3)
    out(v1.scatter_update(v, [1], x(1)))
    return Saved()


@pytest.mark.parametrize("build", [assigning(True), assigning(False), assigning_in_function, reading_late, scattering])
def test_a_written_variable_is_refused(build: Callable[[], Saved], tmp_path: Path) -> None:
    model, _ = save(build, tmp_path, modern=False)
    with pytest.raises(GraphscopeError, match=r"writes to (variable v|it)|uses variable .* as more than a value"):
        freeze(model, FreezeOptions(outputs=["out"]))


def test_a_variable_that_is_written_in_training_is_refused_with_the_switch_that_decides(tmp_path: Path) -> None:
    def build() -> Saved:
        v, training = variable("v", 3, resource=True), v1.placeholder(tf.bool, [], "training")
        mean = tf.reduce_mean(x(3), 0)

        def update() -> Any:
            with tf.control_dependencies([v.assign_sub(0.1 * (v - mean))]):
                return tf.identity(mean)

        out(x(3) - tf.cond(training, update, lambda: tf.identity(v)))
        return Saved()

    model, _ = save(build, tmp_path, modern=True)
    with pytest.raises(GraphscopeError, match=r"\(AssignSubVariableOp\) in function \S+ writes to a variable") as error:
        freeze(model, FreezeOptions(outputs=["out"]))
    assert '{"training": False} fixes a training switch' in str(error.value.hint)
    fixed = freeze(model, FreezeOptions(outputs=["out"], values={"training": np.array(False)}))
    assert not {n.op for n in fixed.graph} & {"If", "StatelessIf", "AssignSubVariableOp", "VarHandleOp"}


def test_a_node_of_several_outputs_becomes_a_placeholder_for_each_that_is_needed(tmp_path: Path) -> None:
    model, _ = save(output_of_several, tmp_path, modern=False)
    frozen = freeze(model, FreezeOptions(outputs=["out"], inputs=["parts"]))
    placeholders = [n.name for n in frozen.graph if n.op == "Placeholder"]
    assert set(frozen.originals.values()) <= {f"parts:{k}" for k in range(4)}
    assert [f"{name}:0" for name in placeholders] == list(frozen.originals)
    assert "parts" not in frozen.graph


def test_a_variable_made_in_a_function_is_refused(tmp_path: Path) -> None:
    def build() -> Saved:
        v = variable("v", 3)

        @tf.function
        def shared(a: Any) -> Any:
            handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[3], shared_name="elsewhere", name="own")
            return a + tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)

        _, looped = tf.while_loop(lambda i, _: i < 2, lambda i, a: (i + 1, shared(a)), (0, x(3)))
        out(looped * v)
        tf.identity(shared(x(3, name="y")), name="plain")
        return Saved()

    model, _ = save(build, tmp_path, modern=True)
    with pytest.raises(GraphscopeError, match="variable own is made inside the library function"):
        freeze(model, FreezeOptions(outputs=["out"]))
    with pytest.raises(GraphscopeError, match=r"no value for variable StatefulPartitionedCall/own"):
        freeze(model, FreezeOptions(outputs=["plain"]))


def test_a_placeholder_that_does_not_exist(tmp_path: Path) -> None:
    model, _ = save(switched_deep, tmp_path, modern=False)
    with pytest.raises(UnknownNameError, match="is_training"):
        freeze(model, FreezeOptions(outputs=["out"], values={"is_trainin": np.array(False)}))


def test_an_open_switch_beneath_a_condition_is_named(tmp_path: Path) -> None:
    """A condition whose branches both predict is none."""
    for modern, build, switches in (
        (False, batch_norm_switched, {"phase_train": "false"}),
        (True, resource_in_cond, {}),
    ):
        directory = tmp_path / build.__name__
        directory.mkdir()
        model, _ = save(build, directory, modern=modern)
        assert freeze(model, FreezeOptions(outputs=["out"])).open_switches == switches
