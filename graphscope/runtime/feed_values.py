"""The VALUE in ``NAME=VALUE``: a number, a nested list, ``@x.npy``, ``@x.npz:key``, ``random``, ``zeros``."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.dtypes import DataType
from graphscope.core.tensors import TensorSpec, shape_text
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ARCHIVE = re.compile(r"(.+\.npz):(.+)", re.IGNORECASE)
_WORDS = {"true": True, "false": False}
_BOOL, _INTEGER, _FLOAT, _COMPLEX = range(4)


def literal(text: str, spec: TensorSpec) -> NDArray[Any]:
    """The number, list or text that ``text`` writes, as ``spec`` takes it.

    Lists are JSON. For a string tensor, text that is no JSON list or string stands for itself.

    Raises:
        GraphscopeError: it is none of these, or does not fit.
    """
    import numpy as np

    value = _parsed(text, spec)
    try:
        return fit(np.asarray(value), spec)
    except ValueError as error:
        raise GraphscopeError(f"{spec.name}={text}: the lists are not of equal length") from error


def _parsed(text: str, spec: TensorSpec) -> object:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text if spec.dtype is DataType.STRING else _number(text, spec)
    return text if spec.dtype is DataType.STRING and not isinstance(value, str | list) else value


def _number(text: str, spec: TensorSpec) -> object:
    """What people write and JSON does not know: ``True``, ``.5``, ``inf``."""
    word = _WORDS.get(text.strip().lower())
    if word is not None:
        return word
    try:
        return float(text)
    except ValueError as error:
        raise GraphscopeError(
            f"{spec.name}={text}: neither a number nor a list",
            hint="a value: 0.5, [[1, 2], [3, 4]], @x.npy, random, zeros",
        ) from error


def from_file(text: str, spec: TensorSpec) -> NDArray[Any]:
    """The array in the file ``text``: ``x.npy``, ``x.npz``, ``x.npz:key``.

    Raises:
        FileError: there is no such file.
        CorruptFileError: it holds no array.
        UnknownNameError: the archive has no such key.
        GraphscopeError: another kind of file, several arrays and no key, or it does not fit.
    """
    in_archive = _ARCHIVE.fullmatch(text)
    path, key = in_archive.groups() if in_archive else (text, "")
    read = _READERS.get(Path(path).suffix.lower())
    if read is None:
        raise GraphscopeError(f"{spec.name}=@{text}: a value is read from {' or '.join(_READERS)}")
    return fit(read(path, key), spec)


def _read_numpy(path: str, key: str) -> NDArray[Any]:
    import numpy as np

    try:
        with open(path, "rb") as file:
            loaded = np.load(file, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else loaded[_key(path, key, loaded.files)]
    except OSError as error:
        raise FileError.from_os_error(error, path) from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CorruptFileError(f"no array that NumPy reads: {error}", path=path) from error


def _key(path: str, key: str, keys: list[str]) -> str:
    if key and key not in keys:
        raise UnknownNameError(f"array of {path}", key, keys)
    if not key and len(keys) != 1:
        raise GraphscopeError(f"{path} holds {len(keys)} arrays: {', '.join(keys)}", hint=f"choose one: @{path}:KEY")
    return key or keys[0]


_READERS: Mapping[str, Callable[[str, str], NDArray[Any]]] = {".npy": _read_numpy, ".npz": _read_numpy}


def fit(value: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    """``value`` in the type of ``spec``; nothing but floating-point precision may be lost.

    Raises:
        GraphscopeError: type or shape do not fit.
    """
    cast = _strings(value, spec) if spec.dtype is DataType.STRING else _numbers(value, spec)
    if spec.shape is not None and not _matches(value.shape, spec.shape):
        raise GraphscopeError(f"{spec.name} has shape {shape_text(spec.shape)}, the value {shape_text(value.shape)}")
    return cast


def _matches(actual: tuple[int, ...], stated: tuple[int | None, ...]) -> bool:
    return len(actual) == len(stated) and all(s is None or s == a for a, s in zip(actual, stated))


def _strings(value: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    import numpy as np

    items = [v.encode() if isinstance(v, str) else v for v in value.reshape(-1).tolist()]
    if not all(isinstance(item, bytes) for item in items):
        raise _wrong_type(value, spec)
    cast = np.empty(len(items), object)
    cast[:] = items
    return cast.reshape(value.shape)


def _numbers(value: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    import numpy as np

    if spec.dtype in (DataType.RESOURCE, DataType.VARIANT, DataType.INVALID):
        raise GraphscopeError(f"{spec.name} takes a {spec.dtype.label}, which has no array form and cannot be fed")
    given = _rank(_data_type(value, spec))
    wanted = _rank(spec.dtype)
    if given > max(wanted, _INTEGER):  # 0 and 1 may stand for false and true
        raise _wrong_type(value, spec)
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
    """In a type that NumPy's functions know."""
    import numpy as np

    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _wrong_type(value: NDArray[Any], spec: TensorSpec) -> GraphscopeError:
    given = {"U": "text", "S": "text", "O": "mixed values"}.get(value.dtype.kind, str(value.dtype))
    return GraphscopeError(f"{spec.name} takes {spec.dtype.label}, not {given}")
