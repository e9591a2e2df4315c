"""Heads as chains of layers: one row for each layer says how its text is read and how it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphscope.errors import GraphscopeError, closest_names
from graphscope.training.heads import layers as build
from graphscope.training.heads import spec
from graphscope.training.heads.context import Built, Context
from graphscope.training.heads.spec import ACTIVATIONS, OF_LOSS, Layer, Wrong


@dataclass(frozen=True, slots=True)
class LayerKind:
    """A kind of layer.

    Attributes:
        parse: reads what follows the kind between colons into the layer; raises :class:`spec.Wrong`.
        build: makes the layer's output of its input, a tensor; raises :class:`GraphscopeError` where it cannot.
    """

    parse: Callable[[Layer, list[str]], Layer]
    build: Callable[[Layer, Any, Context], Any]


LAYERS: Mapping[str, LayerKind] = {
    "flatten": LayerKind(spec.parse_bare, build.build_flatten),
    "dense": LayerKind(spec.parse_dense, build.build_dense),
    "conv": LayerKind(spec.parse_conv, build.build_conv),
    "gap": LayerKind(spec.parse_bare, build.build_global_pool),
    "gmp": LayerKind(spec.parse_bare, build.build_global_pool),
    "maxpool": LayerKind(spec.parse_pool, build.build_pool),
    "avgpool": LayerKind(spec.parse_pool, build.build_pool),
    "batchnorm": LayerKind(spec.parse_bare, build.build_batch_norm),
    "layernorm": LayerKind(spec.parse_bare, build.build_layer_norm),
    "dropout": LayerKind(spec.parse_dropout, build.build_dropout),
}
"""By the name that stands in the text of a head."""


def parse_chain(text: str) -> tuple[Layer, ...]:
    """Parses the layers of ``text``.

    Raises:
        GraphscopeError: a part is not a layer; the error points at it.
    """
    parts = text.split(",")
    layers = []
    for number, part in enumerate(parts):
        try:
            layers.append(_layer(part.strip()))
        except Wrong as error:
            raise _pointing(text, parts, number, error) from None
    return tuple(layers)


def _pointing(text: str, parts: list[str], number: int, error: Wrong) -> GraphscopeError:
    start = sum(len(part) + 1 for part in parts[:number])
    marks = " " * start + "^" * max(len(parts[number]), 1)
    what = f"the head's part {number + 1}, {parts[number].strip()!r}: {error}"
    return GraphscopeError(f"{what}\n{text}\n{marks}", hint=error.hint or _EXAMPLE)


_EXAMPLE = "a head looks like this: flatten,dense:256:relu,dropout:0.5,dense:10"


def _layer(part: str) -> Layer:
    kind, *arguments = part.split(":")
    if kind in ACTIVATIONS and not arguments:
        return Layer(part, kind, activation=kind)
    if kind in OF_LOSS:
        raise Wrong("the loss takes logits and applies it itself", f"leave {kind} out: the predictions include it")
    row = LAYERS.get(kind)
    if row is None:
        names = [*LAYERS, *ACTIVATIONS]
        closest = closest_names(kind, names)
        text = f"unknown layer {kind!r}" + (f"; did you mean {closest[0]!r}?" if closest else "")
        raise Wrong(text, "layers: " + " ".join(names))
    return row.parse(Layer(part, kind), arguments)


def build_chain(layers: Sequence[Layer], x: Any, context: Context) -> Any:
    """The layers one after the other, each in a scope of its own: ``dense``, ``dense_1``, ...

    Raises:
        GraphscopeError: a layer cannot take the shape of its input; the error prints both.
    """
    counts: dict[str, int] = {}
    for layer in layers:
        number = counts.get(layer.kind, 0)
        counts[layer.kind] = number + 1
        scope = f"{layer.kind}_{number}" if number else layer.kind
        with context.tf.compat.v1.variable_scope(scope):
            after = LAYERS[layer.kind].build(layer, x, context) if layer.kind in LAYERS else x
            if layer.activation:
                after = build.activation(context, layer.activation, after)
        context.layers.append(Built(layer.text, build.shape_of_tensor(x), build.shape_of_tensor(after)))
        x = after
    return x
