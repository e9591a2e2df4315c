"""A Griffe extension: docstrings are written in Sphinx' inline markup, the site in Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

import graphscope

ROLE = re.compile(r":(?:class|func|meth|data|mod|attr):`~?([^`]+)`")
LITERAL = re.compile(r"(?<!:)::$", re.MULTILINE)
"""What announces an indented block of code; Markdown needs no more than the indentation."""


SHARED = re.compile(r"^(?P<indent> +)(?P<names>\w+(?:, \w+)+): (?P<text>.*(?:\n(?P=indent) +.*)*)$", re.MULTILINE)
"""Several attributes or exceptions with one description."""


def markdown(text: str) -> str:
    """``text`` with roles as code or links, a description for each name, and without the marks of literal blocks."""
    return ROLE.sub(_code, SHARED.sub(_each, LITERAL.sub("", text)))


def _each(shared: re.Match[str]) -> str:
    return "\n".join(f"{shared['indent']}{name}: {shared['text']}" for name in shared["names"].split(", "))


def _code(role: re.Match[str]) -> str:
    name = role[1]
    is_listed = name.removeprefix("graphscope.") in graphscope.__all__ and name.startswith("graphscope.")
    return f"[`{name}`][{name}]" if is_listed else f"`{name}`"


class Docstrings(griffe.Extension):
    """Turns the docstring of every object into Markdown as it is collected."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:  # noqa: ARG002 - the signature is Griffe's
        """Called for each module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)
