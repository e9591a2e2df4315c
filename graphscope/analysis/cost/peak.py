"""Peak memory of activations if the nodes run sequentially."""

from __future__ import annotations

from dataclasses import dataclass

from graphscope.analysis.cost.formulas import formulas
from graphscope.analysis.cost.parts import Entry, Part
from graphscope.analysis.cost.table import Access
from graphscope.core.ops.sets import MERGES

_ARRAY_WRITES = {"TensorArrayWriteV2": 2, "TensorArrayWriteV3": 2}
"""Op -> the input that an array holds from then on, until the array (input 0) is needed no more."""


@dataclass(frozen=True, slots=True)
class Peak:
    """Peak memory of activations, excluding weights, feeds and scratch memory of kernels.

    Attributes:
        low_bytes: kernels overwrite their inputs wherever possible, as in TensorFlow's executor, which also fuses such ops.
        high_bytes: every result has its own memory.
        node: the node at the peak; empty if there is none.
        unsized: number of results of unknown size, which are left out.
    """

    low_bytes: int
    high_bytes: int
    node: str
    unsized: int


def peak(part: Part) -> Peak:
    """The peak of a graph, or of a function, with those of the functions that it calls."""
    return _peak(part, {})


def _peak(part: Part, known: dict[int, Peak]) -> Peak:
    if id(part) not in known:
        inner = {e.place: [_peak(call.part, known) for call in e.calls] for e in part.entries if e.calls}
        low, high = (_Run(part, inner, reuses=reuses) for reuses in (True, False))
        for run in (low, high):
            run.run()
        unsized = high.unsized + sum(found.unsized for peaks in inner.values() for found in peaks)
        known[id(part)] = Peak(low.most, high.most, high.node, unsized)
    return known[id(part)]


_MAX_ROOTS = 64
"""Maximum number of buffers that one result is assumed to hold."""


class _Run:
    """Simulates the nodes of a part in order and tracks their buffers.

    Attributes:
        most: bytes at the peak.
        node: at the peak.
        unsized: results of unknown size.
    """

    def __init__(self, part: Part, inner: dict[int, list[Peak]], *, reuses: bool) -> None:
        self._part = part
        self._inner = inner
        self._reuses = reuses
        self._sources = part.flow.wiring.sources
        self._by_place = {entry.place: entry for entry in part.entries}
        self._sizes: dict[int, int] = {}
        self._root = self._roots()
        self._last = self._last_uses()
        self._ending: dict[int, list[int]] = {}
        for place, step in self._last.items():
            self._ending.setdefault(step, []).append(place)
        self.most = self.unsized = self._now = 0
        self.node = ""

    def _roots(self) -> dict[int, tuple[int, ...]]:
        """For each node, the nodes in whose buffers its outputs are."""
        roots: dict[int, tuple[int, ...]] = {}
        for entry in self._part.entries:
            roots[entry.place] = (entry.place,)
            if entry.work.access is Access.VIEW:
                held = [p for p, _ in self._sources[entry.place]]
                held = held if entry.node.op in MERGES else held[:1]
                roots[entry.place] = tuple(dict.fromkeys(root for p in held for root in roots.get(p, ())))[:_MAX_ROOTS]
        return roots

    def _last_uses(self) -> dict[int, int]:
        """For each buffer, the step at which it is used last."""
        last: dict[int, int] = {}
        for step, entry in enumerate(self._part.entries):
            for place in (entry.place, *(p for p, _ in self._sources[entry.place])):
                last.update(dict.fromkeys(self._root.get(place, ()), step))
        for entry in self._part.entries:
            if entry.node.op in _ARRAY_WRITES:
                last[entry.place] = max((last[root] for root in self._root[entry.place]), default=0)
        for end in self._part.ends:
            last.update(dict.fromkeys(self._root.get(end, ()), len(self._part.entries)))
        return last

    def run(self) -> None:
        """Visits all nodes."""
        for step, entry in enumerate(self._part.entries):
            self._look_at(entry, self._now + self._inside(entry))
            size = self._size(entry)
            taken = self._reusable(entry, step, size)
            if taken is not None:
                self._sizes[entry.place] = self._sizes.pop(taken)
            else:
                self._sizes[entry.place] = size
                self._now += size
            self._look_at(entry, self._now)
            for place in self._ending.get(step, ()):
                self._now -= self._sizes.pop(place, 0)

    def _look_at(self, entry: Entry, taken: int) -> None:
        if taken > self.most:
            self.most, self.node = taken, entry.node.name

    def _inside(self, entry: Entry) -> int:
        """The peak within the functions that a node runs sequentially."""
        peaks = self._inner.get(entry.place, ())
        return max((found.low_bytes if self._reuses else found.high_bytes for found in peaks), default=0)

    def _size(self, entry: Entry) -> int:
        """The memory that a node allocates for its results."""
        if entry.node.op in _ARRAY_WRITES:
            return self._bytes_held(entry)
        size = _sum_of_results(entry) if entry.calls else entry.work.result_bytes
        self.unsized += size is None
        return size or 0

    def _bytes_held(self, entry: Entry) -> int:
        """The memory that loop iterations store in an array; the last element is in its own buffer."""
        written = self._sources[entry.place][_ARRAY_WRITES[entry.node.op] :][:1]
        sizes = [self._by_place[p].outputs[k].size_bytes or 0 for p, k in written if p in self._by_place]
        return sum(sizes) * entry.turns

    def _reusable(self, entry: Entry, step: int, size: int) -> int | None:
        """The buffer of an input that is no longer needed and that the node may overwrite."""
        formula = formulas().get(entry.node.op)
        if not (self._reuses and size and formula is not None and formula.in_place):
            return None
        for place, _ in self._sources[entry.place]:
            roots = self._root.get(place, ())
            if len(roots) == 1 and self._last.get(roots[0]) == step and self._sizes.get(roots[0]) == size:
                return roots[0]
        return None


def _sum_of_results(entry: Entry) -> int | None:
    """The results of a node that runs functions."""
    sizes = [tensor.size_bytes for tensor in entry.outputs]
    return None if None in sizes else sum(size or 0 for size in sizes)
