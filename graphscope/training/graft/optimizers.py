"""Optimizers and learning rates: those of ``tf.compat.v1.train``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from graphscope.advice import Advice, Option
from graphscope.errors import GraphscopeError, UnknownNameError

MOMENTUM = 0.9
_STAIRCASE = {"step": True, "exponential": False}

OPTIMIZERS: Mapping[str, tuple[float, Callable[[Any, Any], Any]]] = {
    "sgd": (0.01, lambda train, rate: train.GradientDescentOptimizer(rate)),
    "momentum": (0.01, lambda train, rate: train.MomentumOptimizer(rate, MOMENTUM)),
    "adam": (0.001, lambda train, rate: train.AdamOptimizer(rate)),
    "rmsprop": (0.001, lambda train, rate: train.RMSPropOptimizer(rate)),
}
"""Name -> the learning rate if none is given, and what makes the optimizer."""


@dataclass(frozen=True, slots=True)
class Decay:
    """``rate * factor ** (step / steps)``; the exponent is rounded down in a staircase."""

    is_staircase: bool
    steps: int
    factor: float


def parse_decay(text: str) -> Decay:
    """``step:STEPS:FACTOR`` or ``exponential:STEPS:FACTOR``.

    Raises:
        GraphscopeError: it is neither.
    """
    kind, _, rest = text.partition(":")
    steps, _, factor = rest.partition(":")
    try:
        decay = Decay(_STAIRCASE[kind], int(steps), float(factor))
    except (KeyError, ValueError):
        raise _no_decay(text) from None
    if decay.steps < 1 or not 0 < decay.factor <= 1:
        raise _no_decay(text)
    return decay


def _no_decay(text: str) -> GraphscopeError:
    return GraphscopeError(
        f"{text!r} is not a decay: STEPS is a whole number, FACTOR lies between 0 and 1",
        hint=Advice(
            Option("decay", "step:1000:0.5"),
            " halves the rate every 1,000 steps; exponential:1000:0.5 does so smoothly",
        ),
    )


def default_rate(optimizer: str) -> float:
    """The learning rate of ``optimizer`` if none is given.

    Raises:
        UnknownNameError: there is no such optimizer.
    """
    if optimizer not in OPTIMIZERS:
        raise UnknownNameError("optimizer", optimizer, OPTIMIZERS, hint=f"optimizers: {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[optimizer][0]


def rate_tensor(tf: Any, rate: float, decay: Decay | None, global_step: Any) -> Any:
    """The learning rate of the next step, a float32 scalar called ``learning_rate``."""
    if decay is None:
        return tf.constant(rate, tf.float32, name="learning_rate")
    passed = tf.cast(global_step, tf.float32) / float(decay.steps)
    exponent = tf.floor(passed) if decay.is_staircase else passed
    return tf.multiply(tf.constant(rate, tf.float32), tf.pow(decay.factor, exponent), name="learning_rate")
