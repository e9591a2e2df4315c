"""Writes a graph in protobuf's text format; the contents of large tensors are streamed.

What is small goes through ``google.protobuf.text_format``. For a large tensor it prints a mark in the place of the content,
and the content follows, escaped, when the text is written. Source: the "Text Format Language Specification" of Protocol
Buffers, part *String literals*.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from google.protobuf import text_format

from graphscope.core.graph import Function, Graph, Node
from graphscope.core.model import Model
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.progress import Progress, quiet, report_chunks
from graphscope.formats.lazy.payloads import EncodedPayload
from graphscope.protos import DecodeError, FunctionDef, FunctionDefLibrary, GraphDef, Message, NodeDef, TensorProto

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.formats.registry import WriteOptions

_BYTES = 256


def write_pbtxt(
    model: Model,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    progress: Progress = quiet,
    check: Callable[[Path], None] = lambda _: None,
) -> int:
    """Writes the graph of ``model`` as a ``GraphDef`` in text. Returns the size in bytes.

    Args:
        progress: receives the number of bytes of text.
        check: checks the finished file before it is renamed; if it raises an error, no file is kept.

    Raises:
        FileError: the file exists and ``overwrite`` is not set, or cannot be written; an existing file is kept.
        IncompleteModelError: the model has no graph.
        CorruptFileError: a weight cannot be read.
        GraphscopeError: the graph is invalid.
    """
    model.refuse_invalid(closely=True)
    return write_file(path, report_chunks(graph_text(model.graph), progress), overwrite=overwrite, check=check)


def write_model(model: Model, path: str | os.PathLike[str], options: WriteOptions) -> int:
    """See :attr:`graphscope.formats.registry.Format.writer`; raises as :func:`write_pbtxt`."""
    return write_pbtxt(model, path, overwrite=options.overwrite, progress=options.progress, check=options.check)


def graph_text(graph: Graph) -> Iterator[bytes]:
    """The text of a ``GraphDef``: the nodes in order, the library, then versions and remaining fields."""
    for node in graph:
        marks = _Marks()
        yield from marks.filled(_text(GraphDef(node=[marks.node(node)])))
    yield from _library(graph)
    rest = GraphDef()
    rest.CopyFrom(graph.header)
    rest.ClearField("library")
    yield _text(rest)


def _library(graph: Graph) -> Iterator[bytes]:
    if not graph.functions and not graph.header.HasField("library"):
        return
    yield b"library {\n"
    for function in graph.functions.values():
        marks = _Marks()
        yield from marks.filled(_text(FunctionDefLibrary(function=[marks.function(function)]), indent=2))
    yield _text(graph.header.library, indent=2)
    yield b"}\n"


def _text(message: Message, indent: int = 0) -> bytes:
    return text_format.MessageToString(message, indent=indent).encode()


class _Marks:
    """Random words that represent contents in a printed message."""

    def __init__(self) -> None:
        self._contents: dict[bytes, Payload] = {}

    def node(self, node: Node) -> NodeDef:
        """``node`` with a mark for each content that can be streamed; other large tensors are read."""
        if not node.payloads:
            return node.proto
        proto = NodeDef()
        proto.CopyFrom(node.proto)
        for name, payload in node.payloads.items():
            self._place(proto.attr[name].tensor, payload)
        return proto

    def function(self, function: Function) -> FunctionDef:
        """As :meth:`node` for every node of the body."""
        proto = FunctionDef()
        proto.CopyFrom(function.proto)
        proto.node_def.extend(map(self.node, function.nodes))
        return proto

    def filled(self, text: bytes) -> Iterator[bytes]:
        """``text`` with the contents, escaped, in place of their marks."""
        if not self._contents:
            yield text
            return
        for part in re.split(b"(" + b"|".join(self._contents) + b")", text):
            if part in self._contents:
                yield from map(_escape, self._contents[part].chunks())
            else:
                yield part

    def _place(self, tensor: TensorProto, payload: Payload) -> None:
        if isinstance(payload, EncodedPayload) and payload.content is None:
            tensor.CopyFrom(_read(payload))
        elif payload.dtype is DataType.STRING:
            tensor.string_val.extend(payload.numpy().reshape(-1).tolist())
        else:
            tensor.tensor_content = secrets.token_hex(16).encode()
            self._contents[tensor.tensor_content] = payload


def _read(payload: EncodedPayload) -> TensorProto:
    """A tensor whose values are in a typed field, as they stand in the file."""
    try:
        return TensorProto.FromString(b"".join(payload.encode()))
    except DecodeError as error:
        raise payload.source.corrupt(f"{payload.what}: not a valid TensorProto: {error}", payload.offset) from error


def _escape(content: bytes) -> bytes:
    """``content`` as it stands between quotes: printable ASCII as it is, all else as three octal digits."""
    import numpy as np

    spelled: bytes = _spellings()[np.frombuffer(content, np.uint8)].tobytes()
    return spelled.translate(None, b"\0")


@cache
def _spellings() -> NDArray[Any]:
    """For each byte its spelling in four bytes, filled up with NUL, which no spelling has."""
    import numpy as np

    plain = [32 <= byte < 127 and byte not in b"\"'\\" for byte in range(_BYTES)]
    texts = [bytes([b]).ljust(4, b"\0") if is_plain else b"\\%03o" % b for b, is_plain in enumerate(plain)]
    return np.frombuffer(b"".join(texts), np.uint32)
