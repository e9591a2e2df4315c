"""The text of a head: layers from the first to the last, ``flatten,dense:256:relu,dropout:0.5,dense:10``.

::

    chain       layer {"," layer}
    layer       flatten | gap | gmp | batchnorm | layernorm | activation
                dense:UNITS[:activation]
                conv:HEIGHTxWIDTHxCHANNELS[:STRIDE][:same|valid][:activation]
                maxpool:SIZE[:STRIDE]  avgpool:SIZE[:STRIDE]
                dropout:RATE
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from graphscope.errors import closest_names

ACTIVATIONS = tuple("relu relu6 leaky_relu elu selu gelu swish tanh sigmoid softplus softsign".split())
PADDINGS = ("same", "valid")
OF_LOSS = frozenset({"softmax", "log_softmax"})


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as it was written.

    Attributes:
        text: the whole part, ``dense:10:relu``.
        kind: ``dense``; an activation that stands alone is called by its name.
        units: width of a dense layer, channels of a convolution.
        window: height and width of a kernel or a pool.
        stride: 0 if none was written.
        padding: ``SAME`` or ``VALID``.
        rate: of dropout.
        activation: empty for none.
    """

    text: str
    kind: str
    units: int = 0
    window: tuple[int, int] = (0, 0)
    stride: int = 0
    padding: str = "SAME"
    rate: float = 0.0
    activation: str = ""


class Wrong(Exception):
    """Why a part is not a layer, and what could stand there."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def parse_bare(layer: Layer, arguments: list[str]) -> Layer:
    """A layer without arguments; raises :class:`Wrong`."""
    if arguments:
        raise Wrong(f"{layer.kind} does not take {arguments[0]!r}")
    return layer


def parse_dense(layer: Layer, arguments: list[str]) -> Layer:
    """``UNITS[:activation]``; raises :class:`Wrong`."""
    units, *rest = arguments or [""]
    return _options(replace(layer, units=_positive(units, "dense:UNITS")), rest, has_window=False)


def parse_conv(layer: Layer, arguments: list[str]) -> Layer:
    """``HEIGHTxWIDTHxCHANNELS[:STRIDE][:same|valid][:activation]``; raises :class:`Wrong`."""
    kernel, *rest = arguments or [""]
    found = re.fullmatch(r"(\d{1,8})x(\d{1,8})x(\d{1,8})", kernel)
    if found is None or "0" in found.groups():
        raise Wrong(
            f"{kernel!r} is not of the form HEIGHTxWIDTHxCHANNELS",
            "a convolution: conv:3x3x32:relu, conv:3x3x32:2:valid",
        )
    height, width, channels = map(int, found.groups())
    return _options(replace(layer, window=(height, width), units=channels), rest, has_window=True)


def parse_pool(layer: Layer, arguments: list[str]) -> Layer:
    """``SIZE[:STRIDE]``; raises :class:`Wrong`."""
    size, *rest = arguments or [""]
    side = _positive(size, f"{layer.kind}:SIZE")
    pool = _options(replace(layer, window=(side, side), padding="VALID"), rest, has_window=True)
    return replace(pool, stride=pool.stride or side)


def parse_dropout(layer: Layer, arguments: list[str]) -> Layer:
    """``RATE``; raises :class:`Wrong`."""
    text = arguments[0] if len(arguments) == 1 else ""
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < 1:
        raise Wrong(f"{text!r} is not a rate from 0 to below 1", "the fraction to drop: dropout:0.5")
    return replace(layer, rate=rate)


def _options(layer: Layer, arguments: list[str], *, has_window: bool) -> Layer:
    """Stride, padding and activation, in any order."""
    activations = () if layer.kind.endswith("pool") else ACTIVATIONS
    for argument in arguments:
        if argument in activations:
            layer = replace(layer, activation=argument)
        elif argument in PADDINGS and has_window:
            layer = replace(layer, padding=argument.upper())
        elif has_window and argument.isdigit():
            layer = replace(layer, stride=_positive(argument, "a stride"))
        else:
            _layer_of_loss(argument)
            closest = closest_names(argument, [*activations, *(PADDINGS if has_window else ())])
            raise Wrong(
                f"{argument!r} is not an option of {layer.kind}"
                + (f"; did you mean {closest[0]!r}?" if closest else "")
            )
    return layer


def _layer_of_loss(argument: str) -> None:
    if argument in OF_LOSS:
        raise Wrong("the loss takes logits and applies it itself", f"leave {argument} out: the predictions include it")


def _positive(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= 1 << 24):
        raise Wrong(f"{what} takes a whole number above 0, not {text!r}")
    return int(text)
