"""Gradients that are part of a model: of its inputs, as in a force field or a map of saliency, not of its weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphscope.core.patterns import OpPattern, Pattern

_SCOPE = Pattern(r"(^|.*?/)(gradients(_\d+)?)(/|$)|(^|.*?/)(?=[^/]+_grad(_\d+)?/)")
_UPDATE = OpPattern(
    "Apply Assign Scatter Accumul", r"(Resource)?(Sparse)?Apply[A-Z]\w*|Assign\w*|(Resource)?Scatter\w+|\w*Accumul\w+"
)


def are_gradients(names: Iterable[str]) -> list[bool]:
    """For each name of a node, whether TensorFlow's automatic differentiation made the node."""
    return [("gradients" in name or "_grad" in name) and _SCOPE.match(name) is not None for name in names]


def kept_gradients(
    inputs: Sequence[Sequence[int]],
    consumers: Sequence[Sequence[int]],
    gradients: Sequence[bool],
    names: Sequence[str],
    ops: Sequence[str],
) -> set[int]:
    """Numbers of the gradients that something other than training uses.

    Those are what leads to a node outside the gradients from which no update of a variable follows, unless through gradients
    again; and in a graph whose gradients update nothing, all of them.
    """
    numbers = [i for i, yes in enumerate(gradients) if yes]
    if not numbers:
        return set()
    leads: dict[int, bool] = {}
    kept: list[int] = []
    trained: set[str] = set()
    for i in numbers:
        for consumer in consumers[i]:
            if gradients[consumer]:
                continue
            if _updates(consumer, consumers, gradients, ops, leads):
                trained.add(_scope(names[i]))
            elif ops[consumer] not in _WATCHING:
                kept.append(i)
    kept += [i for i in numbers if not consumers[i] and _scope(names[i]) not in trained]
    found = set(kept)
    while kept:
        for producer in inputs[kept.pop()]:
            if gradients[producer] and producer not in found:
                found.add(producer)
                kept.append(producer)
    return found


_WATCHING = frozenset(
    {"HistogramSummary", "ScalarSummary", "TensorSummary", "TensorSummaryV2", "Print", "PrintV2", "Assert"}
)


def _scope(name: str) -> str:
    match = _SCOPE.match(name)
    return match.group() if match else ""


def _updates(
    start: int,
    consumers: Sequence[Sequence[int]],
    gradients: Sequence[bool],
    ops: Sequence[str],
    leads: dict[int, bool],
) -> bool:
    """Whether ``start`` leads to an update of a variable, by nodes that are no gradients."""
    seen = {start}
    waiting = [start]
    while waiting:
        i = waiting.pop()
        if leads.get(i) or _UPDATE.fullmatch(ops[i]):
            leads[start] = True
            return True
        fresh = [c for c in consumers[i] if not gradients[c] and c not in seen and leads.get(c) is not False]
        seen.update(fresh)
        waiting += fresh
    leads.update(dict.fromkeys(seen, False))
    return False
