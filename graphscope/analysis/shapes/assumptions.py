"""Infers the shapes of placeholders from their consumers."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping

from graphscope.analysis.shapes.demands import demanded_shape
from graphscope.analysis.shapes.facts import Fact
from graphscope.analysis.shapes.flow import Flow
from graphscope.analysis.shapes.sizes import Dims, all_known, public
from graphscope.core.ops.sets import DEFAULTED, PLACEHOLDER_OPS

_ROUNDS = 4
"""One placeholder's demand may depend on another's."""


def assume_demands(flow: Flow, errors: MutableMapping[str, str]) -> set[tuple[int, int]]:
    """Gives placeholders that are not fully known the shape that their consumers demand; says which tensors that changed.

    Demands that some node does not fit are dropped.
    """
    before = dict(errors)
    places = [
        place
        for place, op in enumerate(flow.body.ops)
        if op in PLACEHOLDER_OPS and op != DEFAULTED and place not in flow.stated
    ]
    old = list(flow.facts)
    for _ in range(_ROUNDS):
        found = _demands(flow, [place for place in places if not all_known(flow.fact_at(place, 0).shape)])
        if not found:
            break
        _assume(flow, found)
        if errors.keys() - before.keys():
            _withdraw(flow, found, errors, before)
            break
    return {
        (place, index)
        for place, facts in enumerate(flow.facts[: len(flow.body)])
        if facts is not old[place]
        for index, fact in enumerate(facts or ())
        if public(fact.shape) != public(_at(old[place], index))
    }


def _at(facts: tuple[Fact, ...] | None, index: int) -> Dims:
    return facts[index].shape if facts is not None and index < len(facts) else None


def _demands(flow: Flow, places: list[int]) -> dict[int, Dims]:
    """Place of a placeholder -> a shape that says more than is known of it."""
    found = {}
    for place in places:
        shape = flow.fact_at(place, 0).shape
        demanded = demanded_shape(flow, place, shape)
        if public(demanded) != public(shape):
            found[place] = demanded
    return found


def _assume(flow: Flow, shapes: Mapping[int, Dims]) -> None:
    for place, shape in shapes.items():
        flow.stated[place] = {0: Fact(shape)}
    flow.infer_again(shapes)


def _withdraw(
    flow: Flow, places: Mapping[int, Dims], errors: MutableMapping[str, str], before: Mapping[str, str]
) -> None:
    for place in places:
        del flow.stated[place]
    flow.infer_again(places)
    for name in errors.keys() - before.keys():
        del errors[name]
