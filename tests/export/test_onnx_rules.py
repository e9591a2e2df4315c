"""Every rule against TensorFlow, in ONNX Runtime: random shapes, attributes and numbers."""

from __future__ import annotations

import os
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.onnx_cases import DRAWS, Drawn
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
