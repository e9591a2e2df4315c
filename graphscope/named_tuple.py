"""``typing.NamedTuple`` without its check of annotations, which compiles every one that is a text.

In a module with ``from __future__ import annotations`` all of them are. On the way to ``info`` there are two hundred, and
compiling them takes a twentieth of its time. Type checkers are told that this is ``typing.NamedTuple``, and check them.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class _Maker(type):
        """Makes a named tuple of a class's annotations, and gives it what else the class defines."""

        def __new__(cls, name: str, _: tuple[type, ...], body: dict[str, Any]) -> type:
            fields = body.get("__annotations__", {})
            defaults = [body.pop(field) for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body.pop("__module__"))
            for key, value in body.items():
                setattr(made, key, value)
            return made

    NamedTuple = type.__new__(_Maker, "NamedTuple", (), {})

__all__ = ["NamedTuple"]
