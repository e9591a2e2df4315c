"""Everything that graphscope raises on purpose, in one tree.

::

    GraphscopeError                 one root: the command line catches this and nothing else
    |-- ArgumentError               invalid arguments, regardless of the model: wrong usage
    |-- FileError                   the file system refuses, or the path does not exist
    |-- FormatError                 the content is not of the expected format
    |   |-- NotTensorFlowError      a neighbour: HTML page, ONNX, Git-LFS pointer, archive, ...
    |   |-- CorruptFileError        the right format, but damaged: names the file and the offset
    |   |   `-- TruncatedFileError  it ends too early: it may still be being written
    |   `-- UnsupportedError        well-formed, but outside what graphscope reads
    |-- IncompleteModelError        the requested part is not among the model's files
    |-- UntrustedError              running the graph would touch files, the network or processes
    |-- UnknownNameError            no node, tensor, variable, tag or signature of that name
    `-- MissingDependencyError      an optional package is needed and not installed

and one warning: InexactKernelsWarning, where results may differ in their last bits.

Each carries a message (what was found, and where) and a hint (the next thing to type or do).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence

from graphscope.advice import Advice


class GraphscopeError(Exception):
    """Root of the tree.

    Attributes:
        message: what was found and where, one or more lines, without a final full stop needed.
        hint: the next thing to do, worded for Python by ``str()``; ``None`` if there is none.
    """

    def __init__(self, message: str, *, hint: str | Advice | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ArgumentError(GraphscopeError):
    """Invalid arguments, regardless of the model."""


class FileError(GraphscopeError):
    """A path that does not exist, is of the wrong kind, or cannot be read or written."""

    @classmethod
    def from_os_error(cls, error: OSError | ValueError, path: str | os.PathLike[str]) -> FileError:
        """The operating system's refusal as one sentence that names the file."""
        return cls(f"{os.fspath(path)}: {getattr(error, 'strerror', None) or error}")


@contextlib.contextmanager
def file_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Converts an ``OSError`` in the block to a :class:`FileError` that names ``path``; that of an impossible name, too."""
    try:
        yield
    except OSError as error:
        raise FileError.from_os_error(error, path) from error
    except ValueError as error:
        if is_possible(path):
            raise
        raise FileError.from_os_error(error, path) from error


def is_possible(path: str | os.PathLike[str]) -> bool:
    """Whether a file can have that name: without NUL, and with characters that the file system's encoding has."""
    try:
        return b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        return False


class FormatError(GraphscopeError):
    """Content that is not of the expected format.

    Attributes:
        path: the file.
        offset: byte offset in the file; ``None`` for the whole file.
    """

    def __init__(
        self, message: str, *, path: str | os.PathLike[str], offset: int | None = None, hint: str | Advice | None = None
    ) -> None:
        self.path = os.fspath(path)
        self.offset = offset
        place = self.path if offset is None else f"{self.path}, byte {offset:,}"
        super().__init__(f"{place}: {message}", hint=hint)


class NotTensorFlowError(FormatError):
    """A recognized neighbor of TensorFlow's formats, or an unknown format."""


class CorruptFileError(FormatError):
    """The right format, but truncated, damaged or inconsistent."""


class TruncatedFileError(CorruptFileError):
    """The right format, but the last part is incomplete."""


class UnsupportedError(FormatError):
    """Well-formed, but outside what graphscope can read."""


class IncompleteModelError(GraphscopeError):
    """A requested graph, shard or value is not among the model's files."""


class UnknownNameError(GraphscopeError):
    """A name that the model does not have; the message lists the closest ones.

    Attributes:
        name: the requested name.
        closest: up to five similar names of the model, best first.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str | Advice | None = None) -> None:
        self.name = name
        self.closest = closest_names(name, known)
        message = f"no {kind} is named {name!r}"
        if self.closest:
            message += "; closest: " + ", ".join(self.closest)
        super().__init__(message, hint=hint)


class UntrustedError(GraphscopeError):
    """Running the graph would do more than compute, and it is not trusted.

    Attributes:
        effects: the nodes and their effects, as :class:`graphscope.analysis.effects.NodeEffect`.
    """

    def __init__(self, message: str, *, effects: Sequence[object] = (), hint: str | Advice | None = None) -> None:
        self.effects = tuple(effects)
        super().__init__(message, hint=hint)


class MissingDependencyError(GraphscopeError):
    """An optional package that this request needs is not installed."""


class InexactKernelsWarning(UserWarning):
    """Bit-exact results were requested, but TensorFlow was imported with kernels that do not guarantee them."""


def closest_names(name: str, known: Iterable[str], limit: int = 5) -> list[str]:
    """Up to ``limit`` names of ``known`` that are similar to ``name``: those that contain it first, then by edit distance.

    The containment test is linear in the number of names; the edit distance is computed for at most 5,000 names.
    """
    names = list(dict.fromkeys(known))
    folded = name.casefold()
    containing = sorted((n for n in names if folded and folded in n.casefold()), key=len)[:limit]
    import difflib

    similar = difflib.get_close_matches(name, names[:5000], n=limit, cutoff=0.6)
    return list(dict.fromkeys([*containing, *similar]))[:limit]


def some(names: Iterable[str], limit: int) -> str:
    """The first ``limit`` names, and how many more there are."""
    found = list(names)
    rest = len(found) - limit
    return ", ".join(found[:limit]) + (f" and {rest:,} more" if rest > 0 else "")
