"""Small mutants of a Python module: one place of its source changed, the rest kept byte for byte."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

COMPARED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
SPELLED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}
ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.Div: ("/", "*"),
    ast.Mod: ("%", "//"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
OPPOSITE = {"min": "max", "max": "min", "any": "all", "all": "any"}
LEAVING = (ast.Raise, ast.Return, ast.Continue, ast.Break)
TEXT = (ast.JoinedStr, ast.List, ast.ListComp, ast.Tuple)


@dataclass(frozen=True, order=True)
class Mutant:
    """One changed place."""

    start: int
    """Where the text that changes begins, in characters."""
    end: int
    text: str
    """What stands there instead."""
    kind: str
    line: int = 0
    """The first line of the statement that changes, or of its head where it has a body; from 1."""
    last: int = 0
    inside: bool = True
    """Whether it runs when a function is called, not when the module is imported."""

    def apply(self, source: str) -> str:
        """The whole module, changed."""
        return source[: self.start] + self.text + source[self.end :]


class _Source:
    """Positions of syntax nodes in a text: ``ast`` counts lines and UTF-8 bytes."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.lines = text.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def at(self, line: int, column: int) -> int:
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.at(node.lineno, node.col_offset), self.at(node.end_lineno, node.end_col_offset)

    def part(self, node: ast.expr | ast.stmt) -> str:
        start, end = self.span(node)
        return self.text[start:end]

    def replace(self, node: ast.expr | ast.stmt, text: str, kind: str) -> Mutant:
        return Mutant(*self.span(node), text, kind)

    def between(self, left: ast.expr, right: ast.expr, old: str, new: str, kind: str) -> Iterator[Mutant]:
        """An operator replaced; nothing where a comment or a bracket in between hides it."""
        start, end = self.span(left)[1], self.span(right)[0]
        gap = self.text[start:end]
        if gap.count(old) == 1 and "#" not in gap:
            place = start + gap.index(old)
            yield Mutant(place, place + len(old), new, kind)


def mutants(text: str) -> list[Mutant]:
    """All mutants of a module in the order of its text, those left out that could change no behaviour that a test could see:
    annotations, decorators, docstrings, the wording of errors, and another negative number for a size that NumPy finds.
    """
    return [mutant for mutant in candidates(text) if _compiles(mutant.apply(text))]


def candidates(text: str) -> list[Mutant]:
    """As :func:`mutants`, with those that are no valid Python."""
    source, tree = _Source(text), ast.parse(text)
    open_sizes = {source.span(size)[0] for node in ast.walk(tree) for size in _open_sizes(node)}
    found = {
        replace(mutant, line=head.first, last=head.last, inside=head.inside)
        for head, node in _running(tree, _Head(1, 1, False))
        for rule in RULES
        for mutant in rule(source, node)
        if mutant.text != "2" or mutant.start not in open_sizes
    }
    return sorted(found)


def _open_sizes(node: ast.AST) -> Iterator[ast.expr]:
    """The 1 of each ``-1`` in a call of ``reshape``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "reshape":
        for size in node.args:
            if (
                isinstance(size, ast.UnaryOp)
                and isinstance(size.op, ast.USub)
                and isinstance(size.operand, ast.Constant)
            ):
                yield size.operand


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


@dataclass(frozen=True)
class _Head:
    """A statement without its body."""

    first: int
    last: int
    inside: bool

    def enter(self, node: ast.AST, inside: bool) -> _Head:
        """The head of ``node`` if it is a statement."""
        if not isinstance(node, ast.stmt):
            return replace(self, inside=inside)
        assert node.end_lineno is not None
        body = getattr(node, "body", None)
        return _Head(node.lineno, max(node.lineno, body[0].lineno - 1) if body else node.end_lineno, inside)


def _running(node: ast.AST, head: _Head) -> Iterator[tuple[_Head, ast.AST]]:
    """What runs below a node, each with the statement that it belongs to."""
    yield head, node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list") or isinstance(node, (ast.JoinedStr, ast.Assert)):
            continue
        inside = head.inside or (isinstance(node, (ast.FunctionDef, ast.Lambda)) and name == "body")
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _running(child, head.enter(child, inside))


def _conditions(source: _Source, node: ast.AST) -> Iterator[Mutant]:
    tests = [node.test] if isinstance(node, (ast.If, ast.While, ast.IfExp)) else getattr(node, "ifs", [])
    for test in tests:
        if not (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"):
            yield source.replace(test, f"not ({source.part(test)})", "negated condition")


def _comparisons(source: _Source, node: ast.AST) -> Iterator[Mutant]:
    if isinstance(node, ast.Compare):
        for left, op, right in zip([node.left, *node.comparators], node.ops, node.comparators):
            yield from source.between(left, right, SPELLED[type(op)], COMPARED[type(op)], "swapped comparison")


def _constants(source: _Source, node: ast.AST) -> Iterator[Mutant]:
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield source.replace(node, str(not node.value), "changed constant")
    elif isinstance(node.value, int):
        for value in (node.value - 1, node.value + 1):
            yield source.replace(node, f"({value})" if value < 0 else str(value), "off by one")


def _guards(source: _Source, node: ast.AST) -> Iterator[Mutant]:
    if isinstance(node, ast.If) and not node.orelse and isinstance(node.body[-1], LEAVING):
        yield source.replace(node, "pass", "dropped guard")


def _logic(source: _Source, node: ast.AST) -> Iterator[Mutant]:
    if isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:]):
            yield from source.between(left, right, old, new, "and/or swapped")
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield source.replace(node, f"({source.part(node.operand)})", "removed not")


def _sums(source: _Source, node: ast.AST) -> Iterator[Mutant]:
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        if any(isinstance(side, TEXT) or _is_text(side) for side in (node.left, node.right)):
            return
        yield from source.between(node.left, node.right, *ARITHMETIC[type(node.op)], "swapped operator")


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))


def _statements(source: _Source, node: ast.AST) -> Iterator[Mutant]:
    if (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)) or isinstance(node, ast.AugAssign):
        yield source.replace(node, "pass", "dropped statement")
    elif isinstance(node, ast.Break):
        yield source.replace(node, "continue", "break/continue swapped")
    elif isinstance(node, ast.Continue):
        yield source.replace(node, "break", "break/continue swapped")


def _opposites(source: _Source, node: ast.AST) -> Iterator[Mutant]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in OPPOSITE:
        yield source.replace(node.func, OPPOSITE[node.func.id], "opposite function")


Rule = Callable[[_Source, ast.AST], Iterator[Mutant]]
RULES: tuple[Rule, ...] = (
    _conditions,
    _comparisons,
    _constants,
    _guards,
    _logic,
    _sums,
    _statements,
    _opposites,
)
