"""Augmentation does what it says, to each example by its own seed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.feeding.inputs import input_of
from graphscope.formats.media.pictures import Scaling
from graphscope.training.tune.augment import Augmentation, Draws, augmentation, example_seeds
from tests.support.data_files import Array, random
from tests.support.running import tf

SHAPE = (None, 12, 10, 3)
SEEDS = example_seeds(0, 1, np.arange(64))


def made(
    text: str, shape: Any = SHAPE, dtype: DataType = DataType.FLOAT, scaling: Scaling | None = None
) -> Augmentation:
    return augmentation(text, input_of(TensorSpec("input:0", dtype, shape), scaling or Scaling()))


def batch(count: int = 64) -> Array:
    return random(count, 12, 10, 3)


def test_an_example_is_changed_by_its_seed_alone() -> None:
    change = made("flip,vflip,crop:0.3,brightness:0.4")
    pictures = batch()
    whole = change(pictures, SEEDS)
    assert whole.shape == pictures.shape
    assert whole.dtype == pictures.dtype
    np.testing.assert_array_equal(change(pictures, SEEDS), whole)
    parts = [change(pictures[i : i + 1], SEEDS[i : i + 1])[0] for i in range(64)]
    np.testing.assert_array_equal(parts, whole)
    other = change(pictures, example_seeds(0, 2, np.arange(64)))
    assert not any((a == b).all() for a, b in zip(whole, other))


def test_seeds() -> None:
    seeds = {tuple(example_seeds(seed, epoch, np.arange(1000)).tolist()) for seed in (0, 1, -5) for epoch in range(10)}
    assert len(seeds) == 30
    assert len({seed for found in seeds for seed in found}) == 30_000
    indices = np.array([7, 3])
    np.testing.assert_array_equal(example_seeds(4, 2, indices), example_seeds(4, 2, np.arange(8))[indices])


def splitmix64(state: int) -> int:
    """The output function, in whole numbers of Python."""
    mask = 2**64 - 1
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & mask
    state = (state ^ state >> 27) * 0x94D049BB133111EB & mask
    return state ^ state >> 31


@pytest.mark.parametrize(("seed", "epoch"), [(0, 0), (3, 7), (-2, 1), (2**40, 2**33)])
def test_seeds_are_the_same_in_every_release(seed: int, epoch: int) -> None:
    """A training that goes on must see the examples that it would have seen."""
    mask, golden = 2**64 - 1, 0x9E3779B97F4A7C15
    state = splitmix64(splitmix64((seed + 1) * golden & mask) + (epoch + 1) * golden & mask)
    indices = np.array([0, 1, 5_000_000_000])
    expected = [splitmix64(state + index * golden & mask) for index in indices.tolist()]
    assert example_seeds(seed, epoch, indices).view(np.uint64).tolist() == expected


def test_draws_are_splitmix64() -> None:
    """The first numbers of SplitMix64 from the state 1234567, as its author's code gives them."""
    draws = Draws(np.array([1234567], np.int64))
    expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    found = [float(draws.uniform(0, 1)[0]) for _ in expected]
    np.testing.assert_allclose(found, [value / 2**64 for value in expected], rtol=0, atol=1e-15)


def test_draws_are_uniform() -> None:
    draws = Draws(example_seeds(0, 0, np.arange(20_000)))
    numbers = draws.uniform(2, 4)
    counts, _ = np.histogram(numbers, 10, (2, 4))
    assert (np.abs(counts - 2000) < 4 * 1800**0.5).all()
    assert abs(np.corrcoef(numbers, draws.uniform(0, 1))[0, 1]) < 0.03


@pytest.mark.parametrize(("name", "axis"), [("flip", 2), ("vflip", 1)])
def test_flips(name: str, axis: int) -> None:
    pictures = batch()
    mirrored = np.flip(pictures, axis)
    found = made(name)(pictures, SEEDS)
    is_flipped = [(a == b).all() for a, b in zip(found, mirrored)]
    is_kept = [(a == b).all() for a, b in zip(found, pictures)]
    assert all(a != b for a, b in zip(is_flipped, is_kept))
    assert 16 < sum(is_flipped) < 48
    np.testing.assert_array_equal(made(f"{name}:1")(pictures, SEEDS), mirrored)
    np.testing.assert_array_equal(made(f"{name}:0")(pictures, SEEDS), pictures)


def ramp(axis: int) -> Array:
    """Pictures whose value is the place of the pixel's centre along one axis."""
    places = np.arange(12 if axis == 1 else 10, dtype=np.float32) + 0.5
    return np.broadcast_to(places[:, None, None] if axis == 1 else places[:, None], (64, 12, 10, 3)).astype(np.float32)


@pytest.mark.parametrize("axis", [1, 2])
def test_a_crop_enlarges_a_window(axis: int) -> None:
    """On a ramp, a window with a share s of the length has the slope s, and lies inside the picture."""
    pictures = ramp(axis)
    length = pictures.shape[axis]
    found = np.moveaxis(made("crop:0.3")(pictures, SEEDS), axis, 1)[:, :, 0, 0]
    slopes = found[:, 3:-3] - found[:, 2:-4]
    share = slopes[:, :1]
    np.testing.assert_allclose(slopes, np.broadcast_to(share, slopes.shape), atol=1e-5)
    assert (share >= 0.7 - 1e-5).all()
    assert (share <= 1 + 1e-5).all()
    assert np.ptp(share) > 0.1
    start = found[:, 2] - 2.5 * share[:, 0]
    assert (start >= -1e-4).all()
    assert (start + share[:, 0] * length <= length + 1e-4).all()
    assert np.ptp(start) > 1


def test_a_crop_of_nothing_changes_nothing() -> None:
    pictures = batch()
    np.testing.assert_allclose(made("crop:0")(pictures, SEEDS), pictures, rtol=1e-6)
    even = np.full((4, 12, 10, 3), 0.25, np.float32)
    np.testing.assert_allclose(made("crop:0.5")(even, SEEDS[:4]), even, rtol=1e-6)


@pytest.mark.parametrize("scaling", [Scaling(), Scaling(1 / 128, (128.0,)), Scaling(1.0, (100.0, 110.0, 120.0))])
def test_brightness_scales_the_light(scaling: Scaling) -> None:
    scale = scaling.scale or 1 / 255
    light = np.random.default_rng(0).uniform(1, 255, (64, 12, 10, 3))
    pictures = ((light - np.array(scaling.mean)) * scale).astype(np.float32)
    found = made("brightness:0.2", scaling=scaling)(pictures, SEEDS) / scale + np.array(scaling.mean)
    factors = (found / light).reshape(64, -1)
    np.testing.assert_allclose(factors, factors[:, :1].repeat(360, 1), rtol=1e-3)
    assert factors.min() >= 0.8 - 1e-3
    assert factors.max() <= 1.2 + 1e-3
    assert np.ptp(factors[:, 0]) > 0.25


TENSORFLOW = {
    "contrast": (lambda draws: draws.uniform(0.5, 1.5), "adjust_contrast"),
    "saturation": (lambda draws: draws.uniform(0.5, 1.5), "adjust_saturation"),
    "hue": (lambda draws: draws.uniform(-0.5, 0.5), "adjust_hue"),
}
"""Name -> what is drawn for an amount of 0.5, and the function of ``tf.image`` that takes it."""


@pytest.mark.tensorflow
@pytest.mark.parametrize("scaling", [Scaling(), Scaling(1 / 128, (128.0,)), Scaling(1.0, (100.0, 110.0, 120.0))])
@pytest.mark.parametrize("name", TENSORFLOW)
def test_colours_change_as_tf_image_changes_them(name: str, scaling: Scaling) -> None:
    scale = scaling.scale or 1 / 255
    light = np.random.default_rng(0).uniform(0, 1, (64, 12, 10, 3))
    light[0] = 0.5  # grey
    light[1, 0] = [1, 0, 0]
    drawn, function = TENSORFLOW[name]
    amounts = drawn(Draws(SEEDS))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        change = getattr(tf.image, function)
        expected = session.run([change(a.astype(np.float32), b) for a, b in zip(light, amounts.astype(np.float32))])
    pictures = ((light * 255 - np.array(scaling.mean)) * scale).astype(np.float32)
    found = made(f"{name}:0.5", scaling=scaling)(pictures, SEEDS)
    assert found.dtype == np.float32
    np.testing.assert_allclose((found / scale + np.array(scaling.mean)) / 255, expected, atol=2e-5)


def test_colours_of_integers_stay_in_their_range() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (64, 12, 10, 3)).astype(np.uint8)
    found = made("contrast:1,saturation:1,hue:0.5", dtype=DataType.UINT8)(pictures, SEEDS)
    assert found.dtype == np.uint8
    assert (found != pictures).any(axis=(1, 2, 3)).all()


def test_grey_pictures_have_no_hue() -> None:
    for text in ("hue", "flip,saturation:0.1"):
        with pytest.raises(GraphscopeError, match="pictures of 1 channels, which have no hue"):
            made(text, (None, 12, 12, 1))
    assert made("contrast", (None, 12, 12, 1))(random(4, 12, 12, 1), SEEDS[:4]).shape == (4, 12, 12, 1)


def test_integers_stay_in_their_range() -> None:
    bright = np.full((64, 12, 10, 3), 250, np.uint8)
    found = made("brightness:0.5", dtype=DataType.UINT8)(bright, SEEDS)
    assert found.dtype == np.uint8
    assert (found >= 124).all()
    assert found.max() == 255


@pytest.mark.parametrize("shape", [(None, 3, 12, 10), (None, 12, 10), (None, 144), (None, 12, 12, 1)])
def test_other_shapes(shape: tuple[int | None, ...]) -> None:
    pictures = random(8, *(d or 0 for d in shape[1:]))
    assert made("flip,crop,brightness", shape)(pictures, SEEDS[:8]).shape == pictures.shape
    width_axis = {4: 3 if shape[1] == 3 else 2, 3: 2}.get(len(shape))
    found = made("flip:1", shape)(pictures, SEEDS[:8])
    expected = (
        np.flip(pictures.reshape(8, 12, 12), 2).reshape(8, 144) if width_axis is None else np.flip(pictures, width_axis)
    )
    np.testing.assert_array_equal(found, expected)


def test_what_cannot_be_augmented() -> None:
    with pytest.raises(GraphscopeError, match="cannot take pictures"):
        made("flip", (None, 7))
    with pytest.raises(UnknownNameError, match="closest: brightness"):
        made("brightnes")
    for text in ("crop:1", "crop:x", "flip:2", "brightness:-1", "crop:"):
        with pytest.raises(GraphscopeError, match="number between 0 and 1"):
            made(text)
