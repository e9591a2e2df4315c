"""Whether a value fits a tensor: type and shape, with nothing lost but floating-point precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import TensorSpec, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BOOL, _INTEGER, _FLOAT, _COMPLEX = range(4)


def fit(value: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """``value`` in the type of ``spec``; nothing but floating-point precision may be lost.

    Raises:
        GraphscopeError: type or shape do not fit.
    """
    return _strings(value, spec) if spec.dtype is DataType.STRING else _numbers(value, spec)


def _refuse_other_shape(value: NDArray[Any], spec: TensorSpec) -> None:
    if spec.shape is not None and not _matches(value.shape, spec.shape):
        raise GraphscopeError(f"{spec.name} has shape {shape_text(spec.shape)}, the value {shape_text(value.shape)}")


def _matches(actual: tuple[int, ...], stated: tuple[int | None, ...]) -> bool:
    return len(actual) == len(stated) and all(s is None or s == a for a, s in zip(actual, stated))


def _strings(value: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    import numpy as np

    items = [v.encode() if isinstance(v, str) else v for v in value.reshape(-1).tolist()]
    if not all(isinstance(item, bytes) for item in items):
        raise _wrong_type(value, spec)
    _refuse_other_shape(value, spec)
    cast = np.empty(len(items), object)
    cast[:] = items
    return cast.reshape(value.shape)


def _numbers(value: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    import numpy as np

    if spec.dtype in (DataType.RESOURCE, DataType.VARIANT, DataType.INVALID):
        raise GraphscopeError(
            f"{spec.name} takes a {spec.dtype.label}, which has no NumPy equivalent and cannot be fed"
        )
    given = _rank(_data_type(value, spec))
    wanted = _rank(spec.dtype)
    if given > max(wanted, _INTEGER):  # 0 and 1 may stand for false and true
        raise _wrong_type(value, spec)
    _refuse_other_shape(value, spec)
    if value.dtype == spec.dtype.numpy:  # the rest takes several times its memory
        return np.array(value)
    with np.errstate(all="ignore"):
        cast = value.astype(spec.dtype.numpy)
        lost = cast != value if wanted <= _INTEGER else np.isfinite(_wide(value)) & ~np.isfinite(_wide(cast))
    if lost.any():
        raise GraphscopeError(f"{spec.name} takes {spec.dtype.label}, where {value[lost].tolist()[0]} does not fit")
    return cast


def _data_type(value: NDArray[Any], spec: TensorSpec) -> DataType:
    try:
        dtype = DataType.from_numpy(value.dtype)
    except TypeError as error:
        raise _wrong_type(value, spec) from error
    if dtype is DataType.STRING:
        raise _wrong_type(value, spec)
    return dtype


def _rank(dtype: DataType) -> int:
    if dtype is DataType.BOOL:
        return _BOOL
    if dtype in (DataType.COMPLEX64, DataType.COMPLEX128):
        return _COMPLEX
    return _FLOAT if dtype.is_floating else _INTEGER


def _wide(array: NDArray[Any]) -> NDArray[Any]:
    """The array in a type that NumPy's functions support."""
    import numpy as np

    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _wrong_type(value: NDArray[Any], spec: TensorSpec) -> GraphscopeError:
    given = {"U": "text", "S": "text", "O": "mixed values"}.get(value.dtype.kind, str(value.dtype))
    return GraphscopeError(f"{spec.name} takes {spec.dtype.label}, not {given}")
