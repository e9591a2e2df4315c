"""The order of things that need each other."""

from __future__ import annotations

from graphscope.core.order import needed_first


def test_each_once_and_behind_what_it_needs() -> None:
    needs = {"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": [], "e": ["d"]}
    assert list(needed_first(["d", "e", "a"], needs.__getitem__)) == ["a", "c", "b", "d", "e"]
    assert list(needed_first(["b"], needs.__getitem__)) == ["a", "b"]


def test_a_circle_is_entered_where_it_is_met() -> None:
    needs = {"x": ["y"], "y": ["z"], "z": ["x"]}
    assert list(needed_first(["x", "y"], needs.__getitem__)) == ["z", "y", "x"]


def test_a_long_chain_needs_no_recursion() -> None:
    order = list(needed_first(["99999"], lambda name: [str(int(name) - 1)] if name != "0" else []))
    assert order == [str(i) for i in range(100_000)]
