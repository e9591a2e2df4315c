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
from graphscope.core.fit import fit
from graphscope.core.tensors import TensorSpec
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, UnknownNameError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ARCHIVE = re.compile(r"(.+\.npz):(.+)", re.IGNORECASE)
_WORDS = {"true": True, "false": False}


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
