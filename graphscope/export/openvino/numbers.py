"""Numbers that OpenVINO cannot represent: on CPUs it computes 64-bit types in 32 bits.

Source: ``Transformations::PreLpt`` (``ConvertPrecision``) in OpenVINO's ``intel_cpu`` plugin; measured with OpenVINO 2026.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphscope.core.values.dtypes import DataType

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HELD = {
    DataType.INT64: DataType.INT32,
    DataType.UINT64: DataType.INT32,
    DataType.UINT32: DataType.INT32,
    DataType.DOUBLE: DataType.FLOAT,
}


def is_narrowed(dtype: DataType) -> bool:
    """Whether OpenVINO computes ``dtype`` in fewer bits."""
    return dtype in _HELD


def reason_of_misfit(values: NDArray[Any]) -> str:
    """Why ``values`` cannot be used, worded to follow a name; empty if they can."""
    import numpy as np

    dtype = DataType.from_numpy(values.dtype)
    held = _HELD.get(dtype)
    if held is None:
        return ""
    limits = np.finfo(held.numpy) if held.is_floating else np.iinfo(held.numpy)
    beyond = values[np.isfinite(values) & ((values < limits.min) | (values > limits.max))]
    return f"OpenVINO computes {dtype.label} as {held.label}, where {beyond[0]} does not fit" if beyond.size else ""
