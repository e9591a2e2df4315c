"""Files that hold one protocol message, binary or text, with its large tensors left in the file."""

from __future__ import annotations

from typing import TypeVar

from graphscope import protos
from graphscope.formats.detect.sniff import BYTE_ORDER_MARK
from graphscope.formats.io.wire import FileSource
from graphscope.formats.lazy.holders import BinaryHolder, Holder
from graphscope.formats.lazy.split_weights import Level, cut
from graphscope.protos import DecodeError, Message

M = TypeVar("M", bound=Message)


def read_message(source: FileSource, level: Level, kind: type[M], is_text: bool) -> tuple[M, Holder]:
    """The message of type ``kind`` that fills ``source``, without its large tensors, and who holds those.

    Raises:
        CorruptFileError: the content is not such a message.
    """
    return _read_text(source, kind) if is_text else read_region(source, level, kind, 0, source.size)


def read_region(source: FileSource, level: Level, kind: type[M], start: int, end: int) -> tuple[M, Holder]:
    """The binary message that is in ``source`` from byte ``start`` to ``end``, as :func:`read_message`."""
    skeleton = cut(source.view(), source.path, level, start, end)
    try:
        message = kind.FromString(skeleton.message)
    except DecodeError as error:
        raise source.corrupt(f"not a valid {kind.DESCRIPTOR.name}: {error}", start or None) from error
    return message, BinaryHolder(source, skeleton.tensors)


def _read_text(source: FileSource, kind: type[M]) -> tuple[M, Holder]:
    from graphscope.formats.text.holder import TextHolder, tensor_contents
    from graphscope.formats.text.parser import parse

    contents = tensor_contents()
    start = len(BYTE_ORDER_MARK) if source.read(0, min(3, source.size)) == BYTE_ORDER_MARK else 0
    message = parse(source.view(), kind(), source=str(source.path), cut=contents, resolve_any=_any_type, start=start)
    return message, TextHolder(source, message, contents.found)


def _any_type(name: str) -> type[Message] | None:
    """The class behind ``tensorflow.X``."""
    found = getattr(protos, name.removeprefix("tensorflow."), None)
    return found if isinstance(found, type) and issubclass(found, Message) else None
