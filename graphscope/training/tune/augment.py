"""Changes pictures at random as they are fed: ``flip,crop:0.1,brightness:0.2,hue:0.05``.

What becomes of an example depends on its seed alone: not on the batch that it is in, nor on the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.feeding.inputs import Input

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Draws:
    """Random numbers for each example of a batch, the same for the same seeds: SplitMix64, counted.

    Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", 2014.
    """

    def __init__(self, seeds: NDArray[np.int64]) -> None:
        self._state = seeds.view("u8")

    def uniform(self, low: float, high: float) -> NDArray[np.float64]:
        """A number in [low, high) for each example; each call gives others."""
        import numpy as np

        with np.errstate(over="ignore"):
            self._state = self._state + np.uint64(_GOLDEN)
        numbers = (mix(self._state) >> np.uint64(11)) / float(1 << 53)
        return np.asarray(low + (high - low) * numbers)


_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 0xFFFFFFFFFFFFFFFF


def mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's output function."""
    import numpy as np

    with np.errstate(over="ignore"):
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(state ^ (state >> np.uint64(31)))


def example_seeds(seed: int, epoch: int, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """A seed for each example, another one in each epoch."""
    import numpy as np

    state = np.zeros(1, np.uint64)
    with np.errstate(over="ignore"):
        for number in (seed, epoch):
            state = mix(state + np.uint64((number + 1) * _GOLDEN & _MASK))
        state = mix(state + indices.astype(np.uint64) * np.uint64(_GOLDEN))
    return state.view(np.int64)


Change = Callable[["NDArray[Any]", Draws, float, "NDArray[Any]"], "NDArray[Any]"]
"""Pictures (n, height, width, channels), what is drawn for them, the amount, what black is in each channel -> pictures."""


def _flip(pictures: NDArray[Any], draws: Draws, amount: float, _: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    chosen = draws.uniform(0, 1) < amount
    return np.where(chosen[:, None, None, None], pictures[:, :, ::-1], pictures)


def _vertical_flip(pictures: NDArray[Any], draws: Draws, amount: float, _: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    chosen = draws.uniform(0, 1) < amount
    return np.where(chosen[:, None, None, None], pictures[:, ::-1], pictures)


def _crop(pictures: NDArray[Any], draws: Draws, amount: float, _: NDArray[Any]) -> NDArray[Any]:
    """A window with sides of 1 - ``amount`` to 1 of the picture's, at a random place, enlarged (bilinear) to its size."""
    import numpy as np

    side = 1 - draws.uniform(0, amount)
    result = pictures.astype(np.float64)
    for axis in (1, 2):
        length = pictures.shape[axis]
        start = draws.uniform(0, 1) * (1 - side) * length
        result = _stretch(result, axis, start, side)
    return _like(result, pictures)


def _stretch(pictures: NDArray[Any], axis: int, start: NDArray[Any], side: NDArray[Any]) -> NDArray[Any]:
    """Along one axis, the window that begins at ``start`` (pixels, for each picture) and has ``side`` of the length."""
    import numpy as np

    length = pictures.shape[axis]
    centres = start[:, None] + (np.arange(length) + 0.5) * side[:, None] - 0.5
    places = centres.clip(0, length - 1)
    below = np.floor(places).astype(np.int64)
    shape = [len(pictures), 1, 1, 1]
    shape[axis] = length
    share = (places - below).reshape(shape)
    low = np.take_along_axis(pictures, below.reshape(shape), axis)
    high = np.take_along_axis(pictures, np.minimum(below + 1, length - 1).reshape(shape), axis)
    return np.asarray(low * (1 - share) + high * share)


def _brightness(pictures: NDArray[Any], draws: Draws, amount: float, black: NDArray[Any]) -> NDArray[Any]:
    """Lighter or darker by a factor of 1 - ``amount`` to 1 + ``amount``."""
    factor = draws.uniform(1 - amount, 1 + amount)[:, None, None, None]
    return _like((pictures.astype("f8") - black) * factor + black, pictures)


def _contrast(pictures: NDArray[Any], draws: Draws, amount: float, _: NDArray[Any]) -> NDArray[Any]:
    """Farther from or nearer to the mean of each channel by a factor of 1 - ``amount`` to 1 + ``amount``.

    Source: ``tf.image.adjust_contrast``: ``(x - mean) * factor + mean``.
    """
    factor = draws.uniform(1 - amount, 1 + amount)[:, None, None, None]
    values = pictures.astype("f8")
    mean = values.mean(axis=(1, 2), keepdims=True)
    return _like((values - mean) * factor + mean, pictures)


def _saturation(pictures: NDArray[Any], draws: Draws, amount: float, black: NDArray[Any]) -> NDArray[Any]:
    """Colours stronger or paler: the saturation times 1 - ``amount`` to 1 + ``amount``, at most 1.

    Source: ``tf.image.adjust_saturation``, in HSV: the value is the largest channel, the saturation how far the smallest is
    below it, relative to it.
    """
    import numpy as np

    colours, factor = _above_black(pictures, black), draws.uniform(1 - amount, 1 + amount)[:, None, None, None]
    value = colours.max(axis=-1, keepdims=True)
    depth = value - colours.min(axis=-1, keepdims=True)
    limit = np.divide(value, depth, out=np.ones_like(value), where=depth > 0)  # a saturation of 1
    return _like(value - (value - colours) * np.minimum(factor, limit) + black, pictures)


def _hue(pictures: NDArray[Any], draws: Draws, amount: float, black: NDArray[Any]) -> NDArray[Any]:
    """Colours turned around the circle of hues by up to ``amount`` (0.5 is half a turn) either way.

    Source: ``tf.image.adjust_hue``; the formula from HSV to RGB is that of A. R. Smith, "Color gamut transform pairs", 1978.
    """
    import numpy as np

    colours, turn = _above_black(pictures, black), draws.uniform(-amount, amount)[:, None, None]
    value, low = colours.max(axis=-1), colours.min(axis=-1)
    depth = value - low
    red, green, blue = (colours[..., i] for i in range(3))
    safe = np.where(depth > 0, depth, 1)
    sixths = np.select(
        [depth <= 0, value == red, value == green],
        [np.zeros_like(value), (green - blue) / safe, 2 + (blue - red) / safe],
        4 + (red - green) / safe,
    )
    places = (sixths[..., None] + 6 * turn[..., None] + np.array([5.0, 3.0, 1.0])) % 6
    rest = np.clip(np.minimum(places, 4 - places), 0, 1)
    turned = value[..., None] - depth[..., None] * rest
    return _like(turned + black, pictures)


def _above_black(pictures: NDArray[Any], black: NDArray[Any]) -> NDArray[Any]:
    """How much light each channel has, in the input's own scale: black is 0."""
    import numpy as np

    return np.asarray(pictures.astype("f8") - black)


def _like(values: NDArray[Any], pictures: NDArray[Any]) -> NDArray[Any]:
    """In the type of ``pictures``; integers are rounded and stay in the type's range."""
    import numpy as np

    if pictures.dtype.kind in "iu":
        limits = np.iinfo(pictures.dtype)
        values = values.round().clip(limits.min, limits.max)
    return values.astype(pictures.dtype)


@dataclass(frozen=True, slots=True)
class AugmentationKind:
    """One change.

    Attributes:
        change: what it does.
        amount: the default amount.
        needs_colour: whether it takes pictures in red, green and blue alone.
    """

    change: Change
    amount: float
    needs_colour: bool = False


KINDS: Mapping[str, AugmentationKind] = {
    "flip": AugmentationKind(_flip, 0.5),
    "vflip": AugmentationKind(_vertical_flip, 0.5),
    "crop": AugmentationKind(_crop, 0.1),
    "brightness": AugmentationKind(_brightness, 0.2),
    "contrast": AugmentationKind(_contrast, 0.2),
    "saturation": AugmentationKind(_saturation, 0.2, needs_colour=True),
    "hue": AugmentationKind(_hue, 0.05, needs_colour=True),
}
"""Name -> what it does; the amounts of flips are chances."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Changes batches of a model's input.

    Attributes:
        changes: kinds and amounts, in order.
        into: the input; it takes pictures.
    """

    changes: Sequence[tuple[AugmentationKind, float]]
    into: Input

    def __call__(self, batch: NDArray[Any], seeds: NDArray[np.int64]) -> NDArray[Any]:
        """``batch`` changed, in its type and shape.

        Args:
            batch: as the input takes it.
            seeds: one for each example; see :func:`example_seeds`.
        """
        import numpy as np

        draws = Draws(seeds)
        pictures = self._pictures(batch)
        for kind, amount in self.changes:
            pictures = kind.change(pictures, draws, amount, self._black())
        if self._is_channels_first():
            pictures = np.moveaxis(pictures, -1, 1)
        return np.ascontiguousarray(pictures).reshape(batch.shape)

    def _pictures(self, batch: NDArray[Any]) -> NDArray[Any]:
        """(n, height, width, channels)."""
        import numpy as np

        if self._is_channels_first():
            return np.moveaxis(batch, 1, -1)
        shape = self.into.pictures
        if shape is not None and shape.flat:
            return batch.reshape(len(batch), shape.height or 0, shape.width or 0, shape.channels)
        pictures: NDArray[Any] = batch if batch.ndim == 4 else np.expand_dims(batch, -1)
        return pictures

    def _is_channels_first(self) -> bool:
        return self.into.pictures is not None and self.into.pictures.channels_first

    def _black(self) -> NDArray[Any]:
        """What a black pixel has become, for all channels or each."""
        import numpy as np

        scaling, dtype = self.into.scaling, self.into.spec.dtype
        scale = scaling.scale if scaling.scale is not None else 1 / 255 if dtype.is_floating else 1.0
        black: NDArray[Any] = -scale * np.array(scaling.mean)
        return black


def augmentation(text: str, into: Input) -> Augmentation:
    """``flip,crop:0.1``: names of :data:`KINDS`, each with an amount between 0 and 1 if wanted.

    Raises:
        UnknownNameError: there is no such change.
        GraphscopeError: an amount is none, or the input cannot take pictures.
    """
    if into.pictures is None or not into.pictures.batched:
        raise GraphscopeError(f"augment {text}: {into.spec.name} cannot take pictures")
    changes = [_parse(item) for item in text.split(",")]
    if into.pictures.channels != 3 and any(kind.needs_colour for kind, _ in changes):
        raise GraphscopeError(
            f"augment {text}: {into.spec.name} takes pictures of {into.pictures.channels} channels, which have no hue",
            hint="saturation and hue need red, green and blue",
        )
    return Augmentation(changes, into)


def _parse(item: str) -> tuple[AugmentationKind, float]:
    name, colon, amount = item.strip().partition(":")
    if name not in KINDS:
        raise UnknownNameError("augmentation", name, KINDS, hint=Advice(Option("augment", ",".join(KINDS))))
    try:
        value = float(amount) if colon else KINDS[name].amount
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1 or (name == "crop" and value == 1):
        raise GraphscopeError(f"augment {item}: the amount is a number between 0 and 1")
    return KINDS[name], value
