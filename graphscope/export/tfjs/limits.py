"""Supported ops that TF.js computes differently from TensorFlow: such nodes are refused.

Source: ``tfjs-converter/src/operations/executors`` and ``tfjs-core/src/ops``, 4.22.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphscope.core.values.dtypes import DataType
from graphscope.export.tfjs.site import Site

Limit = Callable[[Site], str]
"""Why TF.js cannot run a node; empty if it can."""

LIMITS: dict[str, list[Limit]] = {}

OUTPUTS = {
    "FusedBatchNorm": 1,
    "FusedBatchNormV2": 1,
    "FusedBatchNormV3": 1,
    "Merge": 1,
    "NonMaxSuppressionV5": 2,
}
"""Op -> number of outputs in TF.js, where TensorFlow has more."""


def limits(*ops: str) -> Callable[[Limit], Limit]:
    """Registers what holds for nodes of ``ops``."""

    def register(function: Limit) -> Limit:
        for op in ops:
            LIMITS.setdefault(op, []).append(function)
        return function

    return register


def reasons(site: Site) -> Iterator[str]:
    """Why TF.js cannot run a node although it supports the op."""
    for limit in LIMITS.get(site.node.op, ()):
        reason = limit(site)
        if reason:
            yield reason


@limits(
    *"Conv2D DepthwiseConv2dNative Conv2DBackpropInput MaxPool AvgPool BiasAdd DepthToSpace MaxPoolWithArgmax".split(),
    *"FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Conv3D MaxPool3D AvgPool3D _FusedConv2D".split(),
)
def _channels_first(site: Site) -> str:
    return "it uses channels first" if site.text("data_format").startswith("NC") else ""


@limits("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def _training(site: Site) -> str:
    return "it normalizes with batch statistics, as in training" if site.value("is_training").b else ""


@limits("MaxPool", "AvgPool")
def _pool_padding(site: Site) -> str:
    return "its padding is explicit" if site.text("padding") == "EXPLICIT" else ""


@limits("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D", "MaxPoolWithArgmax")
def _pool_over_channels(site: Site) -> str:
    windows = [*site.ints("ksize")[::4], *site.ints("strides")[::4]]
    return "it pools over examples or channels" if set(windows) - {1} else ""


@limits(
    *"Add AddV2 BroadcastTo Gather GatherV2 MirrorPad Pad PadV2 ReverseV2 Select SelectV2 Split SplitV".split(),
    *"Transpose ZerosLike".split(),
)
def _strings(site: Site) -> str:
    places = range(len(site.node.data_inputs()))
    return "TF.js has it for numbers alone" if any(site.dtype(i) is DataType.STRING for i in places) else ""


@limits("FakeQuantWithMinMaxVars")
def _fake_quant(_: Site) -> str:
    return "its range is not constant"


@limits("Mod")
def _refuse_truncation(_: Site) -> str:
    return "TF.js rounds down where TensorFlow rounds to zero"


@limits("Div", "RealDiv")
def _refuse_division(site: Site) -> str:
    return "" if site.dtype().is_floating else f"it divides {site.dtype().label}, and TF.js rounds down"


@limits("MatrixBandPart")
def _band(_: Site) -> str:
    return "its bounds or the sizes of its matrices are not constant"


@limits("EuclideanNorm")
def _norm(site: Site) -> str:
    return f"it takes the norm of {site.dtype().label}"


@limits("StridedSlice")
def _steps(site: Site) -> str:
    """TF.js picks different elements in this case."""
    steps = site.constant(3)
    is_stepping = steps is not None and bool((steps != 1).any())
    return "it steps over elements and drops an axis" if is_stepping and site.value("shrink_axis_mask").i else ""


@limits("Conv3D", "MaxPool3D", "AvgPool3D")
def _short_windows(site: Site) -> str:
    """TF.js pads by negative amounts in this case."""
    window = site.ints("ksize")[1:4] if site.ints("ksize") else (site.shape(1) or ())[:3]
    if site.text("padding") != "SAME":
        return ""
    is_short = any(size is None or size < step for size, step in zip(window, site.ints("strides")[1:4]))
    return "its strides are longer than its window" if is_short or not window else ""


@limits("Cumsum", "Cumprod")
def _negative_axis(site: Site) -> str:
    axis = site.constant(1)
    return "its axis may be negative" if axis is None or axis < 0 else ""


@limits("OneHot")
def _classes(site: Site) -> str:
    rank, depth, axis = site.rank(0), site.constant(1), site.value("axis").i
    if axis != -1 and axis != rank:
        return "its classes are not the last axis"
    return "" if depth is None or depth > 1 else "it has one class"


@limits("SplitV")
def _open_sizes(site: Site) -> str:
    sizes = site.constant(1)
    return "one of its sizes is unknown" if sizes is not None and (sizes < 0).any() else ""


@limits("Conv2D", "DepthwiseConv2dNative")
def _strides_and_dilations(site: Site) -> str:
    is_both = max(site.ints("strides") or [1]) > 1 and max(site.ints("dilations") or [1]) > 1
    return "it has strides and dilations" if is_both else ""


@limits("Conv2DBackpropInput")
def _refuse_dilation(site: Site) -> str:
    return "it has dilations" if set(site.ints("dilations")) - {1} else ""


@limits("Conv2D")
def _groups(site: Site) -> str:
    images, filters = site.shape(0), site.shape(1)
    if images is None or filters is None or None in (images[-1], filters[-2]):
        return ""
    return "" if images[-1] == filters[-2] else "it is a grouped convolution"
