"""Hints that Python and the command line word differently.

The library names options after its own arguments. A hint or a note that mentions one holds it as an :class:`Option`, and a call
of a function as a :class:`Call`. ``str()`` formats them for Python; the command line formats them as they are typed
(:mod:`graphscope.cli.terminal.wording`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_LISTS = frozenset({"at", "inputs", "outputs", "tags", "unfreeze"})
"""Arguments that take a list of names."""

_MAPPINGS = frozenset({"bind", "feeds", "set"})
"""Arguments that take a mapping; as text, ``NAME=VALUE``."""

_NUMBERS = frozenset({"classes", "learning_rate", "multilabel", "port", "task", "timeout"})


@dataclass(frozen=True, slots=True)
class Option:
    """An argument of a public function.

    Attributes:
        name: the argument.
        value: an example value; ``True`` and ``False`` switch it on and off, ``None`` only names the option.
    """

    name: str
    value: str | bool | None = None

    def __str__(self) -> str:
        """As Python code: ``overwrite=True``, ``outputs=["NAME"]``, ``set={"NAME": VALUE}``."""
        if self.value is None:
            return self.name
        return f"{self.name}={self._literal(self.value)}"

    def _literal(self, value: str | bool) -> str:
        if isinstance(value, bool) or self.name in _NUMBERS:
            return str(value)
        if self.name in _LISTS:
            return f"[{_quote(value)}]"
        if self.name in _MAPPINGS:
            name, _, content = value.partition("=")
            return f"{{{_quote(name)}: {content or '...'}}}"
        return _quote(value)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a public function.

    Attributes:
        function: its name, which is also that of the command.
        arguments: paths and names in order.
        options: further options.
    """

    function: str
    arguments: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()

    def __str__(self) -> str:
        """As Python code."""
        if self.function in _WITHOUT_FUNCTION:
            return _WITHOUT_FUNCTION[self.function].format(*map(_quote, self.arguments[:1]))
        given = [*map(_quote, self.arguments), *map(str, self.options)]
        return f"graphscope.{self.function}({', '.join(given)})"


_WITHOUT_FUNCTION = {
    "board": "tensorboard --logdir {}",
    "nodes": "graphscope.load({}).graph",
    "show": "graphscope.load({})[NAME]",
    "vars": "graphscope.load({}).variables",
}
"""The Python equivalents of commands that show the content of a :class:`graphscope.Model`."""

SAVED_MODEL = Call("convert", ("MODEL", "saved_model/"))
"""The conversion that keeps variables, tables and assets, which a frozen graph cannot hold."""

Part = str | Option | Call


class Advice:
    """Text with options and calls; equal to its Python form."""

    __slots__ = ("parts",)

    def __init__(self, *parts: Part) -> None:
        self.parts = parts

    def word_for(self, word: Callable[[Option | Call], str]) -> str:
        """The text, with options and calls formatted by ``word``."""
        return "".join(part if isinstance(part, str) else word(part) for part in self.parts)

    def __str__(self) -> str:
        return self.word_for(str)

    def __repr__(self) -> str:
        return f"Advice({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Advice) and other.parts == self.parts

    def __hash__(self) -> int:
        return hash(self.parts)


def join_options(separator: str, options: list[Option]) -> tuple[Part, ...]:
    """``options`` with ``separator`` between them, as parts of an :class:`Advice`."""
    parts: list[Part] = []
    for option in options:
        parts += [separator, option] if parts else [option]
    return tuple(parts)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
