"""In which form a graph is written: the suffix of the file's name tells."""

from __future__ import annotations

import enum
import os
from pathlib import Path

from graphscope.errors import GraphscopeError


class GraphForm(enum.Enum):
    """A form in which a graph can be written; the value names it."""

    BINARY = "a binary GraphDef"
    TEXT = "a GraphDef in text"
    META = "a MetaGraphDef"


_BY_SUFFIX = {
    "": GraphForm.BINARY,
    ".pb": GraphForm.BINARY,
    ".graphdef": GraphForm.BINARY,
    ".pbtxt": GraphForm.TEXT,
    ".prototxt": GraphForm.TEXT,
    ".meta": GraphForm.META,
}


def graph_form(path: str | os.PathLike[str]) -> GraphForm:
    """The form that the name of ``path`` tells: ``.pb`` or no suffix is binary, ``.pbtxt`` text, ``.meta`` a meta graph.

    Raises:
        GraphscopeError: the suffix is that of another format.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in _BY_SUFFIX:
        raise GraphscopeError(
            f"{os.fspath(path)}: {suffix} is not a format that a graph can be written in",
            hint="name it .pb (binary) or .pbtxt (text)",
        )
    return _BY_SUFFIX[suffix]
