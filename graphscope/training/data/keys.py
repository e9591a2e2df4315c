"""Names of examples: sequences that take little memory, and hashes that assign an example to a split."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def key_fractions(keys: Iterable[str], salt: str = "") -> NDArray[np.float64]:
    """A number in [0, 1) for each key, the same on every machine: the first eight bytes of its BLAKE2b hash.

    Args:
        salt: another one gives other numbers, independent of the first.
    """
    import numpy as np

    person = hashlib.blake2b(salt.encode(), digest_size=16).digest()
    hashes = (hashlib.blake2b(key.encode("utf-8", "surrogateescape"), digest_size=8, person=person) for key in keys)
    numbers = np.frombuffer(b"".join(h.digest() for h in hashes), "<u8")
    return np.asarray((numbers >> np.uint64(11)).astype(np.float64) / float(1 << 53))


class Numbered(Sequence[str]):
    """The keys ``0`` to ``n - 1``, which take no memory."""

    def __init__(self, count: int) -> None:
        self._numbers = range(count)

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        found = self._numbers[index]
        return list(map(str, found)) if isinstance(found, range) else str(found)


class Chosen(Sequence[str]):
    """Some of other keys, by index."""

    def __init__(self, keys: Sequence[str], indices: NDArray[np.int64]) -> None:
        self._keys = keys
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: Any) -> Any:
        found = self._indices[index]
        return [self._keys[i] for i in found] if isinstance(index, slice) else self._keys[int(found)]
