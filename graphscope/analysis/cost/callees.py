"""The library functions that a node runs, with their arguments and number of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graphscope.analysis.cost.turns import UNKNOWN_TURNS, Counter, Source, Turns, function_counter, single, turns
from graphscope.analysis.shapes.call import Call
from graphscope.analysis.shapes.facts import SCALAR, Facts
from graphscope.analysis.shapes.flow import Flow
from graphscope.analysis.shapes.rules.control_flow import loop_variables
from graphscope.core.graph import Function
from graphscope.core.ops.sets import CALL_OPS

ONCE = Turns(1, is_known=True)


@dataclass(frozen=True, slots=True)
class Callee:
    """A function that a node runs.

    Attributes:
        arguments: their known properties.
        first_argument: the input of the node that is the first of them; those that the node makes itself come before.
        turns: number of runs.
    """

    function: str
    arguments: Facts
    first_argument: int = 0
    turns: Turns = ONCE


@dataclass(frozen=True, slots=True)
class Callees:
    """The functions that a node runs.

    Attributes:
        is_branch: whether it runs only one of them.
        turns: number of iterations of a loop; ``None`` for other nodes.
    """

    functions: tuple[Callee, ...]
    is_branch: bool = False
    turns: Turns | None = None


def callees(flow: Flow, place: int) -> Callees | None:
    """The functions that a node runs; ``None`` for an op that runs none, or in an unknown way."""
    call = flow.call(place)
    find = _CALLERS.get(call.node.op)
    return find(flow, call) if find is not None else _by_name(flow, call)


def _by_name(flow: Flow, call: Call) -> Callees | None:
    """A call of a function by its name as an op."""
    is_known = flow.run(call.node.op, call.inputs) is not None
    return Callees((Callee(call.node.op, tuple(call.inputs)),)) if is_known else None


def _plain(_: Flow, call: Call) -> Callees:
    return Callees((Callee(call.function("f"), tuple(call.inputs)),))


def _if(_: Flow, call: Call) -> Callees:
    names = [call.function("else_branch"), call.function("then_branch")]
    value = single(call.input(0)) if call.inputs else None
    chosen = names if value is None else [names[int(bool(value))]]
    return _branches(call, chosen)


def _case(_: Flow, call: Call) -> Callees:
    value = call.attr("branches")
    names = [function.name for function in value.list.func] if value is not None else []
    index = single(call.input(0)) if call.inputs else None
    if isinstance(index, int) and names:
        names = [names[index if 0 <= index < len(names) else -1]]
    return _branches(call, names)


def _branches(call: Call, names: list[str]) -> Callees:
    return Callees(tuple(Callee(name, tuple(call.inputs[1:]), 1) for name in names), is_branch=True)


def _while(flow: Flow, call: Call) -> Callees:
    variables = loop_variables(call)
    count = _while_turns(flow, call, variables)
    return Callees(tuple(Callee(call.function(name), variables, 0, count) for name in ("cond", "body")), turns=count)


def _while_turns(flow: Flow, call: Call, variables: Facts) -> Turns:
    condition = flow.enter(call.function("cond"), variables)
    body = flow.enter(call.function("body"), variables)
    if condition is None or body is None:
        return UNKNOWN_TURNS
    first, last = len(condition.body), len(body.body)
    results = _result_sources(body)

    def counter(source: Source) -> Counter | None:
        place = source[0] - first
        if not 0 <= place < min(len(results), len(call.inputs)):
            return None
        return function_counter(body, call.inputs[place], (last + place, 0), results[place])

    found = _result_sources(condition)
    return turns(condition, found[0], counter) if found else UNKNOWN_TURNS


def _result_sources(flow: Flow) -> list[Source]:
    """Where the results of a function come from, in order."""
    function = flow.body
    assert isinstance(function, Function)
    return [flow.wiring.source(function.proto.ret[arg.name]) for arg in function.signature.output_arg]


def _for(_: Flow, call: Call) -> Callees:
    start, limit, step = (single(fact) for fact in call.inputs[:3])
    count = UNKNOWN_TURNS
    if isinstance(start, int) and isinstance(limit, int) and isinstance(step, int) and step:
        count = Turns(max(0, -((start - limit) // step)), is_known=True)
    arguments = (SCALAR, *call.inputs[3:])
    return Callees((Callee(call.function("body"), arguments, 3, count),), turns=count)


_CALLERS: Mapping[str, Callable[[Flow, Call], Callees]] = {
    **dict.fromkeys(CALL_OPS, _plain),
    **dict.fromkeys(("If", "StatelessIf"), _if),
    **dict.fromkeys(("Case", "StatelessCase"), _case),
    **dict.fromkeys(("While", "StatelessWhile"), _while),
    "For": _for,
}
