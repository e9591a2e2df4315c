"""Strings that the graph decodes: numbers as bytes, compressed or in Base64, serialized tensors and examples, CSV lines.

A value is made from the inside out: what follows a decoder says what it must give, and its encoder makes the string of that.
"""

from __future__ import annotations

import base64
import gzip
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graphscope.core.graph import Body, Graph, Node
from graphscope.core.patterns import OpPattern
from graphscope.core.tensors import Shape, TensorName, TensorSpec
from graphscope.core.values.dtypes import UNFEEDABLE, DataType
from graphscope.feeding.demands.demanded import Demanded
from graphscope.feeding.demands.elements import Elements, demanded_elements
from graphscope.feeding.demands.examples import ExampleSpec, dense_features, example_bytes, example_json
from graphscope.feeding.demands.media import MEDIA, media_encoder
from graphscope.feeding.demands.rules import INDEX_TYPES, Indices, demanded_shapes, index_bounds
from graphscope.feeding.demands.weights import small_integers
from graphscope.named_tuple import NamedTuple
from graphscope.protos import TensorProto

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.feeding.random_values import Source

Draw = Callable[[TensorSpec], "NDArray[Any]"]
"""Makes random values for a tensor."""
Encode = Callable[[Draw], bytes]
"""Makes one string."""

PASSED = frozenset(
    "Identity Reshape ExpandDims Squeeze StopGradient Switch Enter StridedSlice Slice Unpack Pack Concat ConcatV2 Gather"
    " GatherV2 Tile Transpose".split()
)
"""Ops that return their input strings unchanged."""
_TAKEN_APART = OpPattern("Tensor", r"TensorArray(Scatter|Unpack)(V\d)?|TensorListFromTensor|TensorSliceDataset")
"""Ops whose parts a loop or a dataset decodes, one by one."""
_STEPS = 32
_MAX_DEPTH = 8


class EncodedStrings(NamedTuple):
    """Strings that an op decodes.

    Attributes:
        encode: makes one of them; all decode to the same shape.
    """

    encode: Encode

    def draw(self, spec: TensorSpec, source: Source) -> NDArray[Any]:
        """See :meth:`graphscope.feeding.demands.demanded.Content.draw`."""
        import numpy as np

        shape = source.shape(spec)
        return np.array([self.encode(source.draw) for _ in range(math.prod(shape))], object).reshape(shape)


def encoded_strings(graph: Graph, spec: TensorSpec) -> Demanded | None:
    """``spec`` with what its strings are decoded to; ``None`` if any string will do."""
    name = TensorName.parse(spec.name)
    count = _count(spec.shape)
    found = next(_decoders(graph, name.node, name.index), None)
    parts = _decoder_of_parts(graph, name.node) if found is None else None
    decoder = _Decoder(graph, found, count) if found is not None else parts
    made = _ENCODERS[decoder.node.op](decoder) if decoder is not None else None
    if made is None:
        return None
    encode, is_single = made
    shape = tuple(1 if size is None else size for size in spec.shape or ()) if is_single else spec.shape
    return Demanded(spec._replace(shape=shape), EncodedStrings(encode))


def _count(shape: Shape) -> int | None:
    """How many strings there are; ``None`` if a size is unknown."""
    return None if shape is None or None in shape else math.prod(size or 0 for size in shape)


def _decoders(body: Body, start: str, index: int = 0) -> Iterator[Node]:
    """The ops that decode what ``start`` gives, behind those that pass strings on."""
    waiting = [start]
    for name in waiting:
        for node in body.consumers(name):
            parsed = map(TensorName.parse, node.data_inputs())
            places = [i for i, t in enumerate(parsed) if t.node == name and (name != start or t.index == index)]
            if 0 in places and node.op in _ENCODERS:
                yield node
            if node.op in PASSED and places and node.name not in waiting and len(waiting) < _STEPS:
                waiting.append(node.name)


def _decoder_of_parts(body: Body, name: str) -> _Decoder | None:
    """The one op that decodes strings of ``name`` in a loop or a dataset that takes them apart; ``None`` if there are more."""
    if not any(_TAKEN_APART.fullmatch(node.op) for node in body.consumers(name)):
        return None
    bodies = [b for _, b in body.bodies] if isinstance(body, Graph) else [body]
    found = [_Decoder(b, node, 1) for b in bodies for node in b if node.op in _ENCODERS and node.name != name]
    return found[0] if len(found) == 1 else None


# Encoders

_Made = tuple[Encode, bool]
"""The encoder, and whether what follows takes one string only."""


class _Decoder(NamedTuple):
    """An op that decodes strings.

    Attributes:
        body: the graph or function that it is in.
        node: the op.
        strings: how many it takes; ``None`` if that is open.
        depth: how many decoders came before.
    """

    body: Body
    node: Node
    strings: int | None
    depth: int = 0


_Encoder = Callable[[_Decoder], "_Made | None"]


def _inner(decoder: _Decoder, index: int = 0) -> _Made:
    """What an output of ``decoder`` must be: decoded again, or any string."""
    depth = decoder.depth + 1
    if depth >= _MAX_DEPTH:
        return _any_string, False
    found = next(_decoders(decoder.body, decoder.node.name, index), None)
    parts = _decoder_of_parts(decoder.body, decoder.node.name) if found is None else None
    following = decoder._replace(node=found) if found is not None else parts
    made = _ENCODERS[following.node.op](following._replace(depth=depth)) if following is not None else None
    return made or (_any_string, False)


def _any_string(draw: Draw) -> bytes:
    return bytes(draw(TensorSpec("", DataType.STRING, ()))[()])


def _wrap(wrap: Callable[[Node, bytes], bytes]) -> _Encoder:
    """The encoder of strings that are decoded to strings."""

    def make(decoder: _Decoder) -> _Made:
        encode, is_single = _inner(decoder)
        return lambda draw: wrap(decoder.node, encode(draw)), is_single

    return make


def _compress(node: Node, content: bytes) -> bytes:
    kind = node.attr("compression_type")
    return {b"GZIP": lambda c: gzip.compress(c, mtime=0), b"ZLIB": zlib.compress}.get(
        kind.s if kind is not None else b"", bytes
    )(content)


def _in_base64(_: Node, content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _raw(decoder: _Decoder) -> _Made | None:
    return _bytes_of(decoder, demanded_elements(decoder.body, decoder.node, decoder.strings))


def _padded_raw(decoder: _Decoder) -> _Made | None:
    length = small_integers(decoder.body, decoder.node.inputs[1])
    dtype = _type(decoder.node, "out_type")
    if not length or dtype is None:
        return None
    return _bytes_of(decoder, Elements(max(length[0] // dtype.numpy.itemsize, 0)))


def _bytes_of(decoder: _Decoder, elements: Elements) -> _Made | None:
    dtype = _type(decoder.node, "out_type")
    if dtype is None:
        return None
    spec = _numbers(decoder, dtype, (elements.size,))
    little = decoder.node.attr("little_endian")
    is_swapped = little is not None and not little.b
    return lambda draw: (draw(spec).byteswap() if is_swapped else draw(spec)).tobytes(), elements.is_single


def _numbers(decoder: _Decoder, dtype: DataType, shape: Shape) -> TensorSpec:
    """What ``decoder`` gives, with whether it holds indices."""
    sizes = [size for size in index_bounds(decoder.body, decoder.node) if size] if dtype in INDEX_TYPES else []
    spec = TensorSpec("", dtype, shape)
    return Demanded(spec, Indices(min(sizes))) if sizes else spec


def _type(node: Node, name: str) -> DataType | None:
    attr = node.attr(name)
    dtype = DataType.of(attr.type) if attr is not None else DataType.INVALID
    return None if dtype is DataType.INVALID or dtype in UNFEEDABLE else dtype


def _tensor(decoder: _Decoder) -> _Made | None:
    dtype = _type(decoder.node, "out_type")
    if dtype is None:
        return None
    spec = _numbers(decoder, dtype, next(demanded_shapes(decoder.body, decoder.node), (None,)))

    def encode(draw: Draw) -> bytes:
        values = draw(spec)
        proto = TensorProto(dtype=dtype.value)
        for size in values.shape:
            proto.tensor_shape.dim.add(size=size)
        if dtype is DataType.STRING:
            proto.string_val.extend(values.ravel().tolist())
        else:
            proto.tensor_content = values.tobytes()
        return proto.SerializeToString()

    return encode, False


def _line(decoder: _Decoder) -> _Made | None:
    node = decoder.node
    types = node.attr("OUT_TYPE")
    if types is None:
        return None
    outputs = {k: DataType.of(t) for k, t in enumerate(types.list.type)}
    selected = node.attr("select_cols")
    columns = list(selected.list.i) if selected is not None and selected.list.i else list(outputs)
    delimiter = node.attr("field_delim")
    separator = delimiter.s if delimiter is not None and delimiter.s else b","
    size = min(max(columns, default=0) + 1, _MAX_COLUMNS)
    dtypes = {column: outputs[k] for k, column in enumerate(columns) if k in outputs}

    def encode(draw: Draw) -> bytes:
        fields = (draw(TensorSpec("", dtypes.get(column, DataType.STRING), ())).item() for column in range(size))
        return separator.join(value if isinstance(value, bytes) else str(value).encode() for value in fields)

    return encode, False


_MAX_COLUMNS = 100_000


def _examples(write: Callable[[Mapping[str, NDArray[Any]]], bytes]) -> _Encoder:
    """The encoder of examples with all dense features that ``node`` parses."""

    def make(decoder: _Decoder) -> _Made | None:
        features = list(dense_features(decoder.body, decoder.node))
        if not features:
            return None
        encoders = {f.key: _inner(decoder, f.output)[0] for f in features if f.spec.dtype is DataType.STRING}

        def encode(draw: Draw) -> bytes:
            return write({f.key: _feature(f, encoders.get(f.key), draw) for f in features})

        return encode, False

    return make


def _feature(feature: ExampleSpec, encode: Encode | None, draw: Draw) -> NDArray[Any]:
    import numpy as np

    if encode is None:
        return draw(feature.spec._replace(name=feature.key))
    return np.array([encode(draw) for _ in range(_count(feature.spec.shape) or 1)], object)


def _json(decoder: _Decoder) -> _Made:
    parser = next((n for n in _decoders(decoder.body, decoder.node.name) if n.op in _PARSERS), None)
    made = _examples(example_json)(decoder._replace(node=parser)) if parser is not None else None
    return made or (lambda _: b"{}", False)


_PARSERS = ("ParseExample", "ParseExampleV2", "ParseSingleExample")
_ENCODERS: Mapping[str, _Encoder] = {
    "DecodeRaw": _raw,
    "DecodePaddedRaw": _padded_raw,
    "DecodeBase64": _wrap(_in_base64),
    "DecodeCompressed": _wrap(_compress),
    "ParseTensor": _tensor,
    "DecodeCSV": _line,
    "DecodeJSONExample": _json,
    **dict.fromkeys(_PARSERS, _examples(example_bytes)),
    **dict.fromkeys(MEDIA, lambda decoder: (media_encoder(decoder.body, decoder.node), False)),
}
"""Op -> what makes the strings that it decodes; ``None`` if any will do."""
