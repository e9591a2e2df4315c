"""The layers of a head, built of TensorFlow 1's primitives. All take float32 (batch, ...), channels last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphscope.core.tensors import shape_text
from graphscope.errors import GraphscopeError
from graphscope.training.heads.context import Context
from graphscope.training.heads.spec import Layer

MOMENTUM = 0.99
EPSILON = 1e-3
"""Of batch norm, as in ``tf.layers.batch_normalization``; layer norm takes the same epsilon."""


def shape_of_tensor(x: Any) -> tuple[int | None, ...]:
    """The static shape of a ``tf.Tensor`` of known rank."""
    return tuple(x.shape.as_list())


def _needs(layer: Layer, x: Any, rank: int, hint: str) -> list[int]:
    """The dimensions but the first, all known; an error where there are not ``rank`` in all."""
    shape = shape_of_tensor(x)
    if len(shape) != rank or None in shape[-1:]:
        wanted = {2: "(batch, features)", 4: "(batch, height, width, channels)"}[rank]
        raise GraphscopeError(f"{layer.text} takes {wanted}, but its input is {shape_text(shape)}", hint=hint)
    return [size or 0 for size in shape[1:]]


_FLATTEN_FIRST = "put flatten, gap or gmp before it"
_PICTURES = "cut where the tensor is still a picture, or leave this layer out"


def build_flatten(layer: Layer, x: Any, context: Context) -> Any:
    """(batch, ...) to (batch, features)."""
    shape = shape_of_tensor(x)
    if None in shape[1:]:
        raise GraphscopeError(
            f"{layer.text} needs every dimension but the first, but its input is {shape_text(shape)}",
            hint="gap or gmp take pictures of any size",
        )
    return context.tf.reshape(x, [-1, math.prod(size or 0 for size in shape[1:])])


def build_dense(layer: Layer, x: Any, context: Context) -> Any:
    """(batch, features) to (batch, units)."""
    [width] = _needs(layer, x, 2, _FLATTEN_FIRST)
    kernel = context.variable("kernel", [width, layer.units])
    return context.tf.nn.bias_add(context.tf.matmul(x, kernel), context.variable("bias", [layer.units], 0.0))


def build_conv(layer: Layer, x: Any, context: Context) -> Any:
    """(batch, height, width, channels) to as many channels as the layer has units."""
    *_, channels = _needs(layer, x, 4, _PICTURES)
    kernel = context.variable("kernel", [*layer.window, channels, layer.units])
    _refuse_small(layer, x)
    y = context.tf.nn.conv2d(x, kernel, strides=layer.stride or 1, padding=layer.padding)
    return context.tf.nn.bias_add(y, context.variable("bias", [layer.units], 0.0))


def build_pool(layer: Layer, x: Any, context: Context) -> Any:
    """The largest value or the mean of each window."""
    _needs(layer, x, 4, _PICTURES)
    _refuse_small(layer, x)
    pool = context.tf.nn.max_pool2d if layer.kind == "maxpool" else context.tf.nn.avg_pool2d
    return pool(x, layer.window, strides=layer.stride, padding=layer.padding)


def _refuse_small(layer: Layer, x: Any) -> None:
    """A window that is larger than the picture leaves nothing, where nothing is padded."""
    sides = zip(shape_of_tensor(x)[1:3], layer.window)
    if layer.padding == "VALID" and any(size is not None and size < side for size, side in sides):
        raise GraphscopeError(
            f"{layer.text} needs at least {layer.window[0]} x {layer.window[1]}, and its input is"
            f" {shape_text(shape_of_tensor(x))}",
            hint="a smaller window, or :same",
        )


def build_global_pool(layer: Layer, x: Any, context: Context) -> Any:
    """(batch, height, width, channels) to (batch, channels): the mean or the largest value."""
    _needs(layer, x, 4, _PICTURES)
    reduce = context.tf.reduce_mean if layer.kind == "gap" else context.tf.reduce_max
    return reduce(x, axis=[1, 2])


def build_dropout(layer: Layer, x: Any, context: Context) -> Any:
    """Drops a part of the values in a training step and scales the rest."""
    tf = context.tf
    name = tf.compat.v1.get_variable_scope().name

    def dropped(value: Any) -> Any:
        kept = context.random_uniform(tf.shape(value), name) >= layer.rate
        return value * tf.cast(kept, value.dtype) * (1.0 / (1.0 - layer.rate))

    return context.when_training(dropped, x)


def build_batch_norm(layer: Layer, x: Any, context: Context) -> Any:
    """Over all dimensions but the last. In a training step the batch's own statistics count and the moving ones follow."""
    tf = context.tf
    width = _last(layer, x)
    gamma, beta = _scale_and_shift(width, context)
    moving = [
        context.variable("moving_mean", width, 0.0, trainable=False),
        context.variable("moving_variance", width, 1.0, trainable=False),
    ]
    axes = list(range(len(x.shape) - 1))
    stored = [tf.identity(m) for m in moving]
    mean, variance = tf.compat.v1.cond(
        context.training, lambda: tuple(tf.nn.moments(x, axes)), lambda: tuple(map(tf.identity, stored))
    )
    for variable, old, new in zip(moving, stored, (mean, variance)):
        # Outside training `new` is `old`: nothing changes.
        update = variable.assign_sub((old - new) * (1.0 - MOMENTUM), read_value=False)
        tf.compat.v1.add_to_collection("update_ops", update)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, EPSILON)


def build_layer_norm(layer: Layer, x: Any, context: Context) -> Any:
    """Over the last dimension."""
    gamma, beta = _scale_and_shift(_last(layer, x), context)
    mean, variance = context.tf.nn.moments(x, [-1], keepdims=True)
    return context.tf.nn.batch_normalization(x, mean, variance, beta, gamma, EPSILON)


def _last(layer: Layer, x: Any) -> list[int]:
    """The last dimension, as the shape of a vector."""
    *_, last = shape_of_tensor(x) or (None,)
    if len(shape_of_tensor(x)) < 2 or last is None:
        raise GraphscopeError(
            f"{layer.text} needs the last dimension, but its input is {shape_text(shape_of_tensor(x))}"
        )
    return [last]


def _scale_and_shift(width: Sequence[int], context: Context) -> tuple[Any, Any]:
    return context.variable("gamma", width, 1.0), context.variable("beta", width, 0.0)


def build_nothing(_: Layer, x: Any, __: Context) -> Any:
    """An activation that stands alone: it comes after every layer."""
    return x


def activation(context: Context, name: str, x: Any) -> Any:
    """One of :data:`ACTIVATIONS`; ``gelu`` is the exact one."""
    function = context.tf.nn.silu if name == "swish" else getattr(context.tf.nn, name)
    return function(x)
