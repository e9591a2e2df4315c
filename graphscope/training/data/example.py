"""``tf.train.Example``: named lists of bytes, floats or integers.

Source: ``tensorflow/core/example/example.proto`` and ``feature.proto``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.core.values.dtypes import DataType
from graphscope.errors import CorruptFileError, GraphscopeError
from graphscope.feeding.inputs import Input
from graphscope.protos import DecodeError, Example, Feature

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = {"bytes_list": "bytes", "float_list": "float32", "int64_list": "int64"}
"""Field -> the kind of its values."""

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
"""The first bytes of picture files: JPEG, PNG, GIF, BMP, WebP, TIFF."""


def parse(data: bytes, place: str) -> Mapping[str, Feature]:
    """The features of one example by name.

    Raises:
        CorruptFileError: the record is not such a message.
    """
    try:
        entries = Example.FromString(data).features.feature
    except DecodeError as error:
        raise CorruptFileError(f"not a valid tf.train.Example: {error}", path=place) from error
    return {entry.key: entry.value for entry in entries}


def values(features: Mapping[str, Feature], name: str, place: str) -> tuple[str, list[Any]]:
    """The kind of one feature, and its values.

    Raises:
        GraphscopeError: the example does not have the feature; the message lists its features, and the hint suggests a schema.
    """
    feature = features.get(name)
    kind = _field(feature) if feature is not None else None
    if feature is None or kind is None:
        known = ", ".join(f"{n} ({describe(f)})" for n, f in sorted(features.items()))
        raise GraphscopeError(
            f"{place}: no feature is named {name!r}; features: {known or 'none'}", hint=hint(features)
        )
    return KINDS[kind], list(getattr(feature, kind).value)


def _field(feature: Feature) -> str | None:
    return next((field for field in KINDS if feature.HasField(field)), None)


def key(features: Mapping[str, Feature], name: str, place: str) -> bytes:
    """The name of an example: a single byte string or number.

    Raises:
        GraphscopeError: there is no such feature, or it does not hold a single name.
    """
    _, found = values(features, name, place)
    if len(found) != 1 or isinstance(found[0], float):
        raise GraphscopeError(f"{place}: {name} holds no name")
    return found[0] if isinstance(found[0], bytes) else str(found[0]).encode()


def describe(feature: Feature) -> str:
    """``bytes``, ``int64``, ``float32 784``."""
    kind = _field(feature)
    if kind is None:
        return "empty"
    count = len(getattr(feature, kind).value)
    return KINDS[kind] if count == 1 else f"{KINDS[kind]} {count}"


def hint(features: Mapping[str, Feature]) -> Advice:
    """The best schema for an example: its largest feature as input, and one with label or class in its name as label."""
    sizes = {name: feature.ByteSize() for name, feature in sorted(features.items())}
    x = max(sizes, key=lambda name: sizes[name], default="image/encoded")
    others = [name for name in sizes if name != x]
    named = [name for name in others if name.rpartition("/")[2] in ("label", "labels", "class", "y", "target")]
    y = next(iter([*named, *(n for n in others if "label" in n or "class" in n), *others]), "image/class/label")
    return Advice(Option("schema", f"x={x},y={y}"), "   names the features that hold inputs and labels")


def input_value(features: Mapping[str, Feature], name: str, place: str, into: Input) -> NDArray[Any]:
    """The input of one example: an encoded picture, raw bytes (elements of the input's type, or pixels), or numbers.

    Raises:
        CorruptFileError: a picture cannot be read.
        GraphscopeError: there is no such feature, or it does not fit.
    """
    import numpy as np

    kind, found = values(features, name, place)
    if kind != "bytes":
        return _only(into.values(np.array([found], kind)))
    if len(found) != 1:
        raise GraphscopeError(f"{place}: {name} holds {len(found)} byte strings, but an input is a single one")
    if into.spec.dtype is DataType.STRING or found[0].startswith(_PICTURES):
        return into.from_picture(place, found[0])
    return _only(into.values(_raw(found[0], into)[None]))


def _only(rows: NDArray[Any]) -> NDArray[Any]:
    row: NDArray[Any] = rows[0]
    return row


def _raw(data: bytes, into: Input) -> NDArray[Any]:
    """Elements of the input's type if the size fits, otherwise bytes; decoded as by ``tf.io.decode_raw``."""
    import numpy as np

    wanted = into.elements()
    itemsize = into.spec.dtype.itemsize or 1
    is_typed = wanted is not None and len(data) == wanted * itemsize
    return np.frombuffer(data, into.spec.dtype.numpy if is_typed else np.uint8)
