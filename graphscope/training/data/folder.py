"""A folder of class folders with pictures (``flowers/rose/1.jpg``), or of pictures and a ``labels.txt``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, file_errors, some
from graphscope.feeding.inputs import Input
from graphscope.formats.io.paths import is_directory, is_file, real_path
from graphscope.formats.media.label_files import read_labels
from graphscope.formats.media.pictures import SOUNDS, SUFFIXES, PictureShape, picture_files, read_picture
from graphscope.training.data.cache import digest, keep, stamp
from graphscope.training.data.source import DataOptions, Stored
from graphscope.training.data.threads import in_threads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LABELS = "labels.txt"
"""Each line has a picture's name and its label, separated by a space or tab."""

_MAX_NAMED = 5
_MAX_DIGITS = 18
"""A class number with more digits does not fit into 64 bits and is treated as a name."""

_LAYOUT = "one folder for each class, pictures in it: {0}/cat/1.jpg, {0}/dog/2.jpg"
_ANY = PictureShape(1, 1, 3)
_ENCODED = SUFFIXES + SOUNDS
"""Files whose content is fed to a string tensor unchanged."""

_RIFF, _WAVE = slice(0, 4), slice(8, 12)
"""Where a WAV file says what it is (Multimedia Programming Interface and Data Specifications 1.0, 1991)."""


def is_folder(path: Path) -> bool:
    """Whether ``path`` is a directory of pictures, or of directories."""
    return is_directory(path) and any(is_directory(p) or p.suffix.lower() in _ENCODED for p in path.iterdir())


@dataclass(frozen=True, slots=True)
class Pictures:
    """The files of a directory.

    Attributes:
        keys: each file, relative to the directory.
        labels: (n,) of class numbers, or of names.
        names: of the classes, where folders give them.
        beside: what is not read: pictures outside of the class folders, directories inside of them.
    """

    keys: Sequence[str]
    labels: NDArray[Any]
    names: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def open_folder(directory: Path, into: Input, options: DataOptions) -> Stored:
    """Reads the pictures in the folders of ``directory``; each folder is a class, in the order of their names.

    Pictures in ``directory`` itself are labeled by its ``labels.txt``. A string tensor takes the unchanged content of pictures
    and of WAV files.

    All pictures are decoded once to find unreadable ones, which are recorded in the cache.

    Raises:
        GraphscopeError: there are neither class folders nor labels, or a class has no picture that can be read.
        CorruptFileError: a picture cannot be read, and ``options.strict`` is set.
        FileError: a directory cannot be read.
    """
    import numpy as np

    suffixes = _ENCODED if into.spec.dtype is DataType.STRING else SUFFIXES
    found = _list(directory, suffixes) if is_file(directory / LABELS) else _in_folders(directory, suffixes)
    stamps = [[key, *stamp(directory / key)[1:]] for key in found.keys]
    fingerprint = digest("folder", str(real_path(directory)), stamps)
    unreadable = _unreadable(directory, found.keys, options.cache / f"checked-{fingerprint}.json")
    if unreadable and options.strict:
        key, message = next(iter(unreadable.items()))
        raise CorruptFileError(
            message, path=directory / key, hint=Advice("without ", Option("strict", True), " it is skipped")
        )
    is_kept = np.array([key not in unreadable for key in found.keys], bool)
    labels = found.labels[is_kept]
    _refuse_empty(directory, found.names, labels)
    keys = [key for key in found.keys if key not in unreadable]

    def take(indices: NDArray[np.int64]) -> NDArray[Any]:
        return np.stack(in_threads(into.from_picture, [directory / keys[i] for i in indices.tolist()]))

    return Stored(take, labels, keys, fingerprint, found.names, tuple(_notes(list(unreadable), found.beside)))


def _in_folders(directory: Path, suffixes: Sequence[str]) -> Pictures:
    import numpy as np

    folders = {folder.name: _contents(folder, suffixes) for folder in _class_folders(directory)}
    keys = [f"{name}/{file}" for name, (files, _) in folders.items() for file in files]
    numbers = np.repeat(np.arange(len(folders)), [len(files) for files, _ in folders.values()])
    loose = sorted(p.name for p in directory.iterdir() if p.suffix.lower() in suffixes and is_file(p))
    inner = [f"{name}/{folder}/" for name, (_, inside) in folders.items() for folder in inside]
    return Pictures(keys, numbers, tuple(folders), (*loose, *inner))


def _list(directory: Path, suffixes: Sequence[str]) -> Pictures:
    """Labels that are whole numbers are the classes' numbers."""
    import numpy as np

    keys = [path.name for path in picture_files(directory, suffixes)]
    truth = read_labels(directory / LABELS, keys).truth
    if not truth:
        raise GraphscopeError(f"{directory / LABELS} does not name each picture with its label, one on a line: 1.png 7")
    texts = [truth[key] for key in keys]
    is_numbers = all(text.isdecimal() and len(text) <= _MAX_DIGITS for text in texts)
    return Pictures(keys, np.array(list(map(int, texts)) if is_numbers else texts))


def _class_folders(directory: Path) -> list[Path]:
    with file_errors(directory):
        folders = sorted(p for p in directory.iterdir() if is_directory(p) and not p.name.startswith("."))
    if not folders:
        hint = _LAYOUT.format(directory)
        raise GraphscopeError(f"{directory}: pictures, but no class folders that label them", hint=hint)
    return folders


def _contents(folder: Path, suffixes: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of the pictures in a class folder, and of the directories."""
    files: list[str] = []
    inner: list[str] = []
    with file_errors(folder):
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in suffixes and is_file(path):
                files.append(path.name)
            elif not path.name.startswith(".") and is_directory(path):
                inner.append(path.name)
    if not files:
        hint = (
            f"is {folder} the folder of class folders?" if inner else f"remove it, or {_LAYOUT.format(folder.parent)}"
        )
        raise GraphscopeError(f"{folder}: a class folder without pictures ({', '.join(suffixes)})", hint=hint)
    return files, inner


def _unreadable(directory: Path, keys: Sequence[str], memory: Path) -> Mapping[str, str]:
    """Key -> why, of the pictures that cannot be read."""

    def problem(key: str) -> str:
        try:
            _check(directory / key)
        except (CorruptFileError, FileError) as error:
            return error.message.removeprefix(f"{directory / key}: ")
        return ""

    def check() -> list[bytes]:
        problems = dict(zip(keys, in_threads(problem, keys)))
        return [json.dumps({key: why for key, why in problems.items() if why}).encode()]

    try:
        found: object = json.loads(keep(memory.parent, memory.name, check).read_bytes())
        if not isinstance(found, dict) or not all(isinstance(why, str) for why in found.values()):
            raise ValueError("not an object of texts")
    except OSError as error:
        raise FileError.from_os_error(error, memory) from error
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(
            f"not a valid list of pictures: {error}", path=memory, hint=f"delete {memory}"
        ) from error
    return found


def _check(path: Path) -> None:
    """Raises an error if a file is neither a picture that Pillow decodes nor, by its name and first bytes, a sound."""
    if path.suffix.lower() not in SOUNDS:
        read_picture(path, _ANY)
        return
    with file_errors(path), open(path, "rb") as file:
        head = file.read(12)
    if (head[_RIFF], head[_WAVE]) != (b"RIFF", b"WAVE"):
        raise CorruptFileError("not a WAV file: it does not start with RIFF and WAVE", path=path)


def _refuse_empty(directory: Path, names: Sequence[str], labels: NDArray[np.int64]) -> None:
    import numpy as np

    for name, count in zip(names, np.bincount(labels, minlength=len(names)).tolist() if names else ()):
        if not count:
            raise GraphscopeError(f"{directory / name}: no picture of this class can be read")


def _notes(unreadable: Sequence[str], beside: Sequence[str]) -> Iterator[str]:
    if unreadable:
        pictures = "1 unreadable picture" if len(unreadable) == 1 else f"{len(unreadable):,} unreadable pictures"
        yield f"{pictures} skipped: {some(unreadable, _MAX_NAMED)}"
    if beside:
        yield f"not read, because pictures lie in class folders: {some(beside, _MAX_NAMED)}"
