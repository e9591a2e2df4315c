"""Features by one process and by two, one thread each: ``python -m benchmarks.feature_workers``. The table of docs/scaling.md.

Each process says how many examples it computed after its first batch, in which wall time and with how many processor seconds.
On idle cores both are the same; where other work shares them, the second is what the first would be.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import graphscope
from graphscope.cluster.processes import Launcher, Processes
from graphscope.cluster.share import Share
from graphscope.runtime.config import SessionOptions
from graphscope.runtime.tensorflow import can_fork, promise_equal_bits
from graphscope.training.data import open_data
from graphscope.training.features.compute import cached_features, input_spec, kept_features
from graphscope.training.graft.base import open_base

BASE = "fixtures/lenet5"
AT = ["fc1/relu"]
COUNT = 60_000
ONE_THREAD = SessionOptions(intra_threads=1, inter_threads=1)


class Part(NamedTuple):
    """What one process did after its first batch: examples, wall seconds, processor seconds."""

    examples: int
    wall_s: float
    processor_s: float


class Clock:
    """Starts with the first batch."""

    def __init__(self) -> None:
        self.examples = 0
        self.begun: tuple[float, float] | None = None

    def tell(self, count: int) -> None:
        if self.begun is not None:
            self.examples += count
        elif count:
            self.begun = time.monotonic(), time.process_time()

    def part(self) -> Part:
        wall, processor = self.begun or (time.monotonic(), time.process_time())
        return Part(self.examples, time.monotonic() - wall, time.process_time() - processor)


def computed(opened: Any, count: int, place: Path) -> list[Part]:
    """What each of ``count`` processes did."""
    model, base, source = opened

    kept = kept_features(base, source, place)

    def work(number: int, _: Launcher) -> Part:
        clock = Clock()
        share = Share(number, count, is_launched=True)
        cached_features(model, base, source, kept, progress=clock.tell, share=share, session=ONE_THREAD)
        return clock.part()

    with Processes(count, work) as processes:
        return [ending.result for ending in processes.endings(lambda *_: None)]


def contents(place: Path) -> str:
    """A hash of all files in the cache."""
    found = hashlib.sha256()
    for path in sorted(p for p in place.rglob("*") if p.is_file()):
        found.update(path.relative_to(place).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="graphscope-features-") as name:
        place = Path(name)
        x = np.random.default_rng(0).integers(0, 256, (COUNT, 784), np.uint8)
        np.savez(place / "d.npz", x=x, y=np.arange(COUNT) % 10)
        model = graphscope.load(BASE)
        base = open_base(model, AT)
        opened = model, base, open_data(str(place / "d.npz"), input_spec(base))
        promise_equal_bits()
        assert can_fork()
        print("| processes | examples | wall time | processor time | examples/s of processors |\n|---|---|---|---|---|")
        rates = {}
        for count in (1, 2):
            parts = computed(opened, count, place / str(count))
            rates[count] = sum(part.examples / part.processor_s for part in parts)
            wall = max(part.wall_s for part in parts)
            processor = " + ".join(f"{part.processor_s:.1f} s" for part in parts)
            examples = " + ".join(f"{part.examples:,}" for part in parts)
            print(f"| {count} | {examples} | {wall:.1f} s | {processor} | {rates[count]:,.0f} |", flush=True)
        same = "the same" if contents(place / "1") == contents(place / "2") else "OTHER"
        print(f"\ntwo processes compute {rates[2] / rates[1]:.2f} x as many examples a second; {same} bytes")


if __name__ == "__main__":
    main()
