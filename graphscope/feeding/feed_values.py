"""The VALUE in ``NAME=VALUE``: a number, a nested list, or a file: an array, a picture, a directory of pictures."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from graphscope.core.tensors import TensorSpec, shape_text
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.fit import fit
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, UnknownNameError, file_errors
from graphscope.feeding.inputs import input_of
from graphscope.formats.archives.idx import NAME, read_idx
from graphscope.formats.archives.npy import read_header
from graphscope.formats.archives.npz import NpzStore
from graphscope.formats.io.paths import is_directory
from graphscope.formats.io.wire import refuse_special
from graphscope.formats.media.pictures import (
    SOUNDS,
    SUFFIXES,
    Scaling,
    picture_files,
    picture_shape,
    read_picture,
    scale_picture,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

AS_USUAL = Scaling()
"""Pixels from 0 to 1 for floating-point tensors, from 0 to 255 for integer tensors."""

_ARCHIVE = re.compile(r"(.+\.npz):(.+)", re.IGNORECASE | re.DOTALL)
_WORDS = {"true": True, "false": False}


def literal(text: str, spec: TensorSpec) -> NDArray[Any]:
    """Parses a number, list or text for ``spec``.

    Lists are JSON. For a string tensor, any text that is not a JSON list or string is the value itself.

    Raises:
        GraphscopeError: the text is none of these, or does not fit.
    """
    import numpy as np

    value = _parse(text, spec)
    try:
        return fit(np.asarray(value), spec)
    except ValueError as error:
        raise GraphscopeError(f"{spec.name}={text}: the lists are not of equal length") from error


def _parse(text: str, spec: TensorSpec) -> object:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text if spec.dtype is DataType.STRING else _number(text, spec)
    return text if spec.dtype is DataType.STRING and not isinstance(value, str | list) else value


def _number(text: str, spec: TensorSpec) -> object:
    """Usual values that JSON does not support: ``True``, ``.5``, ``inf``."""
    word = _WORDS.get(text.strip().lower())
    if word is not None:
        return word
    try:
        return float(text)
    except ValueError as error:
        raise GraphscopeError(
            f"{spec.name}={text}: neither a number nor a list",
            hint="a value: 0.5, [[1, 2], [3, 4]], @x.npy, @picture.png, random, zeros",
        ) from error


def from_file(text: str, spec: TensorSpec, scaling: Scaling = AS_USUAL) -> NDArray[Any]:
    """The array in the file ``text``: ``x.npy``, ``x.npz``, ``x.npz:key``, an idx file, a picture, or a directory of pictures.

    Rows of arrays fit as in training: dimensions may be joined or split, and bytes are pixels where the tensor holds
    floating-point pictures; see :class:`graphscope.feeding.inputs.Input`.

    A string tensor takes the unchanged content of any other file, including encoded pictures.

    Raises:
        FileError: there is no such file.
        CorruptFileError: the file does not hold an array or a picture.
        UnknownNameError: the archive has no such key.
        GraphscopeError: another kind of file, several arrays and no key, or it does not fit.
    """
    is_string = spec.dtype is DataType.STRING
    if files := media_paths(text) if is_string else picture_paths(text):
        return fit(_contents(files, spec) if is_string else _pictures(files, spec, scaling), spec)
    in_archive = _ARCHIVE.fullmatch(text)
    path, key = in_archive.groups() if in_archive else (text, "")
    if Path(path).suffix.lower() in (".npy", ".npz"):
        return fit(_rows(_read_numpy(path, key), spec, scaling), spec)
    if NAME.search(path) and not is_string:
        return fit(_rows(read_idx(Path(path)), spec, scaling), spec)
    if is_string:
        return fit(_contents([Path(text)], spec), spec)
    raise GraphscopeError(
        f"{spec.name}=@{text}: a value is read from .npy, .npz, idx files, a picture or a directory of pictures"
    )


def _rows(values: NDArray[Any], spec: TensorSpec, scaling: Scaling) -> NDArray[Any]:
    """``values`` as a batch for ``spec``; unchanged if they are not a batch."""
    is_batch = values.ndim > 1 and spec.shape is not None and len(spec.shape) > 1
    if not is_batch:
        return values
    into = input_of(spec, scaling, (values.shape[1], values.shape[2]) if values.ndim > 2 else None)
    is_pixels = values.ndim > 2 and values.dtype.name == "uint8" and spec.dtype.is_floating
    takes_pixels = into.pictures is not None and into.pictures.batched and not into.pictures.channels_first
    with _of_tensor(spec):
        return into.values(values) if (is_pixels and takes_pixels) or not _fits(values, spec) else values


def _fits(values: NDArray[Any], spec: TensorSpec) -> bool:
    shape = spec.shape or ()
    return len(shape) == values.ndim and all(d in (None, n) for d, n in zip(shape, values.shape))


def picture_paths(text: str) -> list[Path]:
    """The images that ``text`` names: itself, or those in the directory, in name order; none for any other file.

    Raises:
        FileError, GraphscopeError: as :func:`graphscope.formats.media.pictures.picture_files`.
    """
    return _paths(text, SUFFIXES)


def media_paths(text: str) -> list[Path]:
    """As :func:`picture_paths`, of pictures and sounds: what a string tensor takes as it is."""
    return _paths(text, SUFFIXES + SOUNDS)


def _paths(text: str, suffixes: Sequence[str]) -> list[Path]:
    path = Path(text)
    if is_directory(path):
        return picture_files(path, suffixes)
    return [path] if path.suffix.lower() in suffixes else []


def _contents(files: Sequence[Path], spec: TensorSpec) -> NDArray[Any]:
    """The bytes of each file; of a single one as a scalar, where the tensor may be one."""
    import numpy as np

    found = np.array([_read(path) for path in files], object)
    return found.reshape(()) if len(files) == 1 and not spec.shape else found


def _read(path: Path) -> bytes:
    refuse_special(path)
    with file_errors(path):
        return path.read_bytes()


def _pictures(files: Sequence[Path], spec: TensorSpec, scaling: Scaling) -> NDArray[Any]:
    import numpy as np

    with _of_tensor(spec):
        shape = picture_shape(spec.shape)
        takes = spec.shape[0] if spec.shape and shape.batched else 1
        if takes not in (None, len(files)):
            raise GraphscopeError(f"{len(files)} pictures, where shape {shape_text(spec.shape)} takes {takes}")
        found = [scale_picture(read_picture(path, shape), spec.dtype, shape, scaling) for path in files]
        other = next((i for i, value in enumerate(found) if value.shape != found[0].shape), None)
        if other is not None:
            sizes = " and ".join(shape_text(found[i].shape) for i in (0, other))
            raise GraphscopeError(f"{files[0]} and {files[other]} differ in size: {sizes}")
    return np.stack(found) if shape.batched else found[0]


@contextlib.contextmanager
def _of_tensor(spec: TensorSpec) -> Iterator[None]:
    """Adds the tensor's name to an error that names neither it nor a file."""
    try:
        yield
    except GraphscopeError as error:
        if type(error) is not GraphscopeError:
            raise
        raise GraphscopeError(f"{spec.name}: {error.message}", hint=error.hint) from error


def _read_numpy(path: str, key: str) -> NDArray[Any]:
    import numpy as np

    refuse_special(Path(path))
    try:
        with open(path, "rb") as file:
            _refuse_lies(path, file)
            loaded = np.load(file, allow_pickle=False)
            return loaded if isinstance(loaded, np.ndarray) else loaded[_key(path, key, loaded.files)]
    except OSError as error:
        raise FileError.from_os_error(error, path) from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise CorruptFileError(f"not an array that NumPy can read: {error}", path=path) from error


def _refuse_lies(path: str, file: IO[bytes]) -> None:
    """Raises an error if an array's header announces more data than exists, because NumPy would allocate memory for it first.

    Raises:
        ValueError, CorruptFileError, UnsupportedError: it does.
    """
    if zipfile.is_zipfile(file):
        NpzStore(path)
    else:
        file.seek(0)
        header = read_header(file)
        promised, size = header.dtype.itemsize * math.prod(header.shape), os.fstat(file.fileno()).st_size - header.size
        if promised > size and not header.dtype.hasobject:
            raise ValueError(f"its header announces {promised:,} bytes, but there are {size:,}")
    file.seek(0)


def _key(path: str, key: str, keys: list[str]) -> str:
    if key and key not in keys:
        raise UnknownNameError(f"array of {path}", key, keys)
    if not key and len(keys) != 1:
        raise GraphscopeError(f"{path} holds {len(keys)} arrays: {', '.join(keys)}", hint=f"choose one: @{path}:KEY")
    return key or keys[0]
