"""Feeds of a run: given values, training switches set for inference, and random values for everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.fit import fit
from graphscope.feeding.feed_values import literal
from graphscope.feeding.feeds import required_inputs, tensor_spec
from graphscope.feeding.random_values import UNKNOWN, random_feeds
from graphscope.transforms.findings.switches import open_switches

if TYPE_CHECKING:
    from numpy.typing import NDArray

Feeds = Mapping[str, "NDArray[Any]"]


def fit_feeds(model: Model, feeds: Feeds) -> dict[TensorSpec, NDArray[Any]]:
    """Converts each value for its tensor, by the type and shape in the file.

    Raises:
        UnknownNameError: the model has no such tensor.
        GraphscopeError: a value does not fit.
    """
    found = {}
    for name, value in feeds.items():
        spec = tensor_spec(model, name)
        if spec.dtype is DataType.INVALID:  # nobody knows the op: the value tells
            spec = spec._replace(dtype=DataType.from_numpy(value.dtype))
        found[spec] = fit(value, spec)
    return found


def fill_feeds(
    model: Model, outputs: Sequence[str], given: Sequence[TensorSpec], *, seed: int = 0, unknown: int = UNKNOWN
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """Tensor name -> value, for training switches and the other placeholders that ``outputs`` need.

    Tensors that are ``given`` or have a default are omitted.

    Args:
        seed, unknown: as :func:`graphscope.feeding.random_values.random_feeds`.

    Raises:
        UnknownNameError: an output is not in the graph.
        GraphscopeError: a placeholder cannot be fed.
    """
    inputs = required_inputs(model, outputs, given)
    off = switches_off(model, inputs)
    return off, random_feeds([s for s in inputs if s.name not in off], seed=seed, unknown=unknown)


def switches_off(model: Model, inputs: Sequence[TensorSpec]) -> dict[str, NDArray[Any]]:
    """Sets the training switches among ``inputs`` for inference: a random keep_prob would make the outputs random."""
    values = open_switches(model.graph)
    scalars = ((node_of(spec.name), spec._replace(shape=())) for spec in inputs)
    return {spec.name: literal(values[name], spec) for name, spec in scalars if name in values}
