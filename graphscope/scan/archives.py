"""Safe unpacking of archives: zip, tar, and compressed single files."""

from __future__ import annotations

import bz2
import errno
import gzip
import lzma
import re
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from graphscope.analysis.audit.finding import Finding, Severity
from graphscope.errors import CorruptFileError
from graphscope.formats.io.wire import FileSource

MAX_BYTES = 8 << 30
"""The maximum size to unpack: checkpoint values are skipped anyway, and graphs are smaller."""

MAX_RATIO, RATIO_BYTES = 200, 1 << 30
"""Above a gigabyte, an archive that unpacks to this many times its size counts as a zip bomb."""

MAX_DEPTH = 3
"""Archives in archives."""

MAX_HEADER_BYTES = 1 << 20
"""The maximum size of an extended header of a tar archive: the names and attributes of one member."""

_PIECE = 1 << 16
_NAME_CHARACTERS = 60
_NO_PLACE = (errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR)
Readable = IO[bytes] | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_ZIP_END = 22 + (1 << 16)
"""The directory of a zip archive is found from a record at its end, which a comment of up to 64 KB may follow."""

_COMPRESSED: dict[bytes, Callable[[Path], Readable]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_OTHER = {b"7z\xbc\xaf\x27\x1c": "7-Zip", b"Rar!\x1a\x07": "RAR", b"(\xb5/\xfd": "Zstandard"}
"""Archives that Python cannot unpack -> their names."""

_VALUES = re.compile(r"\.data-\d{5}-of-\d{5}\Z")
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
"""Exceptions of the standard library for broken or encrypted archives."""


def is_archive(source: FileSource) -> bool:
    """Whether ``source`` begins as an archive or a compressed file does."""
    head = source.read(0, min(264, source.size))
    return head.startswith((*_ZIP, *_COMPRESSED, *_OTHER)) or head[257:262] == b"ustar"


def ends_as_archive(source: FileSource) -> bool:
    """Whether a zip archive stands behind something else: readers, Keras among them, take it."""
    end = source.read(max(0, source.size - _ZIP_END), min(source.size, _ZIP_END))
    return b"PK\x05\x06" in end and not is_archive(source) and zipfile.is_zipfile(source.path)


@contextmanager
def unpack(path: Path, depth: int) -> Iterator[tuple[Path, list[Finding]]]:
    """A temporary directory with the files of an archive that can hold a graph or code, and what is wrong with the archive.

    Members are written below that directory only, whatever their names; links are not made.

    Args:
        depth: how many archives ``path`` itself is in; one that lies too deep is not unpacked, which is a finding.

    Raises:
        CorruptFileError: the archive is broken or encrypted.
    """
    with tempfile.TemporaryDirectory(prefix="graphscope-") as place:
        unpacking = _Unpacking(path, Path(place).resolve())
        if depth >= MAX_DEPTH:
            unpacking.report_bomb(f"holds archives in archives, more than {MAX_DEPTH} deep")
        else:
            unpacking.unpack()
        yield unpacking.place, unpacking.findings


class _TooLargeError(Exception):
    """The unpacked data exceeds the limit."""


@dataclass
class _Unpacking:
    path: Path
    place: Path
    findings: list[Finding] = field(default_factory=list)
    written: int = 0
    moved: int = 0

    def unpack(self) -> None:
        try:
            for name, opened in self._members():
                self._write(name, opened)
        except _TooLargeError:
            self.report_bomb(f"unpacks to more than {self.written / 1e9:,.1f} GB")
        except _BROKEN as error:
            raise CorruptFileError(f"this archive cannot be unpacked: {error}", path=self.path) from error

    def report_bomb(self, text: str) -> None:
        reason = "unpacking it fills the disk; the rest of it was not looked at"
        self.findings.append(Finding("archive-bomb", Severity.HIGH, text, reason, path=str(self.path)))

    def _members(self) -> Iterator[tuple[str, Readable]]:
        if zipfile.is_zipfile(self.path):
            yield from _zip_members(self.path)
            return
        opener = _opener(self.path)
        with opener(self.path) as content:
            archive = _open_tar(content)
            if archive is not None:
                yield from self._tar_members(archive)
                return
        if opener not in _COMPRESSED.values():
            raise ValueError("it starts like an archive but is not one")
        yield self.path.stem, opener(self.path)

    def _tar_members(self, archive: tarfile.TarFile) -> Iterator[tuple[str, Readable]]:
        for member in archive:
            if member.issym() or member.islnk():
                self._check_link(member)
            opened = archive.extractfile(member) if member.isreg() else None
            if opened is not None:
                yield member.name, opened

    def _check_link(self, member: tarfile.TarInfo) -> None:
        base = PurePosixPath(member.name).parent if member.issym() else PurePosixPath()
        if not _stays_below(str(base / member.linkname)):
            self._report_traversal(f"holds a link {member.name} to {member.linkname}", member.linkname)

    def _report_traversal(self, text: str, target: str) -> None:
        reason = "careless programs write there when they unpack it"
        self.findings.append(Finding("path-traversal", Severity.HIGH, text, reason, target=target, path=str(self.path)))

    def _write(self, name: str, opened: Readable) -> None:
        if not _stays_below(name):
            self._report_traversal(f"holds a member called {name}", name)
        parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part not in ("..", "/", "")]
        if not parts or "\0" in name or _VALUES.search(name):
            return
        with opened, self._create(parts) as out:
            while piece := opened.read(_PIECE):
                self.written += len(piece)
                self._check_size()
                out.write(piece)

    def _create(self, parts: Sequence[str]) -> BinaryIO:
        """The file for a member; a directory of its own where its name is too long or taken, so that nothing is hidden."""
        try:
            return _create_file(self.place.joinpath(*parts))
        except OSError as error:
            if error.errno not in _NO_PLACE:
                raise
            self.moved += 1
            return _create_file(self.place / f"(member {self.moved})" / parts[-1][-_NAME_CHARACTERS:])

    def _check_size(self) -> None:
        ratio = self.written / max(1, self.path.stat().st_size)
        if self.written > MAX_BYTES or (self.written > RATIO_BYTES and ratio > MAX_RATIO):
            raise _TooLargeError


def _stays_below(name: str) -> bool:
    """Whether a member's name, or a link, stays in the directory that the archive is unpacked in."""
    depth = 0
    path = name.replace("\\", "/")
    for part in path.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            return False
    return not path.startswith("/") and not re.match(r"[A-Za-z]:", path)


def _zip_members(path: Path) -> Iterator[tuple[str, Readable]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.flag_bits & 1:
                raise ValueError(f"{member.filename} is encrypted")
            if not member.is_dir():
                yield member.filename, archive.open(member)


def _opener(path: Path) -> Callable[[Path], Readable]:
    """What reads the content of an archive that is not a zip file."""
    with path.open("rb") as file:
        head = file.read(6)
    other = next((name for magic, name in _OTHER.items() if head.startswith(magic)), None)
    if other is not None:
        raise ValueError(f"{other} is not supported; unpack it and name the directory")
    return next((opener for magic, opener in _COMPRESSED.items() if head.startswith(magic)), _open_plain)


def _open_plain(path: Path) -> Readable:
    return path.open("rb")


def _open_tar(content: Readable) -> tarfile.TarFile | None:
    """The tar archive that ``content`` is; ``None`` if it is not one."""
    try:
        return tarfile.open(fileobj=cast("IO[bytes]", _ShortReads(content)), mode="r:")
    except (tarfile.ReadError, EOFError, OSError):
        return None


@dataclass
class _ShortReads:
    """A file for ``tarfile``, which reads a long name or an extended header in one piece, however large it says it is."""

    content: Readable

    def read(self, size: int) -> bytes:
        if size > MAX_HEADER_BYTES:
            raise ValueError(f"it has a header of {size:,} bytes")
        return self.content.read(size)

    def seek(self, place: int) -> int:
        return self.content.seek(place)

    def tell(self) -> int:
        return self.content.tell()


def _create_file(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("xb")
