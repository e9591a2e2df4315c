"""Branches, loops and calls of library functions. Merges, which begin loops, are ``flow.py``'s."""

from __future__ import annotations

from functools import reduce

from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import SCALAR, UNKNOWN, Fact, Facts, join_facts, outputs
from graphscope.analysis.shapes.loops import fixed_point
from graphscope.analysis.shapes.sizes import Dims, merge
from graphscope.analysis.shapes.table import rule


@rule("Switch RefSwitch")
def switch(call: Call) -> Facts:
    """The data, for either branch."""
    call.ranked(1, 0)
    data = call.input(0)
    return data, data


@rule("_SwitchN")
def switch_n(call: Call) -> Facts:
    """The data, for any branch."""
    call.ranked(1, 0)
    return (call.input(0),) * min(max(call.number("num_outs"), 0), 1024)


@rule("RefSelect")
def ref_select(call: Call) -> Facts:
    """One of several."""
    call.ranked(0, 0)
    return (reduce(join_facts, [Fact(fact.shape) for fact in call.inputs[1:]] or [UNKNOWN]),)


@rule("LoopCond")
def loop_condition(call: Call) -> Facts:
    """A scalar."""
    call.ranked(0, 0)
    return (SCALAR,)


@rule("IdentityN")
def identity_n(call: Call) -> Facts:
    """All inputs."""
    return tuple(call.inputs)


@rule("PartitionedCall StatefulPartitionedCall RemoteCall")
def function_call(call: Call) -> Facts:
    """The function's results for these arguments; the types and shapes that the graph states if they cannot be inferred."""
    inputs = call.inputs[1:] if call.node.op == "RemoteCall" else call.inputs
    return call.setting.run(call.function("f"), inputs) or _stated_facts(call)


def _stated_facts(call: Call) -> Facts:
    return outputs(*call.shape_attrs("_output_shapes"))


@rule("If StatelessIf")
def if_op(call: Call) -> Facts:
    """The facts that hold for both branches."""
    condition = call.input(0)
    branches = ["then_branch", "else_branch"]
    if condition.shape == () and condition.has_value and condition.value and condition.value[0] is not None:
        branches = [branches[0] if condition.value[0] else branches[1]]
    return _branches(call, [call.function(name) for name in branches])


@rule("Case StatelessCase")
def case(call: Call) -> Facts:
    """The facts that hold for all branches."""
    value = call.attr("branches")
    return _branches(call, [function.name for function in value.list.func] if value is not None else [])


def _branches(call: Call, functions: list[str]) -> Facts:
    results = [call.setting.run(function, call.inputs[1:]) or () for function in functions]
    count = min(map(len, results), default=0)
    joined = tuple(reduce(join_facts, (result[k] for result in results)) for k in range(count))
    return _with_stated(joined, call.shape_attrs("output_shapes"))


def _with_stated(facts: Facts, shapes: list[Dims]) -> Facts:
    """Facts, and the shapes that the graph states of them."""
    if not shapes:
        return facts
    padded = facts + (UNKNOWN,) * (len(shapes) - len(facts))
    stated = shapes + [None] * (len(padded) - len(shapes))
    return tuple(Fact(merge(f.shape, s), f.value, f.handle) for f, s in zip(padded, stated))


@rule("While StatelessWhile")
def while_op(call: Call) -> Facts:
    """The facts about the variables after any number of iterations."""
    return _with_stated(loop_variables(call), call.shape_attrs("output_shapes"))


def loop_variables(call: Call) -> Facts:
    """The facts about the variables of a ``While`` before every iteration."""
    stated = call.shape_attrs("output_shapes")
    start = tuple(call.inputs)
    if stated:
        start = tuple(Fact(None if s is None else f.shape, f.value, f.handle) for f, s in zip(start, stated))
    body = call.function("body")
    return fixed_point(lambda facts: call.setting.run(body, facts) or (), start)


@rule("For")
def for_op(call: Call) -> Facts:
    """The facts about the variables after any number of iterations; the counter is the body's first argument."""
    body = call.function("body")
    return fixed_point(lambda facts: call.setting.run(body, (SCALAR, *facts)) or (), tuple(call.inputs[3:]))


@rule("SymbolicGradient")
def symbolic_gradient(call: Call) -> Facts:
    """The shapes of the function's arguments."""
    return outputs(*(fact.shape for fact in call.inputs[: len(call.types("Tout"))]))
