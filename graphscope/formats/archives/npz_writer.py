"""Writes NumPy archives; see :mod:`graphscope.formats.archives.npz` for names and types."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.model import Model
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import UnsupportedError
from graphscope.formats.archives.npy import header_bytes, stored_type
from graphscope.formats.archives.npz import member_name
from graphscope.formats.archives.weights import weights_of
from graphscope.formats.io.progress import Progress, quiet, report_chunks
from graphscope.formats.io.staging import staged_files

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.formats.registry import WriteOptions

MAX_TEXT_BYTES = 1 << 31
"""Strings of one tensor are filled up to the longest; beyond this they have no place in an array."""


def write_npz(
    path: str | os.PathLike[str],
    tensors: Iterable[tuple[str, Payload]],
    *,
    overwrite: bool = False,
    progress: Progress = quiet,
) -> int:
    """Writes ``tensors`` by name, uncompressed, as ``numpy.savez`` does. Returns the size in bytes.

    Args:
        progress: receives the number of bytes of tensors as they are written.

    Raises:
        FileError: the file exists and ``overwrite`` is not set, or cannot be written; an existing file is kept.
        UnsupportedError: two tensors have the same name, or one has no form as an array: it is a resource, or a string of it
            ends in NUL.
        CorruptFileError, IncompleteModelError: a tensor cannot be read.
    """
    seen: set[str] = set()
    with staged_files([Path(path)], overwrite=overwrite) as [file]:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, payload in tensors:
                if name in seen:
                    raise UnsupportedError(f"two tensors are called {name!r}", path=path)
                seen.add(name)
                with archive.open(zipfile.ZipInfo(member_name(name)), "w", force_zip64=True) as member:
                    for chunk in report_chunks(_array(name, payload, path), progress):
                        member.write(chunk)
        return file.tell()


def write_model(model: Model, path: str | os.PathLike[str], options: WriteOptions) -> int:
    """Writes the weights of ``model`` by name, see :func:`weights_of`.

    Returns the size in bytes; raises as :func:`write_npz`.
    """
    return write_npz(path, weights_of(model), overwrite=options.overwrite, progress=options.progress)


def _array(name: str, payload: Payload, path: str | os.PathLike[str]) -> Iterator[bytes]:
    """A ``.npy`` file."""
    dtype = stored_type(payload.dtype)
    if dtype is not None:
        yield header_bytes(dtype, payload.shape)
        yield from payload.chunks()
    elif payload.dtype is DataType.STRING:
        texts = _texts(name, payload, path)
        yield header_bytes(texts.dtype, payload.shape)
        yield texts.tobytes()
    else:
        raise UnsupportedError(f"{name}: {payload.dtype.label} has no NumPy equivalent", path=path)


def _texts(name: str, payload: Payload, path: str | os.PathLike[str]) -> NDArray[Any]:
    """Strings, all of the length of the longest, filled up with NUL."""
    import numpy as np

    strings: list[bytes] = payload.numpy().reshape(-1).tolist()
    width = max(map(len, strings), default=0) or 1
    if width * len(strings) > MAX_TEXT_BYTES:
        raise UnsupportedError(f"{name}: {len(strings):,} strings of up to {width:,} bytes", path=path)
    if any(string.endswith(b"\0") for string in strings):
        raise UnsupportedError(f"{name}: a string ends in NUL, which NumPy's string arrays drop", path=path)
    return np.array(strings, f"S{width}")
