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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from graphscope.errors import GraphscopeError, closest_names

ACTIVATIONS = tuple("relu relu6 leaky_relu elu selu gelu swish tanh sigmoid softplus softsign".split())
PADDINGS = ("same", "valid")
_OF_LOSS = frozenset({"softmax", "log_softmax"})


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as it was written.

    Attributes:
        text: the whole part, ``dense:10:relu``.
        kind: ``dense``; an activation that stands alone is called by its name.
        units: width of a dense layer, channels of a convolution.
        window: height and width of a kernel or a pool.
        stride: 0 where none was written.
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


def parse_chain(text: str) -> tuple[Layer, ...]:
    """The layers that ``text`` writes.

    Raises:
        GraphscopeError: a part is no layer; the error points at it.
    """
    parts = text.split(",")
    layers = []
    for number, part in enumerate(parts):
        try:
            layers.append(_layer(part.strip()))
        except _Wrong as error:
            raise _pointing(text, parts, number, error) from None
    return tuple(layers)


class _Wrong(Exception):
    """Why a part is no layer, and what could stand there."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def _pointing(text: str, parts: list[str], number: int, error: _Wrong) -> GraphscopeError:
    start = sum(len(part) + 1 for part in parts[:number])
    marks = " " * start + "^" * max(len(parts[number]), 1)
    what = f"the head's part {number + 1}, {parts[number].strip()!r}: {error}"
    return GraphscopeError(f"{what}\n{text}\n{marks}", hint=error.hint or _EXAMPLE)


_EXAMPLE = "a head looks like this: flatten,dense:256:relu,dropout:0.5,dense:10"


def _layer(part: str) -> Layer:
    kind, *arguments = part.split(":")
    if kind in ACTIVATIONS and not arguments:
        return Layer(part, kind, activation=kind)
    if kind in _OF_LOSS:
        raise _Wrong("the loss takes logits and does that itself", f"leave {kind} out: the predictions have it")
    parse = _KINDS.get(kind)
    if parse is None:
        closest = closest_names(kind, [*_KINDS, *ACTIVATIONS])
        raise _Wrong("no layer is called so" + (f"; closest: {', '.join(closest)}" if closest else ""), _ALL)
    return parse(Layer(part, kind), arguments)


def _bare(layer: Layer, arguments: list[str]) -> Layer:
    if arguments:
        raise _Wrong(f"{layer.kind} takes no {arguments[0]!r}")
    return layer


def _dense(layer: Layer, arguments: list[str]) -> Layer:
    units, *rest = arguments or [""]
    return _options(replace(layer, units=_positive(units, "dense:UNITS")), rest, has_window=False)


def _conv(layer: Layer, arguments: list[str]) -> Layer:
    kernel, *rest = arguments or [""]
    found = re.fullmatch(r"(\d{1,8})x(\d{1,8})x(\d{1,8})", kernel)
    if found is None or "0" in found.groups():
        raise _Wrong(f"{kernel!r} is no HEIGHTxWIDTHxCHANNELS", "a convolution: conv:3x3x32:relu, conv:3x3x32:2:valid")
    height, width, channels = map(int, found.groups())
    return _options(replace(layer, window=(height, width), units=channels), rest, has_window=True)


def _pool(layer: Layer, arguments: list[str]) -> Layer:
    size, *rest = arguments or [""]
    side = _positive(size, f"{layer.kind}:SIZE")
    pool = _options(replace(layer, window=(side, side), padding="VALID"), rest, has_window=True)
    return replace(pool, stride=pool.stride or side)


def _dropout(layer: Layer, arguments: list[str]) -> Layer:
    text = arguments[0] if len(arguments) == 1 else ""
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < 1:
        raise _Wrong(f"{text!r} is no rate from 0 to below 1", "the part that is dropped: dropout:0.5")
    return replace(layer, rate=rate)


def _options(layer: Layer, arguments: list[str], *, has_window: bool) -> Layer:
    """Stride, padding and activation, in any order."""
    for argument in arguments:
        if argument in ACTIVATIONS and not layer.kind.endswith("pool"):
            layer = replace(layer, activation=argument)
        elif argument in PADDINGS and has_window:
            layer = replace(layer, padding=argument.upper())
        elif has_window and argument.isdigit():
            layer = replace(layer, stride=_positive(argument, "a stride"))
        else:
            _layer_of_loss(argument)
            closest = closest_names(argument, [*ACTIVATIONS, *(PADDINGS if has_window else ())])
            raise _Wrong(f"{argument!r} is no option of {layer.kind}" + (f"; closest: {closest[0]}" if closest else ""))
    return layer


def _layer_of_loss(argument: str) -> None:
    if argument in _OF_LOSS:
        raise _Wrong("the loss takes logits and does that itself", f"leave {argument} out: the predictions have it")


def _positive(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 0 < int(text) <= 1 << 24):
        raise _Wrong(f"{what} takes a whole number above 0, not {text!r}")
    return int(text)


_KINDS: Mapping[str, Callable[[Layer, list[str]], Layer]] = {
    "flatten": _bare,
    "dense": _dense,
    "conv": _conv,
    "gap": _bare,
    "gmp": _bare,
    "maxpool": _pool,
    "avgpool": _pool,
    "batchnorm": _bare,
    "layernorm": _bare,
    "dropout": _dropout,
}
_ALL = "layers: " + " ".join([*_KINDS, *ACTIVATIONS])
