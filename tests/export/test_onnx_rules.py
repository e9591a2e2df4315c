"""Every rule against TensorFlow, in ONNX Runtime: random shapes, attributes and numbers."""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from graphscope.core.values.dtypes import DataType
from graphscope.export.refusal import NotExportableError
from tests.support.onnx_cases import DRAWS, F32, I32, Drawn, ints
from tests.support.running import Array

onnx_running = pytest.importorskip("tests.support.onnx_running", reason="optional: ONNX Runtime runs what is exported")

pytestmark = pytest.mark.tensorflow

EXAMPLES = int(os.environ.get("GRAPHSCOPE_EXAMPLES", "2"))
NODES = 4
"""How many nodes one session of TensorFlow computes: starting it takes longest."""


@pytest.mark.parametrize("op", DRAWS)
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.large_base_example, HealthCheck.data_too_large, HealthCheck.too_slow],
)
@given(random=st.randoms(use_true_random=False))
def test_as_tensorflow(op: str, random: object) -> None:
    drawn = [draw(random) for draw in DRAWS[op] for _ in range(NODES)]
    for case, wanted in zip(drawn, onnx_running.expected(drawn)):
        compare(case, wanted)


def compare(case: Drawn, expected: list[Array]) -> None:
    outputs = [f"n:{k}" for k in range(case.outputs)]
    graph, feeds = onnx_running.op_graph(case)
    for found, wanted in zip(onnx_running.computed(graph, outputs, feeds), expected):
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape), case
        if wanted.dtype.kind in "iub":
            np.testing.assert_array_equal(found, wanted, str(case))
        else:
            scale = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=1))
            tolerance = 2e-3 if wanted.dtype == np.float16 else 2e-5
            np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * scale, err_msg=str(case))


_RANKED = np.array([[1, 2, 3], [3, np.inf, 1], [2, 1, 3]], F32)

_WHOLE = {"ksize": [1, 3, 2, 1], "strides": [1, 1, 1, 1]}

EDGES = (
    Drawn("Atan2", [np.array([np.inf, -np.inf, 2], F32), np.array([np.inf, -np.inf, np.nan], F32)]),
    Drawn("Atan2", [np.zeros(1, F32), np.full(1, np.nan, F32)]),
    Drawn("AvgPool", [np.arange(12, dtype=F32).reshape(1, 3, 2, 2)], {**_WHOLE, "padding": b"VALID"}),
    Drawn("AvgPool", [np.arange(12, dtype=F32).reshape(1, 3, 2, 2)], {**_WHOLE, "padding": b"SAME"}),
    Drawn("BatchMatMulV3", [np.full((1, 2, 3), 100, np.int8)] * 2, {"Tout": DataType.INT32, "adj_y": True}),
    Drawn("ClipByValue", [np.arange(4, dtype=F32), np.array(2, F32), np.array(1, F32)]),
    Drawn(
        "DynamicPartition",
        [np.arange(8).reshape(2, 2, 2), ints(0, 1, 1, 0).reshape(2, 2)],
        {"num_partitions": 2},
        outputs=2,
    ),
    Drawn("DynamicStitch", [[ints(0, 1), ints(1, 2)], [np.arange(2), np.arange(2) + 5]], fixed=(0, 1)),
    Drawn("Elu", [np.linspace(-3, 3, 7)]),
    Drawn("EuclideanNorm", [np.array([-1, 2], F32), ints()], fixed=(1,)),
    Drawn("Einsum", [[np.full((2, 3), 3), np.full((3, 2), (1 << 60) + 1)]], {"equation": b"ij,jk->ik"}),
    Drawn("InTopKV2", [_RANKED, ints(2, 0, 5), np.array(2, I32)]),
    Drawn("LeakyRelu", [np.linspace(-3, 3, 7)]),
    Drawn("Max", [np.zeros((0, 2), np.int16), ints(0)], fixed=(1,)),
    Drawn("Mean", [np.zeros((2, 0), F32), ints(1)], fixed=(1,), known=False),
    Drawn("Pow", [np.array([3, 7, -2]), np.array([35, 20, 63])]),
    Drawn("Pow", [ints(3, 7, -2), np.array(30, I32)], fixed=(1,)),
    Drawn("Prod", [np.array([1 << 30, 12345, -7], I32), ints(-1)], {"keep_dims": True}, (1,)),
    Drawn("Prod", [np.full((3, 37), -7), ints(1, 0)], fixed=(1,)),
    Drawn("Range", [np.array(n, F32) for n in (0, 0.3, 0.1)]),
    Drawn("Roll", [np.zeros((2, 0), F32), ints(1), ints(1)], fixed=(1, 2), known=False),
    Drawn("Selu", [np.linspace(-3, 3, 7)]),
    Drawn("SoftmaxCrossEntropyWithLogits", [np.ones((2, 1), F32), np.ones((2, 3), F32)], outputs=2),
    Drawn("SoftmaxCrossEntropyWithLogits", [np.ones((1, 1), F32), np.ones((2, 3), F32)], outputs=2, known=False),
    Drawn("Softsign", [np.linspace(-3, 3, 7)]),
    Drawn("SpaceToBatchND", [np.ones((0, 2, 2), F32), ints(2), ints(0, 0).reshape(1, 2)], fixed=(1, 2), known=False),
    Drawn("Sum", [np.array([[(1 << 53) + 1, -2], [1 << 62, (1 << 62) + 12345]]), ints(1)], fixed=(1,)),
    Drawn("Sum", [np.array([(1 << 31) - 1, 1 << 30], I32), ints(0)], fixed=(1,)),
    Drawn("TensorScatterAdd", [np.ones(2, np.float16), ints(1).reshape(1, 1), np.ones(1, np.float16)]),
    Drawn("TruncateDiv", [np.array([7, -7, 0.5], F32), np.array(2, F32)]),
    Drawn("Unique", [ints(5, 3, 5)], outputs=2),
)
"""Where runtimes do otherwise than TensorFlow, unless the rule sees to it."""


def test_edges() -> None:
    for case, wanted in zip(EDGES, onnx_running.expected(EDGES)):
        compare(case, wanted)


_WIDE_STEPS = {"strides": [1, 3, 3, 3, 1]}
_WIDE_WINDOW = {"ksizes": [1, 3, 3, 1], "strides": [1, 1, 1, 1], "rates": [1, 1, 1, 1]}

REFUSED = (
    Drawn(
        "Conv3D",
        [np.ones((1, 3, 3, 3, 1), F32), np.ones((1, 1, 1, 1, 1), F32)],
        {**_WIDE_STEPS, "padding": b"SAME"},
        (1,),
    ),
    Drawn("Einsum", [[np.ones((2, 2), np.int64), np.ones(2, np.int64)]], {"equation": b"ij,k->ik"}),
    Drawn("ExtractImagePatches", [np.ones((1, 2, 2, 1), F32)], {**_WIDE_WINDOW, "padding": b"VALID"}),
    Drawn("GatherNd", [np.ones(2, F32), ints(3).reshape(1, 1)], {"bad_indices_policy": b"IGNORE"}),
    Drawn(
        "MaxPool", [np.ones((1, 2, 2, 1), F32)], {"ksize": [1, 3, 3, 1], "strides": [1, 1, 1, 1], "padding": b"VALID"}
    ),
    Drawn("Pow", [ints(2), ints(-1)], fixed=(1,)),
    Drawn("Round", [ints(1)]),
)
"""Nodes of ops that have a rule, which does not hold for them."""


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.op)
def test_refused(case: Drawn) -> None:
    graph, _ = onnx_running.op_graph(case)
    with pytest.raises(NotExportableError):
        onnx_running.convert(graph, ["n"], onnx_running.OnnxOptions(), "test")


_HALVED = {"ksize": [1, 2, 2, 1], "strides": [1, 2, 2, 1]}

NOTED = (
    (Drawn("MaxPool", [np.ones((1, 4, 4, 1), F32)], {**_HALVED, "padding": b"VALID"}), "pool once"),
    (Drawn("MaxPool", [np.ones((1, 4, 4, 1), F32)], {**_HALVED, "padding": b"SAME"}), ""),
    (Drawn("AvgPool", [np.ones((1, 4, 4, 1), F32)], {**_HALVED, "strides": [1, 1, 1, 1], "padding": b"VALID"}), ""),
    (Drawn("Prod", [np.ones((2, 2), np.int64), ints(1)], fixed=(1,)), "beyond 2^53"),
)
"""Nodes that runtimes compute otherwise in some cases if sizes are open, and what is said of it: nothing if sizes are known."""


@pytest.mark.parametrize(("case", "remark"), NOTED)
def test_noted(case: Drawn, remark: str) -> None:
    for known in (False, True):
        graph, _ = onnx_running.op_graph(replace(case, known=known))
        notes = onnx_running.convert(graph, ["n"], onnx_running.OnnxOptions(), "test").notes
        assert [note for note in notes if remark and remark in note] == list(notes)
        assert len(notes) == (remark != "" and not known)


FIRST = {
    "Conv2D": (0,),
    "DepthwiseConv2dNative": (0,),
    "Conv2DBackpropInput": (2,),
    "MaxPool": (0,),
    "AvgPool": (0,),
    "FusedBatchNormV3": (0,),
    "DepthToSpace": (0,),
    "SpaceToDepth": (0,),
}
"""Op -> the inputs whose channels may come first."""

_PER_AXIS = ("strides", "dilations", "ksize")


@pytest.mark.parametrize("op", FIRST)
def test_channels_first(op: str) -> None:
    """TensorFlow has such kernels for few processors: what it computes with channels last, with all axes turned."""
    for seed in range(6):
        case = DRAWS[op][0](Random(seed))
        case = replace(case, known=True, outputs=1)
        [[wanted]] = onnx_running.expected([case])
        compare(turned(case), [wanted.transpose(0, 3, 1, 2)])


def turned(case: Drawn) -> Drawn:
    inputs = [x.transpose(0, 3, 1, 2) if i in FIRST[case.op] else x for i, x in enumerate(case.inputs)]  # type: ignore[union-attr]
    attrs = {**case.attrs, "data_format": b"NCHW"}
    for name in _PER_AXIS:
        if name in attrs:
            attrs[name] = [attrs[name][i] for i in (0, 3, 1, 2)]
    if "explicit_paddings" in attrs:
        attrs["explicit_paddings"] = [attrs["explicit_paddings"][2 * i + k] for i in (0, 3, 1, 2) for k in (0, 1)]
    if case.op == "Conv2DBackpropInput":
        inputs[0] = inputs[0][[0, 3, 1, 2]]
    return replace(case, inputs=inputs, attrs=attrs)
