"""Which shards a process computes, and when, where several fill one directory: first its own, then what is still missing."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from graphscope.cluster.share import Share
from graphscope.formats.io.places import being_written
from graphscope.training.features.store import Layout, missing_shards, shard_path

STALE_S = 120.0
"""A file that is open elsewhere but has not grown for this long counts as abandoned: a network may keep a dead host's lock."""

_POLL_S = 0.5


def turns(directory: Path, layout: Layout, share: Share) -> Iterator[range]:
    """The shards that this process has to write, one after the other, until none is missing.

    Those of others come last. A shard that a living process is writing is left to it.
    """
    watch = _Watch(directory)
    own = [shard for number, shard in enumerate(layout.shards()) if share.has(number)]
    for shard in own:
        yield from watch.free(missing_shards(directory, layout, [shard]))
    while share.count > 1 and (missing := missing_shards(directory, layout)):
        first = share.rank * len(missing) // share.count  # elsewhere for each process: two seldom take the same
        free = watch.free([*missing[first:], *missing[:first]])
        if free:
            yield free[0]
        else:
            time.sleep(_POLL_S)


class _Watch:
    """Sees which files of a directory grow."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: dict[Path, tuple[int, float]] = {}

    def free(self, shards: Sequence[range]) -> list[range]:
        """Those that no process is writing."""
        busy = {name for name, path in being_written(self._directory).items() if self._grows(path)}
        return [shard for shard in shards if shard_path(self._directory, shard.start).name not in busy]

    def _grows(self, path: Path) -> bool:
        """Whether it is larger than it was a while ago; its own times may be those of another clock."""
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return False
        now = time.monotonic()
        before, since = self._seen.get(path, (-1, now))
        self._seen[path] = (size, now if size != before else since)
        return now - self._seen[path][1] < STALE_S
