"""TensorFlow's kernels for single nodes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from graphscope.core.changes.build import make_node, type_attr
from graphscope.core.values.dtypes import DataType
from graphscope.protos import VersionDef
from graphscope.runtime.evaluate import TensorFlowKernels
from tests.support.kernel_values import Argument, i32, s32, values
from tests.support.running import assert_same_values, flat, node_of_op, run_nodes

pytestmark = pytest.mark.tensorflow

F32 = np.float32
SOME = values(F32, (3, 4))
IMAGE = values(F32, (1, 4, 4, 2))
CASES: list[tuple[str, Sequence[Argument], Mapping[str, Any], int]] = [
    ("Elu", [SOME], {}, 1),
    ("Softmax", [SOME], {}, 1),
    ("TopKV2", [SOME, s32(2)], {}, 2),
    ("Conv2D", [IMAGE, values(F32, (2, 2, 2, 3))], {"strides": [1, 1, 1, 1], "padding": b"SAME"}, 1),
    ("Unique", [i32(3, 1, 3)], {}, 2),
    ("Betainc", [np.abs(SOME), np.abs(SOME), np.full((3, 4), 0.5, F32)], {}, 1),
    ("Elu", [values(F32, (1000,))], {}, 1),
]


@pytest.mark.parametrize(("op", "inputs", "attrs", "outputs"), CASES)
def test_as_in_the_graph(op: str, inputs: Sequence[Argument], attrs: Mapping[str, Any], outputs: int) -> None:
    single = node_of_op(op, inputs, attrs)
    single.proto.device = "/job:worker/GPU:7"
    single.proto.attr["_class"].list.s.append(b"loc:@elsewhere")
    [expected] = run_nodes([(node_of_op(op, inputs, attrs), flat(inputs), outputs)])
    found = TensorFlowKernels()(single, flat(inputs))
    assert found is not None
    for mine, theirs in zip(found, expected, strict=True):
        assert_same_values(mine, theirs)
    assert single.device


def test_quantized_arrays_are_plain_integers() -> None:
    ends = [np.array(-1, F32), np.array(1, F32)]
    quantize = node_of_op("QuantizeV2", [SOME, *ends], {"T": DataType.QUINT8})
    [quantized, low, high] = TensorFlowKernels()(quantize, [SOME / 100, *ends]) or []
    assert quantized.dtype == np.uint8
    back = node_of_op("Dequantize", [quantized, low, high], {"T": DataType.QUINT8})
    [found] = TensorFlowKernels()(back, [quantized, low, high]) or []
    np.testing.assert_allclose(found, np.clip(SOME / 100, -1, 1), atol=1 / 127)


def test_what_cannot_run_gives_nothing() -> None:
    lend = TensorFlowKernels()
    matrices = [SOME, SOME]
    assert lend(node_of_op("MatMul", matrices), matrices) is None
    unknown = node_of_op("Neg", [SOME])
    unknown.proto.op = "SomebodysOp"
    assert lend(unknown, [SOME]) is None
    numberless = [np.array([b"a"], object)]
    assert lend(node_of_op("StringToNumber", numberless), numberless) is None
    untyped = node_of_op("Elu", [SOME])
    untyped.proto.attr["T"].CopyFrom(type_attr(DataType.BOOL))
    assert lend(untyped, [SOME > 0]) is None


def test_a_large_result_is_not_computed() -> None:
    inputs = [i32(1 << 20, 1 << 20), np.array(1, F32)]
    assert TensorFlowKernels()(node_of_op("Fill", inputs), inputs) is None
    inputs[0] = i32(1000)
    assert TensorFlowKernels(max_bytes=3999)(node_of_op("Fill", inputs), inputs) is None
    assert TensorFlowKernels(max_bytes=4000)(node_of_op("Fill", inputs), inputs) is not None


def test_the_graphs_version_decides_which_ops_run() -> None:
    inputs = [IMAGE, *[np.abs(values(F32, (2,), str(i))) for i in range(4)]]
    attrs = {"variance_epsilon": 1e-3, "scale_after_normalization": True}
    old = node_of_op("BatchNormWithGlobalNormalization", inputs, attrs)
    assert TensorFlowKernels(VersionDef(producer=8))(old, inputs) is not None
    assert TensorFlowKernels(VersionDef(producer=9))(old, inputs) is None


LENT_NOTHING = """
import sys
import numpy as np
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.values.dtypes import DataType
from graphscope.core.graph import Graph
from graphscope.protos import GraphDef
from graphscope.runtime.evaluate import TensorFlowKernels
from graphscope.transforms.fold import fold

one = constant("a", np.array(1, np.float32))
graph = Graph(GraphDef(), [one, make_node("b", "Neg", ["a"], {"T": type_attr(DataType.FLOAT)})])
folded = fold(graph, evaluate=TensorFlowKernels())
assert folded.ops == ["Const"]
assert "tensorflow" not in sys.modules
"""


def test_tensorflow_starts_with_the_first_node_that_needs_it() -> None:
    subprocess.run([sys.executable, "-c", LENT_NOTHING], check=True)


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        ("SegmentSum", [np.zeros(2, np.float32), np.array([0, 1 << 28], np.int64)]),
        ("RaggedRange", [np.int64([0]), np.int64([1 << 28]), np.int64([1])]),
    ],
)
def test_a_result_whose_size_nobody_knows_beforehand_is_not_computed(op: str, inputs: list[Any]) -> None:
    attrs = {"T": type_attr(DataType.FLOAT if op == "SegmentSum" else DataType.INT64)}
    attrs["Tindices" if op == "SegmentSum" else "Tsplits"] = type_attr(DataType.INT64)
    made = make_node("n", op, [f"i{k}" for k in range(len(inputs))], attrs)
    assert TensorFlowKernels()(made, inputs) is None


def test_a_result_that_its_inputs_bound_is_computed() -> None:
    attrs = {"T": type_attr(DataType.INT32), "out_idx": type_attr(DataType.INT32)}
    values = TensorFlowKernels()(make_node("n", "Unique", ["i"], attrs), [np.int32([3, 3, 1])])
    assert values is not None
    assert values[0].tolist() == [3, 1]
