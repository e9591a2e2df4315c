"""How often loops of ``Enter``, ``Merge`` and ``NextIteration`` go round, against a loop that counts."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import graphscope
from graphscope.analysis.cost.report import LoopRow
from graphscope.core.graph import Graph, Node
from graphscope.protos import GraphDef
from tests.support.saving import tf
from tests.support.written import graph_of, model_of

v1 = tf.compat.v1

COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "Less": operator.lt,
    "LessEqual": operator.le,
    "Greater": operator.gt,
    "GreaterEqual": operator.ge,
}
MANY = 40


def loops_of(
    start: int, limit: int, next_line: str, condition: Sequence[str], *, more: Sequence[str] = ()
) -> tuple[LoopRow, ...]:
    """The loops of a graph whose body computes ``next_line`` of ``now`` while ``condition`` holds of ``merge``."""
    lines = [
        f"start Const:int32={start}",
        f"limit Const:int32={limit}",
        "frame Enter:int32 limit",
        "enter Enter:int32 start",
        "merge Merge:int32 enter next",
        *condition,
        "go LoopCond:bool test",
        "switch Switch:int32 merge go",
        "now Identity:int32 switch:1",
        *more,
        next_line,
        "next NextIteration:int32 new",
        "exit Exit:int32 switch:0",
        "y Neg:int32 exit",
    ]
    return graphscope.cost(model_of(graph_of(lines)), outputs="y", by="node").loops


def counted(start: int, limit: int, step: int, holds: Callable[[int, int], bool]) -> int | None:
    """The turns of the loop as Python runs it; None where it has no end."""
    turns = 0
    while holds(start, limit):
        start, turns = start + step, turns + 1
        if turns > MANY:
            return None
    return turns


@settings(max_examples=60, derandomize=True)
@given(
    numbers=st.tuples(st.integers(-6, 6), st.integers(-6, 6), st.integers(-3, 3)),
    name=st.sampled_from(sorted(COMPARISONS)),
    is_mirrored=st.booleans(),
    form=st.sampled_from(["AddV2:int32 now step", "Add:int32 step now", "Sub:int32 now step"]),
)
@example(numbers=(2, 2, 1), name="Less", is_mirrored=False, form="AddV2:int32 now step")
@example(numbers=(2, 2, 1), name="LessEqual", is_mirrored=True, form="Add:int32 step now")
@example(numbers=(2, -2, 2), name="GreaterEqual", is_mirrored=False, form="Sub:int32 now step")
@example(numbers=(0, 5, 0), name="Less", is_mirrored=True, form="AddV2:int32 now step")
def test_turns_are_counted(numbers: tuple[int, int, int], name: str, is_mirrored: bool, form: str) -> None:
    start, limit, step = numbers
    sides = "frame merge" if is_mirrored else "merge frame"
    compare, holds = f"test {name}:int32 {sides}", COMPARISONS[name]
    expected = counted(
        start,
        limit,
        -step if form.startswith("Sub") else step,
        (lambda now, end: holds(end, now)) if is_mirrored else holds,
    )
    [loop] = loops_of(start, limit, f"new {form}", [f"step Const:int32={step}", compare])
    assert (loop.turns, loop.is_known, loop.is_limit) == (
        (1, False, False) if expected is None else (expected, True, False)
    )


LESS = "less Less:int32 merge frame"


@pytest.mark.parametrize(
    ("condition", "turns", "is_known", "is_limit"),
    [
        (["more Const:bool=true", LESS, "test LogicalAnd less more"], 5, True, False),
        (["eager Placeholder:bool(1)", LESS, "test LogicalAnd less eager"], 5, True, True),
        (["nearer Const:int32=3", LESS, "first Less:int32 merge nearer", "test LogicalAnd first less"], 3, True, False),
        (["test Placeholder:bool(1)"], 1, False, False),
        ([LESS, "test LogicalNot:bool less"], 1, False, False),
        (["test NotEqual:int32 merge frame"], 1, False, False),
        (["far Placeholder:int32(1)", "test Less:int32 merge far"], 1, False, False),
        (["many Const:int32=[5,5]", "test Less:int32 merge many"], 1, False, False),
        (["wide Cast:int32 merge", "test Less:int32 wide frame"], 5, True, False),
    ],
)
def test_every_condition_that_is_known_limits(condition: list[str], turns: int, is_known: bool, is_limit: bool) -> None:
    [loop] = loops_of(0, 5, "new AddV2:int32 now one", ["one Const:int32=1", *condition])
    assert (loop.turns, loop.is_known, loop.is_limit) == (turns, is_known, is_limit)


@pytest.mark.parametrize(
    "next_line",
    [
        "new Mul:int32 now one",
        "new AddV2:int32 now now",
        "new AddV2:int32 one one",
        "new Sub:int32 one now",
        "new Neg:int32 now",
        "new AddV2:int32 now far",
    ],
)
def test_a_counter_that_does_not_step_by_a_constant_says_nothing(next_line: str) -> None:
    [loop] = loops_of(
        0, 5, next_line, ["one Const:int32=1", "test Less:int32 merge frame"], more=["far Placeholder:int32(1)"]
    )
    assert (loop.turns, loop.is_known) == (1, False)


def test_a_loop_in_a_loop_goes_round_as_often_as_both() -> None:
    with tf.Graph().as_default() as graph:
        was_on = v1.control_flow_v2_enabled()
        v1.disable_control_flow_v2()
        x = v1.placeholder(tf.float32, [4], "x")

        def inner(i: Any, y: Any) -> Any:
            return i + 1, v1.while_loop(lambda j, _: j < 5, lambda j, z: (j + 1, tf.tanh(z)), [0, y], name="inner")[1]

        tf.identity(v1.while_loop(lambda i, _: i < 3, inner, [0, x], name="outer")[1], "y")
        if was_on:
            v1.enable_control_flow_v2()
    message = GraphDef.FromString(graph.as_graph_def().SerializeToString())
    report = graphscope.cost(model_of(Graph(message, [Node(one) for one in message.node])), outputs="y", by="node")
    assert [(loop.name.rpartition("/")[0] or loop.name, loop.turns, loop.is_known) for loop in report.loops] == [
        ("outer", 3, True),
        ("outer/inner", 5, True),
    ]
    [tanh] = [row for row in report.rows if row.name.endswith("Tanh")]
    assert (tanh.executions, tanh.figures.flops) == (15, 15 * 4)
