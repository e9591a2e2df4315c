"""A drawing as a page: one file that needs no network, lays out opened scopes, and runs only its own script.

The content of a file reaches the page only as data: JSON in an element that no browser executes, shown through ``textContent``.
The content security policy names the script and the style sheet by their hashes and allows nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from graphscope.analysis.detail import attr_text
from graphscope.core.graph import Node
from graphscope.core.hostile import escape
from graphscope.core.ops.sets import NEXT_ITERATIONS
from graphscope.drawing import arrange, measure, texts
from graphscope.drawing.boxes import Box
from graphscope.drawing.colors import Coloring
from graphscope.drawing.diagram import Diagram
from graphscope.drawing.layered import layout, order
from graphscope.drawing.theme import DARK, LIGHT, Theme, change_rules, rules, variables
from graphscope.drawing.writers.svg import xml

SCRIPTS = ("layout.js", "arrange.js", "pane.js", "changes.js", "page.js")
LONGEST_ATTRIBUTE = 200
"""Maximum length of an attribute's text."""
_CONSTANTS: dict[Any, Sequence[str]] = {
    texts: ("REGULAR", "BOLD", "FIRST", "OTHER", "WIDE"),
    measure: (
        *("TITLE_SIZE", "SMALL_SIZE", "WIDEST_TITLE", "WIDEST_LINE", "WIDEST_TENSOR", "PAD", "LEAST", "TITLE_HEIGHT"),
        *("SUBTITLE_HEIGHT", "LINE_HEIGHT", "LINES_PAD", "COLUMN_GAP"),
    ),
    layout: ("GAP", "ROW_GAP", "BEND", "WIDEST", "MAX_BENDS", "PARTS_GAP"),
    order: ("SWEEPS", "PATIENCE"),
    arrange: (
        *(
            "INSET",
            "TITLE_BAR",
            "TENSOR_HEIGHT",
            "APART_GAP",
            "APART_TITLE",
            "APART_LABEL",
            "APART_HEIGHT",
            "STACK_GAP",
        ),
        *("PORT", "MAX_PORTS", "SPREAD"),
    ),
}
"""The constants that both implementations of the layout share, by module."""


@dataclass(frozen=True, slots=True)
class Pane:
    """One graph on a page.

    Attributes:
        diagram: its diagram.
        colorings: the available ones, the first one selected; the same number in each pane.
        is_open: the scopes that are initially open.
        root: the scope to show.
        partners: place of a node -> that of the node in the other pane that it is compared with, -1 if there is none.
    """

    diagram: Diagram
    colorings: Sequence[Coloring]
    is_open: Callable[[Box], bool]
    root: Box
    partners: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One line of the list beside two graphs that are compared.

    Attributes:
        section: its heading.
        change: its color class.
        name, detail: its texts; either may be empty.
        places: the node that it is about, in each pane; -1 if there is none.
    """

    section: str
    change: str
    name: str
    detail: str
    places: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Changes:
    """The result of a comparison: a sentence, and a line for each difference."""

    summary: str
    rows: Sequence[ChangeRow]


def page(title: str, panes: Sequence[Pane], changes: Changes | None = None) -> str:
    """The file's text.

    Args:
        panes: one graph, or two that are compared.
        changes: of two graphs: the differences.
    """
    script = "".join(_part(name) for name in SCRIPTS)
    style = _style()
    policy = f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'"
    data = _json(_page_data(title, panes, changes))
    return _part("page.html").format(
        policy=f"{policy}; base-uri 'none'; form-action 'none'",
        title=xml(escape(title)),
        style=style,
        data=data,
        script=script,
    )


def _part(name: str) -> str:
    return resources.files("graphscope.drawing").joinpath("page").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _style() -> str:
    dark = ":root:not([data-theme=light])"
    return "\n".join(
        [
            f":root {{ color-scheme: light dark; {variables(LIGHT)} }}",
            _rules(LIGHT),
            f"@media (prefers-color-scheme: dark) {{ {dark} {{ {variables(DARK)} }}",
            _rules(DARK, f"{dark} ") + "}",
            f":root[data-theme=dark] {{ color-scheme: dark; {variables(DARK)} }}",
            ":root[data-theme=light] { color-scheme: light }",
            _rules(DARK, ":root[data-theme=dark] "),
            _part("page.css"),
        ]
    )


def _rules(theme: Theme, within: str = "") -> str:
    return rules(theme, within) + change_rules(theme, within)


def _json(data: object) -> str:
    """JSON that cannot end the enclosing element."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


class _Table:
    """Interned values: each distinct value once."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._known: dict[Hashable, int] = {}

    def number(self, key: Hashable, make: Callable[[], Any]) -> int:
        """The number of the value for ``key``; ``make`` creates it on first use."""
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = len(self.rows)
            self.rows.append(make())
        return known


def _page_data(title: str, panes: Sequence[Pane], changes: Changes | None) -> dict[str, object]:
    constants = {name: getattr(module, name) for module, names in _CONSTANTS.items() for name in names}
    return {
        "title": escape(title),
        "constants": constants | {"NEXT_ITERATIONS": sorted(NEXT_ITERATIONS)},
        "panes": [_pane(pane) for pane in panes],
        "changes": None if changes is None else {"summary": changes.summary, "rows": list(map(_row, changes.rows))},
    }


def _row(row: ChangeRow) -> list[object]:
    return [row.section, row.change, escape(row.name), escape(row.detail), *row.places]


def _pane(pane: Pane) -> dict[str, object]:
    diagram, root, is_open = pane.diagram, pane.root, pane.is_open
    graph = diagram.graph
    nodes = [graph.nodes[number] for number in diagram.nodes]
    ops, outputs, lines, attributes, devices = (_Table() for _ in range(5))
    kinds = [
        ops.number(diagram.op(box.first), lambda box=box: escape(diagram.op(box.first)))  # type: ignore[misc]
        if box.node >= 0
        else -2
        if box.is_series
        else -1
        for box in diagram.boxes
    ]
    hidden = range(diagram.visible, len(nodes))
    return {
        "title": escape(diagram.title),
        "visible": diagram.visible,
        "labels": [escape(box.label) for box in diagram.boxes],
        "levels": [box.level for box in diagram.boxes],
        "kinds": kinds,
        "names": _odd_names(diagram),
        "root": root.number,
        "open": [box.number for box in diagram.boxes if box.node < 0 and box is not root and is_open(box)],
        "outside": [box.number for box in diagram.boxes if box.is_outside],
        "hosts": [diagram.hosts[place] for place in hidden],
        "hiddenNames": [escape(nodes[place].name) for place in hidden],
        "hiddenOps": [_op(ops, nodes[place].op) for place in hidden],
        "ops": ops.rows,
        "hubs": sorted(diagram.hubs),
        "counts": [len(found) for found in diagram.inputs],
        "sources": [place - source for place, found in enumerate(diagram.inputs) for source, _ in found],
        "slots": _sparse(slot for found in diagram.inputs for _, slot in found),
        "outputs": [outputs.number(found, lambda found=found: found) for found in diagram.outputs],  # type: ignore[misc]
        "outputTable": outputs.rows,
        "lines": [_lines(lines, found) for found in diagram.lines],
        "lineTable": lines.rows,
        "attributes": [_attributes(attributes, node) for node in nodes],
        "attributeTable": attributes.rows,
        "deviceOf": [devices.number(node.device, lambda node=node: escape(node.device)) for node in nodes],  # type: ignore[misc]
        "devices": devices.rows,
        "parameters": _sparse(b - a for a, b in zip(diagram.parameters, diagram.parameters[1:])),
        "colorings": [_coloring(coloring) for coloring in pane.colorings],
        "partners": list(pane.partners),
    }


def _op(ops: _Table, op: str) -> int:
    return ops.number(op, lambda: escape(op))


def _lines(lines: _Table, found: list[tuple[str, str]]) -> int:
    return lines.number(tuple(found), lambda: [[escape(label), escape(text)] for label, text in found])


def _sparse(numbers: Iterable[int]) -> dict[int, int]:
    return {place: number for place, number in enumerate(numbers) if number}


def _odd_names(diagram: Diagram) -> dict[int, str]:
    """The names of boxes that differ from the enclosing scope plus label."""
    outer: list[str] = [""] * len(diagram.boxes)
    result: dict[int, str] = {}
    for box in diagram.boxes:
        around = outer[box.number]
        plain = f"{around}/{box.label}" if around else box.label
        if not box.is_series and box.level and box.name != plain:
            result[box.number] = escape(box.name)
        name = around if box.is_series else box.name
        for child in box.children:
            outer[child.number] = name
    return result


def _attributes(table: _Table, node: Node) -> int:
    names = sorted(node.attrs)
    key = tuple(
        (name, node.payloads[name] if name in node.payloads else node.attrs[name].SerializeToString()) for name in names
    )
    return table.number(
        key, lambda: [[escape(name), escape(attr_text(node, name)[:LONGEST_ATTRIBUTE])] for name in names]
    )


def _coloring(coloring: Coloring) -> dict[str, object]:
    classes = list(dict.fromkeys(coloring.colors))
    number = {name: place for place, name in enumerate(classes)}
    return {
        "title": coloring.title,
        "classes": classes,
        "colors": [number[color] for color in coloring.colors],
        "legend": [[swatch.color, swatch.label] for swatch in coloring.legend],
        "amounts": coloring.amounts,
    }
