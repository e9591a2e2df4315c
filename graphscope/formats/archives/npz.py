"""NumPy archives: a zip file with one ``.npy`` file for each tensor, named after the tensor.

See :mod:`graphscope.formats.archives.npy` for the format of the members. Strings are stored as ``S``, which cannot end in NUL.

A name that would be unsafe for an unpacked file is escaped: ``%2E%2E/a`` for ``../a``. See :func:`member_name`.

Sources: ``numpy/lib/_npyio_impl.py`` (NumPy 2.4); PKWARE's APPNOTE 6.3.
"""

from __future__ import annotations

import math
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import CHUNK_BYTES, ArrayPayload, Payload
from graphscope.core.variables.variables import Entry
from graphscope.errors import CorruptFileError, FileError, UnsupportedError
from graphscope.formats.archives.npy import Header, data_type, read_header
from graphscope.formats.io.wire import FileSource, refuse_special

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIX = ".npy"
MAX_DEFLATION = 1032
"""The maximum compression factor (zlib's technical details, "Maximum Compression Factor")."""

_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1
_END = b"PK\5\6"
_END_BYTES = 22
_MAX_COMMENT_BYTES = 0xFFFF
_MANY = 0xFFFF
"""The value of the field for the number of members if the number does not fit."""

_LOCAL = struct.Struct("<26xHH")
"""The header before a member's name (APPNOTE 4.3.7); its last two fields are the lengths of the name and of the extra field."""

_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, OverflowError)
"""Exceptions that ``zipfile`` raises for broken archives."""

_ODD = re.compile(r"[\x00-\x1f\x7f%\\:]|\A/|(?<=/)/|(?:(?<=/)|\A)\.{1,2}(?=/)")
_ESCAPED = re.compile(r"%([0-9A-F]{2})")


def member_name(name: str) -> str:
    """The name of the member for tensor ``name``; ``/`` is kept.

    Control characters, ``%``, backslashes and colons, a slash at the start or after another, and the dots of ``.`` and ``..``
    become ``%`` and two hexadecimal digits.
    """
    return _ODD.sub(lambda found: "".join(f"%{ord(c):02X}" for c in found[0]), name) + SUFFIX


def tensor_name(member: str) -> str:
    """The inverse of :func:`member_name`; other names are returned unchanged."""
    stem = member.removesuffix(SUFFIX)
    name = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), stem)
    return name if member_name(name) == member else stem


class NpzStore:
    """The arrays of an ``.npz`` file; see :class:`graphscope.core.variables.variables.VariableStore`.

    Attributes:
        path: the file.
        entries: tensor name -> entry, in the file's order.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Reads the list of members and their headers.

        Raises:
            FileError: the file cannot be read.
            CorruptFileError: the file is not a zip file, or is broken.
            UnsupportedError: a member is encrypted, compressed in a way that NumPy does not use, or not an array.
        """
        self.path = Path(path)
        refuse_special(self.path)
        try:
            self._archive = zipfile.ZipFile(self.path)
            members = self._archive.infolist()
        except OSError as error:
            raise FileError.from_os_error(error, path) from error
        except _BROKEN as error:
            raise CorruptFileError(f"not a zip file, so not an .npz file: {error}", path=path) from error
        self._refuse_lists(members)
        self._members: dict[str, tuple[zipfile.ZipInfo, Header]] = {}
        for member in members:
            name = tensor_name(member.filename)
            if name in self._members:
                raise CorruptFileError(f"two members are called {member.filename}", path=path)
            self._members[name] = member, self._header(member)
        self.entries: Mapping[str, Entry] = {
            name: Entry(name, data_type(header.dtype), header.shape, None, 0, member.file_size - header.size)
            for name, (member, header) in self._members.items()
        }

    def payload(self, key: str) -> Payload:
        """See :meth:`VariableStore.payload`.

        Raises:
            KeyError: there is no such tensor.
            UnsupportedError: its type has no TensorFlow equivalent: Python objects, dates.
        """
        dtype = self.entries[key].dtype
        member, header = self._members[key]
        if dtype is DataType.INVALID:
            what = "pickled Python objects" if header.dtype.hasobject else f"an array of {header.dtype}"
            raise UnsupportedError(f"{key}: {what} has no TensorFlow type", path=self.path)
        return NpyPayload(self._archive, member, header, dtype)

    def place(self, key: str) -> tuple[int, Header] | None:
        """The byte offset of an array's content in the file, and its header; ``None`` if it is compressed.

        Raises:
            KeyError: there is no such tensor.
            CorruptFileError: the member is not at the listed offset.
        """
        member, header = self._members[key]
        if member.compress_type != zipfile.ZIP_STORED:
            return None
        source = FileSource(self.path)
        local = source.read(member.header_offset, _LOCAL.size)
        name_bytes, extra_bytes = _LOCAL.unpack(local)
        return member.header_offset + _LOCAL.size + name_bytes + extra_bytes + header.size, header

    def _refuse_lists(self, members: list[zipfile.ZipInfo]) -> None:
        """Checks that the members fit in the file, which bounds the work, and that none is missing (``zipfile`` does not)."""
        source = FileSource(self.path)
        if sum(member.compress_size for member in members) > source.size:
            raise source.corrupt("its members claim to be larger than the file")
        size = min(source.size, _END_BYTES + _MAX_COMMENT_BYTES)
        tail = source.read(source.size - size, size)
        count = int.from_bytes(tail[(at := tail.rfind(_END)) + 10 : at + 12], "little")
        if count not in (len(members), _MANY):
            raise source.corrupt(f"{count:,} members are announced, {len(members):,} listed", source.size - size + at)

    def _header(self, member: zipfile.ZipInfo) -> Header:
        self._refuse_kind(member)
        try:
            with self._archive.open(member) as file:
                header = read_header(file)
        except OSError as error:
            raise FileError.from_os_error(error, self.path) from error
        except _BROKEN as error:
            raise self._corrupt(member, str(error)) from error
        size = header.size + header.dtype.itemsize * math.prod(header.shape)
        if size != member.file_size and not header.dtype.hasobject:
            raise self._corrupt(member, f"its header announces {size:,} bytes, but there are {member.file_size:,}")
        return header

    def _refuse_kind(self, member: zipfile.ZipInfo) -> None:
        if member.compress_type not in _METHODS or member.flag_bits & _ENCRYPTED:
            what = "encrypted" if member.flag_bits & _ENCRYPTED else f"compressed by method {member.compress_type}"
            raise UnsupportedError(f"{member.filename} is {what}, which NumPy's archives are not", path=self.path)
        if not member.filename.endswith(SUFFIX):
            raise UnsupportedError(f"{member.filename} is not an array: it does not end in {SUFFIX}", path=self.path)
        if member.file_size > (member.compress_size + 64) * MAX_DEFLATION:
            message = f"{member.file_size:,} bytes cannot come out of {member.compress_size:,}"
            raise self._corrupt(member, message)

    def _corrupt(self, member: zipfile.ZipInfo, message: str) -> CorruptFileError:
        return _corrupt(self.path, member, message)


class NpyPayload(Payload):
    """An array in an archive. Streamed, unless its elements have to be reordered."""

    __slots__ = ("_archive", "_header", "_member")

    def __init__(self, archive: zipfile.ZipFile, member: zipfile.ZipInfo, header: Header, dtype: DataType) -> None:
        super().__init__(dtype, header.shape)
        self._archive = archive
        self._member = member
        self._header = header

    def chunks(self) -> Iterator[bytes]:
        """See :meth:`Payload.chunks`."""
        return self._content() if self._is_plain else ArrayPayload(self.numpy(), self.dtype).chunks()

    def numpy(self) -> NDArray[Any]:
        """See :meth:`Payload.numpy`."""
        import numpy as np

        if self._is_plain:
            return super().numpy()
        stored = self._header.dtype
        content = b"".join(self._content())
        flat = np.frombuffer(content, stored) if stored.itemsize else np.zeros(self.elements, stored)
        array = flat.reshape(self.shape, order="F" if self._header.is_fortran else "C")
        if self.dtype is DataType.STRING:
            return self._strings(array)
        return np.array(array, stored.newbyteorder("<"), order="C").view(self.dtype.numpy)

    @property
    def _is_plain(self) -> bool:
        """Whether the member's bytes are exactly those of :meth:`chunks`."""
        return self.dtype is not DataType.STRING and not self._header.is_fortran and self._header.dtype.str[0] != ">"

    def _content(self) -> Iterator[bytes]:
        """The bytes after the header; the checksum is verified after the last piece."""
        left = self._member.file_size
        try:
            with self._archive.open(self._member) as file:
                left -= len(file.read(self._header.size))
                while left > 0:
                    chunk = file.read(min(CHUNK_BYTES, left))
                    if not chunk:
                        raise EOFError(f"{left:,} bytes are missing at its end")
                    left -= len(chunk)
                    yield chunk
        except OSError as error:
            raise FileError.from_os_error(error, self._path) from error
        except _BROKEN as error:
            raise self._corrupt(str(error)) from error

    def _strings(self, array: NDArray[Any]) -> NDArray[Any]:
        """Bytes; text as UTF-8."""
        import numpy as np

        try:
            values = array.reshape(-1).tolist()
            strings = [v.encode() for v in values] if array.dtype.kind == "U" else values
        except (ValueError, SystemError) as error:  # NumPy hands CPython numbers that are no letters
            raise self._corrupt(f"not text: {error}") from error
        return np.fromiter(strings, np.object_, len(strings)).reshape(array.shape)

    @property
    def _path(self) -> str:
        return self._archive.filename or ""

    def _corrupt(self, message: str) -> CorruptFileError:
        return _corrupt(self._path, self._member, message)


def _corrupt(path: str | os.PathLike[str], member: zipfile.ZipInfo, message: str) -> CorruptFileError:
    text = message or "the file ends within it"  # ``zipfile`` says nothing then
    return CorruptFileError(f"{member.filename}: {text}", path=path, offset=member.header_offset)
