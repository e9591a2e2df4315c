"""The part of the schema of SARIF 2.1.0 that graphscope's logs use, to check them without a network.

Source: OASIS ``sarif-schema-2.1.0.json``: what each object must have, what it may have, and of which kind that is. Other
properties are allowed within ``properties`` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_LEVEL = ("none", "note", "warning", "error")
_OBJECTS: dict[str, tuple[frozenset[str], dict[str, Any]]] = {
    "log": (frozenset({"version", "runs"}), {"$schema": str, "version": ("2.1.0",), "runs": ["run"]}),
    "run": (
        frozenset({"tool"}),
        {
            "tool": "tool",
            "columnKind": ("utf16CodeUnits", "unicodeCodePoints"),
            "invocations": ["invocation"],
            "results": ["result"],
        },
    ),
    "tool": (frozenset({"driver"}), {"driver": "component"}),
    "component": (frozenset({"name"}), {"name": str, "semanticVersion": str, "rules": ["descriptor"]}),
    "descriptor": (frozenset({"id"}), {"id": str, "shortDescription": "text", "properties": dict}),
    "text": (frozenset({"text"}), {"text": str}),
    "invocation": (
        frozenset({"executionSuccessful"}),
        {"executionSuccessful": bool, "toolExecutionNotifications": ["notification"]},
    ),
    "notification": (frozenset({"message"}), {"level": _LEVEL, "message": "text"}),
    "result": (
        frozenset({"message"}),
        {
            "ruleId": str,
            "ruleIndex": int,
            "level": _LEVEL,
            "message": "text",
            "locations": ["location"],
            "properties": dict,
        },
    ),
    "location": (frozenset(), {"physicalLocation": "physical", "logicalLocations": ["logical"]}),
    "physical": (frozenset({"artifactLocation"}), {"artifactLocation": "artifact"}),
    "artifact": (frozenset(), {"uri": str}),
    "logical": (frozenset(), {"fullyQualifiedName": str, "name": str}),
}


def violations(value: Any, kind: Any = "log", place: str = "") -> Iterator[str]:
    """Where ``value`` is not what the schema says."""
    if isinstance(kind, list):
        yield from (found for i, item in enumerate(value) for found in violations(item, kind[0], f"{place}[{i}]"))
    elif isinstance(kind, tuple):
        if value not in kind:
            yield f"{place}: {value!r}"
    elif isinstance(kind, type):
        if type(value) is not kind:
            yield f"{place}: {value!r} is no {kind.__name__}"
    else:
        required, known = _OBJECTS[kind]
        yield from (f"{place}: {name} is missing" for name in required - value.keys())
        for name, inner in value.items():
            if name not in known:
                yield f"{place}: {name} is not known"
            else:
                yield from violations(inner, known[name], f"{place}.{name}")
