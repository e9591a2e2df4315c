"""Things in an order in which each stands behind those that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator


def needed_first(starts: Iterable[str], needs: Callable[[str], Iterable[str]]) -> Iterator[str]:
    """Every name that ``starts`` need, themselves included, each once and behind what it needs.

    The last of ``needs`` is followed first. A circle is entered anywhere.
    """
    seen: set[str] = set()
    for start in starts:
        waiting = [(start, False)]
        while waiting:
            name, is_ready = waiting.pop()
            if is_ready:
                yield name
            elif name not in seen:
                seen.add(name)
                waiting.append((name, True))
                waiting += [(other, False) for other in needs(name)]
