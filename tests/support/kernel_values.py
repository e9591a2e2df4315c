"""The numbers that kernels are tried with: reproducible, small and large, and those at the edges of each type."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Argument = Array | list[Array]

F32, F64, F16, BF16 = np.float32, np.float64, np.float16, ml_dtypes.bfloat16
I8, I16, I32, I64 = np.int8, np.int16, np.int32, np.int64
U8, U16, U32, U64 = np.uint8, np.uint16, np.uint32, np.uint64
FLOATS = (F32, F64)
HALVES = (F16, BF16)
SIGNED = (I8, I16, I32, I64)
INTS = (*SIGNED, U8, U16, U32, U64)
COMPLEX = (np.complex64, np.complex128)
MOVED = (F32, I64, U8, F16, BF16, np.complex64, np.bool_, np.object_)


def values(dtype: Any, shape: Sequence[int], salt: str = "") -> Array:
    """Reproducible numbers over the useful range of ``dtype``: small and large, negative where it has negatives."""
    random = np.random.default_rng(zlib.crc32(f"{np.dtype(dtype).name}{tuple(shape)}{salt}".encode()))
    kind = np.dtype(dtype).kind
    if kind == "b":
        return random.integers(0, 2, shape).astype(bool)
    if kind == "O":
        return np.array([bytes([65 + i % 26]) * (i % 3) for i in range(int(np.prod(shape)))], object).reshape(shape)
    if kind in "iu":
        limits = np.iinfo(dtype)
        small = random.integers(max(limits.min, -20), 20, shape)
        large = random.integers(limits.min, limits.max, shape, dtype=dtype)
        return np.where(random.random(shape) < 0.7, small.astype(dtype), large)
    numbers = random.standard_normal(shape) * 10.0 ** random.integers(-2, 3, shape)
    return (numbers + 1j * random.standard_normal(shape) if kind == "c" else numbers).astype(dtype)


def edges(dtype: Any) -> Array:
    """Zeros of both signs, ones, ties, infinities, NaN, the ends of the range."""
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        return np.array([0, 1, 2, 3, limits.max, limits.max - 1, limits.min, limits.min + 1], dtype)
    numbers = [
        0.0,
        -0.0,
        1,
        -1,
        0.5,
        1.5,
        2.5,
        -0.5,
        -2.5,
        1e-3,
        3.0,
        -7.25,
        1e30,
        -1e30,
        np.inf,
        -np.inf,
        np.nan,
        100.0,
    ]
    with np.errstate(all="ignore"):
        return np.array(numbers).astype(dtype)


def i32(*numbers: int) -> Array:
    return np.array(numbers, I32)


def s32(number: int) -> Array:
    return np.array(number, I32)
