"""Texts that make a regular expression slow, made from the expression itself.

Whatever backtracks for longer than linear time does so in one of these ways: two neighbouring repetitions share a character, a
repetition repeats itself, or a search starts anew within what the last attempt has read.
"""

from __future__ import annotations

import ast
import functools
import importlib
import itertools
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import graphscope
from graphscope.core.patterns import NamePattern
from graphscope.core.patterns import Pattern as LazyPattern

if sys.version_info >= (3, 11):
    from re import _constants as ops
    from re import _parser as parser
else:
    import sre_constants as ops
    import sre_parse as parser

Pattern = re.Pattern[Any]

_MAX_SAMPLES = 24
"""Of a part of an expression; alternatives multiply."""

_CATEGORIES = {
    ops.CATEGORY_DIGIT: "0",
    ops.CATEGORY_NOT_DIGIT: "a",
    ops.CATEGORY_SPACE: " ",
    ops.CATEGORY_NOT_SPACE: "a",
    ops.CATEGORY_WORD: "a0_",
    ops.CATEGORY_NOT_WORD: "-",
}
_ANY = "a 0_/.\n"


def _choices(items: Any) -> str:
    """Some characters that a class takes."""
    negated = items and items[0][0] is ops.NEGATE
    taken = ""
    for kind, value in items[1:] if negated else items:
        if kind is ops.LITERAL:
            taken += chr(value)
        elif kind is ops.RANGE:
            taken += chr(value[0]) + chr(value[1])
        elif kind is ops.CATEGORY:
            taken += _CATEGORIES[value]
    if negated:
        return "".join(c for c in _ANY + "b-" if c not in taken) or "~"
    return taken


def _samples(parsed: Any) -> list[str]:
    """Short texts that a sequence matches."""
    found = [""]
    for item in parsed:
        options = _of_item(item)
        found = [a + b for a, b in itertools.islice(itertools.product(found, options), _MAX_SAMPLES)]
    return list(dict.fromkeys(found))


def _of_item(item: Any) -> list[str]:
    kind, value = item
    if kind is ops.LITERAL:
        return [chr(value)]
    if kind is ops.NOT_LITERAL:
        return [c for c in "a 0" if c != chr(value)]
    if kind is ops.ANY:
        return ["a"]
    if kind is ops.IN:
        return list(dict.fromkeys(_choices(value)))[:4]
    if kind is ops.BRANCH:
        return [sample for branch in value[1] for sample in _samples(branch)[:3]][:_MAX_SAMPLES]
    if kind is ops.SUBPATTERN:
        return _samples(value[-1])
    if kind in _REPEATS:
        low, _, body = value
        return [sample * max(low, 1) for sample in _samples(body)[:4]]
    if kind is getattr(ops, "ATOMIC_GROUP", None):
        return _samples(value)
    return [""]  # places, looks ahead and behind


_REPEATS = {ops.MAX_REPEAT, ops.MIN_REPEAT, getattr(ops, "POSSESSIVE_REPEAT", ops.MAX_REPEAT)}


def _pumps(parsed: Any, before: list[str]) -> Iterator[tuple[str, str]]:
    """What may stand before each unbounded repetition, and what it may repeat."""
    for item in parsed:
        kind, value = item
        if kind is ops.BRANCH:
            for branch in value[1]:
                yield from _pumps(branch, before)
        elif kind is ops.SUBPATTERN:
            yield from _pumps(value[-1], before)
        elif kind in (ops.ASSERT, ops.ASSERT_NOT):
            yield from _pumps(value[1], before)
        elif kind in _REPEATS:
            yield from _pumps(value[2], before)
            if value[1] is ops.MAXREPEAT or value[1] > 1000:
                yield from itertools.product(before[:6], _samples(value[2])[:8])
        before = [a + b for a, b in itertools.islice(itertools.product(before, _of_item(item)), _MAX_SAMPLES)]


def samples(pattern: Pattern) -> list[str]:
    """Short texts that ``pattern`` matches, of each alternative one at least."""
    parsed: Any = parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
    branches = (
        [branch for kind, value in parsed if kind is ops.BRANCH for branch in value[1]] if len(parsed) == 1 else []
    )
    return [sample for part in branches or [parsed] for sample in _samples(part)]


def texts(pattern: Pattern, size: int) -> Iterator[Any]:
    """Texts of about ``size`` characters (bytes for a pattern of bytes)."""
    source = pattern.pattern
    is_bytes = isinstance(source, bytes)
    parsed = parser.parse(source, pattern.flags & ~re.DEBUG)
    wholes = [s for s in _samples(parsed) if s]
    attacks = dict.fromkeys(itertools.chain(
        ((a, b) for a, b in _pumps(parsed, [""]) if b),
        (("", whole[:end]) for whole in wholes[:4] for end in range(1, len(whole) + 1)),
        (("", character) for character in " a0_/#\\\"\n"),
    ))  # fmt: skip
    for (prefix, pump), end in itertools.product(attacks, ("", "!", "\n!", "\0")):
        text = prefix + pump * (size // len(pump)) + end
        yield text.encode("latin-1", "replace") if is_bytes else text


# What there is to attack


@functools.cache
def compiled() -> dict[str, Pattern | NamePattern]:
    """Every expression of the package: those that a module holds, however deep, and those that are written in a call."""
    found: dict[str, Pattern | NamePattern] = {}
    for module in pkgutil.walk_packages(graphscope.__path__, "graphscope."):
        if module.name.endswith("__main__"):
            continue
        holder = importlib.import_module(module.name)
        for name, value in vars(holder).items():
            for place, pattern in _held(value, name, 0):
                found.setdefault(f"{module.name}.{place}", pattern)
    return found | dict(_written())


def _held(value: Any, place: str, depth: int) -> Iterator[tuple[str, Pattern | NamePattern]]:
    if isinstance(value, re.Pattern | NamePattern):
        yield place, value
    elif isinstance(value, LazyPattern):
        yield place, value.compiled
    elif isinstance(value, dict) and depth < 4:
        for key, inner in value.items():
            yield from _held(key, f"{place}.keys", depth + 1)
            yield from _held(inner, f"{place}[{key!r:.40}]", depth + 1)
    elif isinstance(value, list | tuple | set | frozenset) and depth < 4:
        for number, inner in enumerate(value):
            yield from _held(inner, f"{place}[{number}]", depth + 1)


_FUNCTIONS = {"match", "search", "fullmatch", "sub", "split", "findall", "finditer", "subn"}


def _written() -> Iterator[tuple[str, Pattern]]:
    root = Path(graphscope.__file__).parent
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
                continue
            is_re = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            first = node.args[0]
            if is_re and node.func.attr in _FUNCTIONS and isinstance(first, ast.Constant):
                yield f"{path.relative_to(root)} {node.func.attr} {first.value!r}", re.compile(first.value)


# How they are used

_USE = re.compile(r"\b(\w+)(?:\[[^\]\n]*\])?\.(fullmatch|match|search|sub|subn|split|finditer|findall)\b")
_ALL = ("match", "fullmatch", "search")


def _owned(module: str, name: str) -> str:
    """A name as all modules share it; a private one belongs to its module."""
    return f"{module}.{name}" if name.startswith("_") else name


def uses() -> dict[str, tuple[str, ...]]:
    """Place of an expression -> which methods it is called by: by its own name anywhere, or by any name in its module."""
    root = Path(graphscope.__file__).parent
    sources = {path: path.read_text("utf-8") for path in sorted(root.rglob("*.py"))}
    called: dict[str, set[str]] = {}
    inside: dict[str, set[str]] = {}
    for path, source in sources.items():
        module = ".".join(("graphscope", *path.relative_to(root).with_suffix("").parts)).removesuffix(".__init__")
        for name, method in _USE.findall(source):
            method = method if method in _ALL else "search"
            called.setdefault(_owned(module, name), set()).add(method)
            inside.setdefault(module, set()).add(method)
        for name, alias in re.findall(r"(\w+) = (\w+)\.(?:full)?match\b", source):
            called.setdefault(_owned(module, alias), set()).add("match")
            called.setdefault(_owned(module, name), set())
    result = {}
    for place in compiled():
        if ".py " in place:
            method = place.split()[1]
            result[place] = (method if method in _ALL else "search",)
            continue
        module, _, name = place.rpartition(".") if "[" not in place else place.partition("[")[0].rpartition(".")
        own = called.get(_owned(module, name)) if "[" not in place and "keys" not in place else None
        result[place] = tuple(sorted(own or inside.get(module) or _ALL))
    return result
