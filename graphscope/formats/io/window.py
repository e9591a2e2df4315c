"""A large file as a sequence of bytes, one section of which is in memory at a time.

Files are read through their descriptors and never mapped: a page of a mapping that the file no longer has, because another
process cut it short, would end this one by a signal. A read that comes back short is an error like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import overload

_SMALLEST = 1 << 12
_LARGEST = 1 << 17
"""Bytes that are read at once: few after a jump, twice as many each time that the reading goes on from there."""


class Window:
    """Bytes that are indexed as the whole would be.

    Attributes:
        data: the stretch in memory. It may be kept: moving on replaces it and does not change it.
        base: the index of its first byte.
    """

    __slots__ = ("_fetch", "_size", "_step", "base", "data")

    def __init__(self, fetch: Callable[[int, int], bytes], size: int, data: bytes = b"") -> None:
        """A window on ``size`` bytes that start with ``data``; ``fetch`` reads others, given offset and size."""
        self._fetch = fetch
        self._size = size
        self._step = _SMALLEST
        self.data = data
        self.base = 0

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, key: int) -> int: ...

    @overload
    def __getitem__(self, key: slice) -> bytes: ...

    def __getitem__(self, key: int | slice) -> int | bytes:
        """One byte, to which the window moves; or a part, which is read if it is not in the window.

        Raises:
            IndexError: the byte is outside. As for what is read, whatever ``fetch`` raises.
        """
        if isinstance(key, slice):
            start, stop, _ = key.indices(self._size)
            at = start - self.base
            if at >= 0 and stop - self.base <= len(self.data):
                return self.data[at : stop - self.base]
            return self._fetch(start, max(stop - start, 0))
        at = key - self.base
        if 0 <= at < len(self.data):
            return self.data[at]
        if not 0 <= key < self._size:
            raise IndexError(key)
        self.reach(key, 1)
        return self.data[key - self.base]

    def reach(self, offset: int, size: int) -> None:
        """Moves to ``size`` bytes from ``offset``, or as many as there are, unless it holds them; raises as ``fetch``."""
        ahead = offset - self.base
        if ahead >= 0 and (min(offset + size, self._size) - self.base) <= len(self.data):
            return
        self._step = min(2 * self._step, _LARGEST) if 0 <= ahead <= len(self.data) else _SMALLEST
        self.data = self._fetch(offset, min(max(size, self._step), self._size - offset))
        self.base = offset

    def around(self, offset: int, margin: int) -> tuple[bytes, int, int]:
        """For a loop that goes forward in local variables, from ``offset`` on.

        Returns:
            ``data``, ``base``, and the last offset after which ``margin`` bytes are in ``data``, or all to the end.
        """
        self.reach(offset, margin)
        end = self.base + len(self.data)
        return self.data, self.base, end if end == self._size else end - margin


def window_on(buffer: bytes | memoryview | Window) -> Window:
    """A window on bytes that are in memory already."""
    if isinstance(buffer, Window):
        return buffer
    data = buffer if isinstance(buffer, bytes) else bytes(buffer)
    return Window(lambda offset, size: data[offset : offset + size], len(data), data)
