"""Hints that Python and the command line word differently.

The library names options after its own arguments. A hint or a note that mentions one holds it as an :class:`Option`, and a call
of a function as a :class:`Call`. ``str()`` formats them for Python; the command line formats them as they are typed
(:mod:`graphscope.cli.terminal.wording`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from graphscope.named_tuple import NamedTuple

_LISTS = frozenset({"at", "inputs", "outputs", "tags", "unfreeze"})
"""Arguments that take a list of names."""

_MAPPINGS = frozenset({"bind", "feeds", "map", "set", "shape"})
"""Arguments that take a mapping; as text, ``NAME=VALUE``."""

_NUMBERS = frozenset({"atol", "batch", "classes", "learning_rate", "multilabel", "port", "rtol", "task", "timeout"})

_HOLDERS = {
    **dict.fromkeys(("cache", "only_classes", "schema", "size"), "reading=graphscope.DataOptions"),
    **dict.fromkeys(("mean", "scale"), "scaling=graphscope.Scaling"),
    **dict.fromkeys(("devices", "soft_placement"), "session=graphscope.SessionOptions"),
    "clear_devices": "placing=graphscope.Placing",
}
"""Arguments that are fields of one that holds several."""


class Option(NamedTuple):
    """An argument of a public function.

    Attributes:
        name: the argument.
        value: an example value; ``True`` and ``False`` switch it on and off, ``None`` only names the option.
    """

    name: str
    value: str | bool | None = None

    def __str__(self) -> str:
        """As Python code: ``overwrite=True``, ``outputs=["NAME"]``, ``set={"NAME": VALUE}``."""
        return _python((self,))


class Options(NamedTuple):
    """Several arguments, and several items of the same list or mapping.

    Attributes:
        options: one for each item.
    """

    options: tuple[Option, ...]

    def __str__(self) -> str:
        """As Python code: ``inputs=["A", "B"]``."""
        return _python(self.options)


class Call(NamedTuple):
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
        given = [*map(_quote, self.arguments), *([_python(self.options)] if self.options else [])]
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

Part = str | Option | Options | Call


class Advice:
    """Text with options and calls; equal to its Python form."""

    __slots__ = ("parts",)

    def __init__(self, *parts: Part) -> None:
        self.parts = parts

    def word_for(self, word: Callable[[Option | Options | Call], str]) -> str:
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


def _python(options: Iterable[Option]) -> str:
    """Arguments as Python code; items of one list or mapping stand together."""
    values: dict[str, list[str | bool | None]] = {}
    for option in options:
        values.setdefault(option.name, []).append(option.value)
    return ", ".join(_argument(name, given) for name, given in values.items())


def _argument(name: str, values: list[str | bool | None]) -> str:
    if None in values:
        return name
    code = f"{name}={_literal(name, [value for value in values if value is not None])}"
    return f"{_HOLDERS[name]}({code})" if name in _HOLDERS else code


def _literal(name: str, values: list[str | bool]) -> str:
    texts = [str(value) for value in values]
    if name in _LISTS:
        return f"[{', '.join(map(_quote, texts))}]"
    if name in _MAPPINGS:
        return f"{{{', '.join(_item(name, text) for text in texts)}}}"
    if name == "devices":
        return f"{{{', '.join(_item(name, text.replace(':', '=')) for text in texts)}}}"
    if name in ("only_classes", "size"):
        return _tuple(texts[0].replace("x", ","), quoted=name == "only_classes")
    return texts[0] if isinstance(values[0], bool) or name in _NUMBERS else _quote(texts[0])


def _item(name: str, text: str) -> str:
    key, _, content = text.partition("=")
    return f"{_quote(key)}: {_tuple(content) if name == 'shape' else _content(content)}"


def _tuple(text: str, *, quoted: bool = False) -> str:
    """``(None, 224)`` for ``?,224``."""
    parts = [
        part if part == "..." else _quote(part) if quoted else part.replace("?", "None") for part in text.split(",")
    ]
    return f"({', '.join(parts)}{',' * (len(parts) == 1)})"


def _content(text: str) -> str:
    """A value as typed on the command line, as Python code; a word in capitals is left for the reader to replace."""
    if text in ("", "..."):
        return "..."
    if text in ("true", "false"):
        return text.title()
    is_code = text.isupper() or text[:1] in "[-.0123456789"
    return text if is_code else _quote(text)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
