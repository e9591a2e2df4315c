"""``x=image/encoded,y=image/class/label``: the roles of arrays, or of features of an example."""

from __future__ import annotations

from graphscope.advice import Advice, Option
from graphscope.errors import GraphscopeError

PARTS = ("x", "y", "key")
"""Inputs, labels, and (if wanted) the name that an example goes by."""


def parse_schema(text: str) -> dict[str, str]:
    """Part -> name.

    Raises:
        GraphscopeError: the text is not a schema, has an unknown part, or lacks ``x`` or ``y``.
    """
    pairs = [item.partition("=") for item in text.split(",")]
    found = {part.strip(): name.strip() for part, _, name in pairs}
    is_one = all(part.strip() in PARTS and name.strip() for part, _, name in pairs)
    if not is_one or not {"x", "y"} <= found.keys() or len(found) != len(pairs):
        raise GraphscopeError(
            f"{text!r} is not a schema",
            hint=Advice(Option("schema", "x=NAME,y=NAME"), "   names inputs and labels; key=NAME may follow"),
        )
    return found
