"""Everything that graphscope raises on purpose, in one tree.

::

    GraphscopeError                 one root: the command line catches this and nothing else
    |-- ArgumentError               arguments that make no sense, whatever the model: wrong usage
    |-- FileError                   the file system said no, or the path points at nothing
    |-- FormatError                 the bytes are not what their place or name promises
    |   |-- NotTensorFlowError      a neighbour: HTML page, ONNX, Git-LFS pointer, archive, ...
    |   |-- CorruptFileError        the right format, broken: says the file and the offset
    |   |   `-- TruncatedFileError  it ends too early: a writer may still be at work
    |   `-- UnsupportedError        well-formed, but outside what graphscope reads
    |-- IncompleteModelError        the part that was asked for is not among the model's files
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
        hint: the next thing to do, worded for Python by ``str()``; ``None`` where there is none.
    """

    def __init__(self, message: str, *, hint: str | Advice | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ArgumentError(GraphscopeError):
    """Arguments that make no sense, whatever the model."""


class FileError(GraphscopeError):
    """A path that does not exist, is of the wrong kind, or may not be read or written."""

    @classmethod
    def from_os_error(cls, error: OSError | ValueError, path: str | os.PathLike[str]) -> FileError:
        """The operating system's refusal as one sentence that names the file."""
        return cls(f"{os.fspath(path)}: {getattr(error, 'strerror', None) or error}")


@contextlib.contextmanager
def file_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """What the operating system refuses in the block is a :class:`FileError` that names ``path``."""
    try:
        yield
    except OSError as error:
        raise FileError.from_os_error(error, path) from error


class FormatError(GraphscopeError):
    """Bytes that are not what their place or name promises.

    Attributes:
        path: the file.
        offset: where in it, in bytes from its start; ``None`` where the whole file is meant.
    """

    def __init__(
        self, message: str, *, path: str | os.PathLike[str], offset: int | None = None, hint: str | Advice | None = None
    ) -> None:
        self.path = os.fspath(path)
        self.offset = offset
        place = self.path if offset is None else f"{self.path}, byte {offset:,}"
        super().__init__(f"{place}: {message}", hint=hint)


class NotTensorFlowError(FormatError):
    """A recognized neighbour of TensorFlow's formats, or nothing that is known."""


class CorruptFileError(FormatError):
    """The right format, but truncated, flipped or inconsistent."""


class TruncatedFileError(CorruptFileError):
    """The right format, and whole as far as it goes: the last part is not all there."""


class UnsupportedError(FormatError):
    """Well-formed, but outside what graphscope can read."""


class IncompleteModelError(GraphscopeError):
    """A graph, a shard or a value was asked for that the model's files do not hold."""


class UnknownNameError(GraphscopeError):
    """A name that the model does not have; the message lists the closest ones.

    Attributes:
        name: what was asked for.
        closest: up to five names of the model that resemble it, best first.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str | Advice | None = None) -> None:
        self.name = name
        self.closest = closest_names(name, known)
        message = f"no {kind} is named {name!r}"
        if self.closest:
            message += "; closest: " + ", ".join(self.closest)
        super().__init__(message, hint=hint)


class UntrustedError(GraphscopeError):
    """Running the graph would do more than compute, and nobody said that it is trusted.

    Attributes:
        effects: the nodes and what they would do, as :class:`graphscope.analysis.effects.NodeEffect`.
    """

    def __init__(self, message: str, *, effects: Sequence[object] = (), hint: str | Advice | None = None) -> None:
        self.effects = tuple(effects)
        super().__init__(message, hint=hint)


class MissingDependencyError(GraphscopeError):
    """An optional package that this request needs is not installed."""


class InexactKernelsWarning(UserWarning):
    """Equal bits are wanted, and TensorFlow was imported with kernels that do not promise them."""


def closest_names(name: str, known: Iterable[str], limit: int = 5) -> list[str]:
    """Up to ``limit`` of ``known`` that resemble ``name``: those that contain it first, then by edit distance.

    Linear in the number of names for the containment test; the edit distance is taken over at most 5,000 names.
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
