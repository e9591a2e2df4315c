"""Feeds: given values, and random ones for everything else."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.analysis.tensors import TensorLister
from graphscope.core.model import Model
from graphscope.core.ops.sets import DEFAULTED, PLACEHOLDER_OPS
from graphscope.core.tensors import TensorName, TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.fit import fit
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.feeding.demands.demands import apply_demands
from graphscope.feeding.demands.encoded import EncodedStrings
from graphscope.feeding.demands.inferred import Consumers
from graphscope.feeding.demands.lookups import LookedUp
from graphscope.feeding.demands.ragged import RowSplits
from graphscope.feeding.demands.rules import FeedSpec
from graphscope.feeding.demands.sparse import SparseIndices, SparseSizes, lacks_sizes
from graphscope.feeding.dependencies import need
from graphscope.feeding.feed_values import AS_USUAL, from_file, literal, media_paths
from graphscope.formats.media.pictures import Scaling

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Loader = Callable[[TensorSpec], "NDArray[Any]"]
"""Returns the value for a placeholder; raises an error that names the placeholder if it does not fit."""

UNKNOWN = 2
"""The default size of an unknown dimension."""

STRINGS = tuple(b"%02d" % i for i in range(10))
"""Sample strings: text that is a number too, and a protobuf message (``0`` starts an unknown field with the next byte)."""


@dataclass(frozen=True, slots=True)
class FeedOptions:
    """Options for values that a text does not determine completely.

    Attributes:
        seed: seed for random values.
        unknown: the size of unknown dimensions of random values and zeros.
        scaling: of pictures.
    """

    seed: int = 0
    unknown: int = UNKNOWN
    scaling: Scaling = AS_USUAL


USUAL = FeedOptions()


@dataclass(frozen=True, slots=True)
class Feed:
    """The value for one tensor.

    Attributes:
        name: the name of a node, of a tensor, or of a signature's argument.
        value: an array, anything that NumPy can convert to one, or a text: a number, a nested list (JSON), ``@x.npy``,
            ``@x.npz:key``, ``@picture.png``, a directory of pictures, ``random`` or ``zeros``; for a string tensor, any other
            text is the value itself.
    """

    name: str
    value: Any

    @classmethod
    def parse(cls, text: str) -> Feed:
        """``NAME=VALUE``.

        Raises:
            GraphscopeError: there is no name or no value.
        """
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise GraphscopeError(
                f"{text!r} is not of the form NAME=VALUE", hint="for example: input=0.5, input:0=@x.npy, input=random"
            )
        return cls(name, value)

    @property
    def tensor(self) -> str:
        """The tensor's name."""
        return str(TensorName.parse(self.name))

    @property
    def is_made(self) -> bool:
        """Whether the value is made for the tensor."""
        return isinstance(self.value, str) and self.value in ("random", "zeros")

    def load(self, spec: TensorSpec, options: FeedOptions = USUAL) -> NDArray[Any]:
        """The value for the tensor ``spec``.

        Raises:
            GraphscopeError: it does not fit the tensor, or cannot be read; the error names the tensor.
        """
        if not isinstance(self.value, str):
            value = _array(self.value, spec.name)
            return value if spec.dtype is DataType.INVALID else fit(value, spec)
        return _loader(self.value, options)(spec)


Given = Mapping[str, Any] | Iterable[str | Feed]
"""Feeds: node or tensor name -> value as in :class:`Feed`, or ``NAME=VALUE`` texts."""


def feeds_of(given: Given) -> list[Feed]:
    """Each of ``given``, parsed; raises as :meth:`Feed.parse`."""
    if isinstance(given, Mapping):
        return [Feed(name, value) for name, value in given.items()]
    return [item if isinstance(item, Feed) else Feed.parse(item) for item in given]


def _array(value: Any, name: str) -> NDArray[Any]:
    import numpy as np

    try:
        array: NDArray[Any] = np.asarray(value)
        is_cut = array.dtype.kind == "S" and not isinstance(value, np.ndarray)  # NULs at the end of bytes are lost
        return np.asarray(value, object) if is_cut else array
    except ValueError as error:
        raise GraphscopeError(f"{name}: the value is not an array: {error}") from error


def _loader(value: str, options: FeedOptions) -> Loader:
    if value == "random":
        return functools.partial(random_value, seed=options.seed, unknown=options.unknown)
    if value == "zeros":
        return functools.partial(_zeros, unknown=options.unknown)
    if value.startswith("@"):
        return functools.partial(from_file, value[1:], scaling=options.scaling)
    return functools.partial(literal, value)


def example_names(given: Given) -> tuple[str, ...]:
    """Names of the files that the first feed with pictures or sounds reads, in order; none if there are none.

    Raises:
        FileError, GraphscopeError: as :meth:`Feed.parse` and :func:`graphscope.formats.media.pictures.picture_files`.
    """
    values = (feed.value for feed in feeds_of(given))
    found = (media_paths(value[1:]) for value in values if isinstance(value, str) and value.startswith("@"))
    return tuple(path.name for path in next(filter(None, found), ()))


def resolve_feeds(
    given: Given, placeholders: Iterable[TensorSpec], options: FeedOptions = USUAL
) -> dict[str, NDArray[Any]]:
    """Tensor name -> value for each feed.

    Raises:
        UnknownNameError: no placeholder has that name.
        GraphscopeError: a text is not of the form ``NAME=VALUE``, the file cannot be read, or type or shape do not fit.
    """
    specs = {spec.name: spec for spec in placeholders}
    feeds = {}
    for feed in feeds_of(given):
        if feed.tensor not in specs:
            raise UnknownNameError("placeholder", feed.tensor, specs)
        feeds[feed.tensor] = feed.load(specs[feed.tensor], options)
    return feeds


def resolve_baked(model: Model, given: Given) -> dict[str, NDArray[Any]]:
    """As :func:`resolve_feeds`, for any placeholder of ``model``, those with a default too, and for any variable.

    A value for a variable takes the place of the stored one.
    """
    specs = placeholders(model)
    if {feed.tensor for feed in feeds_of(given)} - {spec.name for spec in specs}:
        whole = (v for v in model.variables if v.in_graph and v.slice is None)
        specs += [TensorSpec(f"{v.name}:0", v.dtype, v.shape) for v in whole]
    return resolve_feeds(given, specs)


def resolve_tensors(model: Model, given: Given, options: FeedOptions = USUAL) -> dict[str, NDArray[Any]]:
    """As :func:`resolve_feeds`, for any tensor of ``model``, including intermediate ones."""
    feeds = {}
    consumers = Consumers(model.graph, model)
    for feed in feeds_of(given):
        name = feed.tensor
        if TensorName.parse(name).node not in model.graph:
            raise UnknownNameError("placeholder", name, (spec.name for spec in placeholders(model)))
        spec = tensor_spec(model, name)
        feeds[name] = feed.load(apply_demands(spec, consumers) if feed.is_made else spec, options)
    return feeds


def placeholders(model: Model) -> list[TensorSpec]:
    """Every placeholder of the graph, in file order."""
    lister = TensorLister(model.catalog, model.graph.producer)
    return [lister.outputs(node, model.graph)[0] for node in model.graph if node.op in PLACEHOLDER_OPS]


def required_inputs(
    model: Model, fetches: Iterable[str], given: Iterable[TensorSpec] = (), *, with_defaults: bool = False
) -> list[TensorSpec]:
    """The placeholders without a usable default that ``fetches`` need while ``given`` are fed, in file order.

    A placeholder of unknown rank has the shape that its consumers require.

    Args:
        with_defaults: those with a default too that take any number of measurements.

    Raises:
        UnknownNameError: a fetch is not in the graph.
    """
    graph = model.graph
    given = list(given)
    names = need(graph, fetches, given).names
    lister = TensorLister(model.catalog, graph.producer)
    fed = {spec.name for spec in given}
    consumers = Consumers(graph, model)
    placeholders = ((n, lister.outputs(n, graph)[0]) for n in graph if n.op in PLACEHOLDER_OPS and n.name in names)
    return [
        apply_demands(spec, consumers)
        for node, spec in placeholders
        if spec.name not in fed
        and (node.op != DEFAULTED or lacks_sizes(graph, node) or (with_defaults and _takes_data(spec)))
    ]


def _takes_data(spec: TensorSpec) -> bool:
    """Whether it takes any number of measurements; indices (of a sparse tensor, say) may not be just any."""
    return None in (spec.shape or ()) and (spec.dtype.is_floating or spec.dtype is DataType.UINT8)


def tensor_spec(model: Model, name: str) -> TensorSpec:
    """Type and shape that the file states for the tensor ``name``; its type is ``INVALID`` if the op is unknown.

    Raises:
        UnknownNameError: the model has no such tensor.
    """
    tensor = TensorName.parse(name)
    outputs = TensorLister(model.catalog, model.graph.producer).outputs(model.graph[tensor.node], model.graph)
    if not 0 <= tensor.index < len(outputs):
        raise UnknownNameError("tensor", str(tensor), (spec.name for spec in outputs))
    return outputs[tensor.index]


def random_feeds(
    placeholders: Iterable[TensorSpec],
    *,
    seed: int,
    unknown: int = UNKNOWN,
    overrides: Mapping[str, NDArray[Any]] | None = None,
) -> dict[str, NDArray[Any]]:
    """Tensor name -> value for each placeholder: from ``overrides``, or random in a range that suits its type.

    Floating and complex numbers are uniform in [-1, 1), uint8 in 0..255, other integers in 0..9 (they are often indices),
    strings are :data:`STRINGS`, or what the op that takes them decodes, or mostly keys of the table in which they are
    looked up; indices and shape of a sparse tensor fit together, and so do values and splits of a ragged one.
    A placeholder's values depend only on ``seed`` and its name.

    Args:
        unknown: the size of unknown dimensions; a tensor of unknown rank is a vector of that size.
        overrides: node or tensor name -> value.

    Raises:
        GraphscopeError: a placeholder takes resources or variants, which have no NumPy equivalent.
    """
    given = {str(TensorName.parse(name)): value for name, value in (overrides or {}).items()}
    return {
        spec.name: given[spec.name] if spec.name in given else random_value(spec, seed=seed, unknown=unknown)
        for spec in placeholders
    }


def random_value(spec: TensorSpec, *, seed: int, unknown: int = UNKNOWN) -> NDArray[Any]:
    """One value as :func:`random_feeds` gives it."""
    import numpy as np

    return _draw(spec, np.random.default_rng([seed, zlib.crc32(spec.name.encode())]), unknown)


def _draw(spec: TensorSpec, rng: np.random.Generator, unknown: int) -> NDArray[Any]:
    import numpy as np

    make = _RANDOM.get(spec.dtype, _float if spec.dtype.is_floating else None)
    if make is None:
        raise _unfeedable(spec)
    if isinstance(spec, FeedSpec):
        make = _integer(min(spec.below, _INDICES))
    shape = concrete(spec, unknown)
    if isinstance(spec, EncodedStrings):
        draw = functools.partial(_draw, rng=rng, unknown=unknown)
        return np.array([spec.encode(draw) for _ in range(math.prod(shape))], object).reshape(shape)
    if isinstance(spec, LookedUp):
        count = math.prod(shape)
        keys = np.array(spec.keys, object)[rng.integers(0, len(spec.keys), count)]
        known = rng.random(count) < _KNOWN
        return np.where(known, keys, _string(rng, spec.dtype, (count,))).reshape(shape)
    if isinstance(spec, RowSplits):
        rows = unknown if spec.shape == (None,) else shape[0] - 1
        return np.array(_splits(rng, rows, unknown), spec.dtype.numpy)
    if isinstance(spec, (SparseIndices, SparseSizes)):
        sizes = [unknown if size is None else size for size in spec.sizes]
        return np.array(sizes if isinstance(spec, SparseSizes) else _places(rng, sizes, shape), np.int64)
    return np.asarray(make(rng, spec.dtype, shape))


_KNOWN = 0.75
"""The share of strings that are drawn from the keys of the table in which they are looked up."""


def _splits(rng: np.random.Generator, rows: int, values: int) -> list[int]:
    """From 0 to ``values`` in ascending order: where so many rows begin, and where the last one ends."""
    begins = sorted(rng.integers(0, values, max(rows - 1, 0), endpoint=True).tolist())
    return [0, *begins, values] if rows > 0 else [0] * (rows + 1)


def _places(rng: np.random.Generator, sizes: Sequence[int], shape: tuple[int, ...]) -> NDArray[Any]:
    """Indices of shape ``shape`` within ``sizes``, ascending, none twice if there are enough places."""
    import numpy as np

    columns = sizes[: shape[-1]] if len(shape) > 1 else sizes[:1]
    sizes = [min(size, int(_PLACES ** (1 / len(columns)))) for size in columns]
    count, total = shape[0] if shape else 1, math.prod(sizes)
    if not total:
        return np.zeros(shape, np.int64)
    chosen = np.sort(rng.choice(total, count, replace=count > total))
    return np.stack(np.unravel_index(chosen, sizes), axis=-1).reshape(shape)


_PLACES = 2**40
"""Indices are drawn from so many places at most."""


def concrete(spec: TensorSpec, unknown: int = UNKNOWN) -> tuple[int, ...]:
    """The shape with ``unknown`` for each unknown dimension; a vector for an unknown rank."""
    return tuple(unknown if d is None else d for d in ((None,) if spec.shape is None else spec.shape))


def _zeros(spec: TensorSpec, *, unknown: int) -> NDArray[Any]:
    """Zeros; false; empty strings."""
    import numpy as np

    if spec.dtype in (DataType.RESOURCE, DataType.VARIANT, DataType.INVALID):
        raise _unfeedable(spec)
    if spec.dtype is DataType.STRING:
        return np.full(concrete(spec, unknown), b"", object)
    return np.zeros(concrete(spec, unknown), spec.dtype.numpy)


def _unfeedable(spec: TensorSpec) -> GraphscopeError:
    return GraphscopeError(f"{spec.name} takes a {spec.dtype.label}, which has no NumPy equivalent and cannot be fed")


def _float(rng: np.random.Generator, dtype: DataType, shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.asarray(rng.uniform(-1, 1, shape)).astype(dtype.numpy)


def _complex(rng: np.random.Generator, dtype: DataType, shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.asarray(rng.uniform(-1, 1, shape) + 1j * rng.uniform(-1, 1, shape)).astype(dtype.numpy)


def _bool(rng: np.random.Generator, _: DataType, shape: tuple[int, ...]) -> Any:
    return rng.integers(0, 2, shape) == 1


def _string(rng: np.random.Generator, _: DataType, shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.array(STRINGS, object)[rng.integers(0, len(STRINGS), shape)]


def _integer(below: int) -> Callable[[np.random.Generator, DataType, tuple[int, ...]], Any]:
    def make(rng: np.random.Generator, dtype: DataType, shape: tuple[int, ...]) -> Any:
        import numpy as np

        return np.asarray(rng.integers(0, below, shape)).astype(dtype.numpy)

    return make


_INDICES = 10
"""Random integers are less than this: they are often indices."""

_INTEGERS = tuple(
    DataType[name] for name in "INT8 INT16 INT32 INT64 UINT16 UINT32 UINT64 QINT8 QINT16 QUINT16 QINT32".split()
)
_RANDOM: Mapping[DataType, Callable[[np.random.Generator, DataType, tuple[int, ...]], Any]] = {
    **dict.fromkeys((DataType.COMPLEX64, DataType.COMPLEX128), _complex),
    **dict.fromkeys((DataType.UINT8, DataType.QUINT8), _integer(256)),
    **dict.fromkeys((DataType.INT4, DataType.UINT4), _integer(8)),
    **dict.fromkeys((DataType.INT2, DataType.UINT2), _integer(2)),
    **dict.fromkeys(_INTEGERS, _integer(_INDICES)),
    DataType.BOOL: _bool,
    DataType.STRING: _string,
}
