"""Matches the library functions of two models: by name, by the name without its number, by content."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

from graphscope.analysis.diff.report import Change, Difference, Section
from graphscope.core.graph import Function, Graph

_SPECIALIZED = "_frozen_"
"""What freezing puts between the name of a function and the types of the variables that its copy takes the values of."""

_NUMBER = re.compile(r"_\d+\Z")


def stem(name: str) -> str:
    """A function's name without the number that TensorFlow counts its traces by: ``__inference_f`` of ``__inference_f_12``."""
    return _NUMBER.sub("", name)


def specialized_from(name: str) -> str:
    """The function of which freezing made ``name``, which takes values where that takes variables; empty if it made none."""
    before, made, _ = name.rpartition(_SPECIALIZED)
    return before if made else ""


def match_functions(a: Mapping[str, Function], b: Mapping[str, Function]) -> dict[str, str]:
    """Function of ``a`` -> function of ``b``."""
    found = {name: name for name in a if name in b}
    found |= {source: name for name in b if (source := specialized_from(name)) in a and source not in found}
    found |= {name: source for name in a if (source := specialized_from(name)) in b and source not in found.values()}
    for key in (_number_nodes, _content):
        taken = set(found.values())
        ones = _groups((f for name, f in a.items() if name not in found), key)
        others = _groups((f for name, f in b.items() if name not in taken), key)
        for value, names in ones.items():
            if len(names) == len(others.get(value, ())):
                found.update(zip(names, others[value]))
    return found


def _groups(functions: Iterable[Function], key: Callable[[Function], object]) -> dict[object, list[str]]:
    groups: defaultdict[object, list[str]] = defaultdict(list)
    for function in functions:
        groups[key(function)].append(function.name)
    return groups


def _number_nodes(function: Function) -> object:
    return stem(function.name), _content(function)


def _content(function: Function) -> object:
    """Types and ops; calls of other functions are not followed."""
    signature = function.signature
    ops = sorted(stem(op) for op in function.ops)
    return (
        tuple(argument.type for argument in signature.input_arg),
        tuple(argument.type for argument in signature.output_arg),
        tuple(ops),
    )


def gradient_differences(a: Graph, b: Graph, matched: Mapping[str, str]) -> Iterator[Difference]:
    """Functions for which the libraries name another gradient.

    Args:
        matched: function of ``a`` -> function of ``b``.
    """
    ones = {matched.get(g.function_name, g.function_name): g.gradient_func for g in a.header.library.gradient}
    others = {g.function_name: g.gradient_func for g in b.header.library.gradient}
    for name in sorted({*ones, *others}):
        before, after = ones.get(name, ""), others.get(name, "")
        if matched.get(before, before) != after:
            detail = f"gradient: {before or 'none'} -> {after or 'none'}"
            yield Difference(Section.FUNCTIONS, Change.CHANGED, name, detail)
