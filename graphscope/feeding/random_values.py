"""Random values for tensors: in a range that suits their type, or what the ops that take them demand."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from graphscope.core.tensors import TensorName, TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import GraphscopeError
from graphscope.feeding.demands.demanded import Demanded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNKNOWN = 2
"""The default size of an unknown dimension."""

STRINGS = tuple(b"%02d" % i for i in range(10))
"""Sample strings: text that is a number too, and a protobuf message (``0`` starts an unknown field with the next byte)."""


def random_feeds(
    placeholders: Iterable[TensorSpec],
    *,
    seed: int,
    unknown: int = UNKNOWN,
    overrides: Mapping[str, NDArray[Any]] | None = None,
) -> dict[str, NDArray[Any]]:
    """Tensor name -> value for each placeholder: from ``overrides``, or random in a range that suits its type.

    Floating and complex numbers are uniform in [-1, 1), uint8 in 0..255, other integers in 0..9 (they are often indices),
    strings are :data:`STRINGS`, or what the op that takes them decodes, or mostly keys of the table in which they are
    looked up; indices and shape of a sparse tensor fit together, and so do values and splits of a ragged one.
    A placeholder's values depend only on ``seed`` and its name.

    Args:
        unknown: the size of unknown dimensions; a tensor of unknown rank is a vector of that size.
        overrides: node or tensor name -> value.

    Raises:
        GraphscopeError: a placeholder takes resources or variants, which have no NumPy equivalent.
    """
    given = {str(TensorName.parse(name)): value for name, value in (overrides or {}).items()}
    return {
        spec.name: given[spec.name] if spec.name in given else random_value(spec, seed=seed, unknown=unknown)
        for spec in placeholders
    }


def random_value(spec: TensorSpec, *, seed: int, unknown: int = UNKNOWN) -> NDArray[Any]:
    """One value as :func:`random_feeds` gives it."""
    import numpy as np

    return Source(np.random.default_rng([seed, zlib.crc32(spec.name.encode())]), unknown).draw(spec)


class Source:
    """Where random values come from.

    Attributes:
        rng: random numbers.
        unknown: the size of unknown dimensions.
    """

    def __init__(self, rng: np.random.Generator, unknown: int) -> None:
        self.rng = rng
        self.unknown = unknown

    def draw(self, spec: TensorSpec) -> NDArray[Any]:
        """One value.

        Raises:
            GraphscopeError: as :func:`random_feeds`.
        """
        import numpy as np

        make = _RANDOM.get(spec.dtype, _float if spec.dtype.is_floating else None)
        if make is None:
            raise unfeedable(spec)
        if isinstance(spec, Demanded):
            return spec.content.draw(spec, self)
        return np.asarray(make(self.rng, spec.dtype, self.shape(spec)))

    def shape(self, spec: TensorSpec) -> tuple[int, ...]:
        """The shape of the value; see :func:`concrete`."""
        return concrete(spec, self.unknown)

    def indices(self, spec: TensorSpec, below: int) -> NDArray[Any]:
        """Integers from 0 to less than ``below``, and not more than such integers are anyhow."""
        import numpy as np

        return np.asarray(_integer(min(below, _INDICES))(self.rng, spec.dtype, self.shape(spec)))

    def strings(self, spec: TensorSpec, keys: tuple[bytes, ...]) -> NDArray[Any]:
        """Strings that are mostly ``keys``."""
        import numpy as np

        shape = self.shape(spec)
        count = math.prod(shape)
        chosen = np.array(keys, object)[self.rng.integers(0, len(keys), count)]
        known = self.rng.random(count) < _KNOWN
        return np.where(known, chosen, _string(self.rng, spec.dtype, (count,))).reshape(shape)


_KNOWN = 0.75
"""The share of strings that are drawn from the keys of the table in which they are looked up."""


def concrete(spec: TensorSpec, unknown: int = UNKNOWN) -> tuple[int, ...]:
    """The shape with ``unknown`` for each unknown dimension; a vector for an unknown rank."""
    return tuple(unknown if d is None else d for d in ((None,) if spec.shape is None else spec.shape))


def zeros(spec: TensorSpec, *, unknown: int) -> NDArray[Any]:
    """Zeros; false; empty strings.

    Raises:
        GraphscopeError: as :func:`random_feeds`.
    """
    import numpy as np

    if spec.dtype in (DataType.RESOURCE, DataType.VARIANT, DataType.INVALID):
        raise unfeedable(spec)
    if spec.dtype is DataType.STRING:
        return np.full(concrete(spec, unknown), b"", object)
    return np.zeros(concrete(spec, unknown), spec.dtype.numpy)


def unfeedable(spec: TensorSpec) -> GraphscopeError:
    """The error for a type that no array has."""
    return GraphscopeError(f"{spec.name} takes a {spec.dtype.label}, which has no NumPy equivalent and cannot be fed")


def _float(rng: np.random.Generator, dtype: DataType, shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.asarray(rng.uniform(-1, 1, shape)).astype(dtype.numpy)


def _complex(rng: np.random.Generator, dtype: DataType, shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.asarray(rng.uniform(-1, 1, shape) + 1j * rng.uniform(-1, 1, shape)).astype(dtype.numpy)


def _bool(rng: np.random.Generator, _: DataType, shape: tuple[int, ...]) -> Any:
    return rng.integers(0, 2, shape) == 1


def _string(rng: np.random.Generator, _: DataType, shape: tuple[int, ...]) -> Any:
    import numpy as np

    return np.array(STRINGS, object)[rng.integers(0, len(STRINGS), shape)]


def _integer(below: int) -> Callable[[np.random.Generator, DataType, tuple[int, ...]], Any]:
    def make(rng: np.random.Generator, dtype: DataType, shape: tuple[int, ...]) -> Any:
        import numpy as np

        return np.asarray(rng.integers(0, below, shape)).astype(dtype.numpy)

    return make


_INDICES = 10
"""Random integers are less than this: they are often indices."""

_INTEGERS = tuple(
    DataType[name] for name in "INT8 INT16 INT32 INT64 UINT16 UINT32 UINT64 QINT8 QINT16 QUINT16 QINT32".split()
)
_RANDOM: Mapping[DataType, Callable[[np.random.Generator, DataType, tuple[int, ...]], Any]] = {
    **dict.fromkeys((DataType.COMPLEX64, DataType.COMPLEX128), _complex),
    **dict.fromkeys((DataType.UINT8, DataType.QUINT8), _integer(256)),
    **dict.fromkeys((DataType.INT4, DataType.UINT4), _integer(8)),
    **dict.fromkeys((DataType.INT2, DataType.UINT2), _integer(2)),
    **dict.fromkeys(_INTEGERS, _integer(_INDICES)),
    DataType.BOOL: _bool,
    DataType.STRING: _string,
}
