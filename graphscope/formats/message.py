"""Files that hold one protocol message, binary or text, with its large tensors left in the file."""

from __future__ import annotations

from typing import TypeVar

from graphscope.formats.cut import Level, cut
from graphscope.formats.holders import BinaryHolder, Holder
from graphscope.formats.wire import Source
from graphscope.protos import DecodeError, Message

M = TypeVar("M", bound=Message)


def read_message(source: Source, level: Level, kind: type[M], is_text: bool) -> tuple[M, Holder]:
    """The message of type ``kind`` that fills ``source``, without its large tensors, and who holds those.

    Raises:
        CorruptFileError: it is no such message.
    """
    skeleton = cut(source.view(), source.path, level)
    try:
        message = kind.FromString(skeleton.message)
    except DecodeError as error:
        raise source.corrupt(f"no valid {kind.DESCRIPTOR.name}: {error}") from error
    return message, BinaryHolder(source, skeleton.tensors)
