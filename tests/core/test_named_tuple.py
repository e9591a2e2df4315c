"""``graphscope.named_tuple``: what ``typing.NamedTuple`` gives, at less cost."""

from __future__ import annotations

import pickle
import re
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import graphscope
from graphscope.named_tuple import NamedTuple

if TYPE_CHECKING:
    from decimal import Decimal


class Ours(NamedTuple):
    """A record."""

    name: str
    price: Decimal
    sizes: tuple[int, ...] = ()
    is_new: bool = False

    @property
    def label(self) -> str:
        """The name."""
        return self.name.upper()

    @classmethod
    def of(cls, name: str) -> Ours:
        """One without a price."""
        return cls(name, typing.cast("Decimal", 0))

    def __str__(self) -> str:
        return self.label


class Theirs(typing.NamedTuple):
    """A record."""

    name: str
    price: Decimal
    sizes: tuple[int, ...] = ()
    is_new: bool = False


def test_a_record_is_what_typing_makes() -> None:
    for ask in (
        lambda cls: (cls._fields, cls._field_defaults, cls.__doc__, cls.__module__, cls.__bases__, cls.__slots__),
        lambda cls: (cls("a", 1), cls("a", price=2, is_new=True)._asdict(), cls._make("abcd")._replace(name="e")),
        lambda cls: repr(cls("a", 1)).replace(cls.__name__, ""),
        lambda cls: set(cls.__annotations__),
        lambda cls: pickle.loads(pickle.dumps(cls("a", 1, (2,)))),
    ):
        question: Any = ask
        assert question(Ours) == question(Theirs)


def test_a_record_has_what_its_class_defines() -> None:
    found = Ours.of("a")
    assert (found.label, str(found), f"{found}") == ("A", "A", "A")
    assert Ours.__qualname__ == "Ours"
    assert isinstance(found, tuple)


def test_no_module_has_its_annotations_compiled() -> None:
    """A frozen dataclass takes longer still, but none is made before a small model has been summarized."""
    root = Path(graphscope.__file__).parent
    texts = {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in root.rglob("*.py")}
    imports = re.compile(r"^from typing import [^\n]*\bNamedTuple\b|\btyping\.NamedTuple\)", re.MULTILINE)
    assert [name for name, text in texts.items() if imports.search(text)] == []
