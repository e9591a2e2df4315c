"""Label files: names of classes, or labels of examples."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from graphscope.errors import CorruptFileError, FileError, UnsupportedError
from graphscope.formats.io.wire import refuse_special

MAX_BYTES = 64 << 20
"""A million labels of 64 bytes each; ImageNet's thousand take 20 kB."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The content of a label file; one of the two is empty.

    Attributes:
        classes: the name of each class, in the order of the scores.
        truth: name of an example -> its label.
    """

    classes: tuple[str, ...] = ()
    truth: Mapping[str, str] = field(default_factory=dict)


def read_labels(path: Path, examples: Collection[str] = ()) -> Labels:
    """One label on each line, or a name and a label with a tab between them.

    Where the names are those of all ``examples`` (a space does as well then), the labels are what these show; otherwise line
    ``i`` is class ``i``, and its name (an identifier) is left out.

    Raises:
        FileError: the file cannot be read, or is not a regular file.
        CorruptFileError: it is not UTF-8 text.
        UnsupportedError: it is larger than :data:`MAX_BYTES`.
    """
    lines = _lines(path)
    truth = {parts[0]: parts[1].strip() for parts in (line.split(None, 1) for line in lines) if len(parts) == 2}
    if examples and truth.keys() >= set(examples):
        return Labels(truth=truth)
    return Labels(classes=tuple(line.rpartition("\t")[2].strip() for line in lines))


def _lines(path: Path) -> list[str]:
    """Without empty ones at the end: elsewhere they are classes without a name."""
    refuse_special(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnsupportedError(f"{path.stat().st_size:,} bytes; a label file has at most {MAX_BYTES:,}", path=path)
        return path.read_text("utf-8-sig").rstrip().splitlines()
    except OSError as error:
        raise FileError.from_os_error(error, path) from error
    except UnicodeDecodeError as error:
        raise CorruptFileError("not UTF-8 text", path=path, offset=error.start) from error
