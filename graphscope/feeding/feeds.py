"""Feeds: given values, and the inputs that need one."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
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
from graphscope.feeding.demands.inferred import Consumers
from graphscope.feeding.demands.sparse import lacks_sizes
from graphscope.feeding.dependencies import need
from graphscope.feeding.feed_values import AS_USUAL, from_file, literal, media_paths
from graphscope.feeding.random_values import UNKNOWN, random_value, zeros
from graphscope.formats.media.pictures import Scaling

if TYPE_CHECKING:
    from numpy.typing import NDArray

Loader = Callable[[TensorSpec], "NDArray[Any]"]
"""Returns the value for a placeholder; raises an error that names the placeholder if it does not fit."""


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
        return functools.partial(zeros, unknown=options.unknown)
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
