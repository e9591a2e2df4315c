"""Colors of pictures and pages, light and dark."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Theme:
    """Colors in CSS syntax.

    Attributes:
        paper, ink, faint: background, text, less prominent text.
        edge, control, back: lines: tensors, execution order, back edges of loops.
        scopes: fill of open scopes by level, in turn; ``scope_line`` is their frame.
        closed, closed_line: closed scopes.
        apart: frame of the column of training parts.
        panel, accent, shadow: of a page: background of controls, selection, shadow of floating parts.
        boxes: color class -> fill and frame.
        changes: the same for the differences of a comparison.
    """

    paper: str
    ink: str
    faint: str
    edge: str
    control: str
    back: str
    scopes: tuple[str, ...]
    scope_line: str
    closed: str
    closed_line: str
    apart: str
    panel: str
    accent: str
    shadow: str
    boxes: dict[str, tuple[str, str]]
    changes: dict[str, tuple[str, str]]


KIND_COLORS_LIGHT = {
    "layer": ("#dbe9fe", "#5b8def"),
    "activation": ("#fde3e6", "#e2677a"),
    "pooling": ("#d7f3ec", "#35a58c"),
    "normalization": ("#ece2fd", "#9068dc"),
    "arithmetic": ("#fff0d6", "#d99a2b"),
    "shape": ("#eceff3", "#8894a6"),
    "input": ("#dff5d8", "#58a53c"),
    "weight": ("#f7ead9", "#b58a4e"),
    "flow": ("#fbe1f3", "#cb5fa8"),
    "other": ("#f3f4f6", "#a0a8b5"),
}
KIND_COLORS_DARK = {
    "layer": ("#1d3458", "#6ea0f5"),
    "activation": ("#4d232c", "#ec8393"),
    "pooling": ("#16423a", "#52c4a9"),
    "normalization": ("#372756", "#ab8bea"),
    "arithmetic": ("#4a3714", "#e0ae50"),
    "shape": ("#2c333d", "#8f9bad"),
    "input": ("#24431b", "#7cc461"),
    "weight": ("#42331f", "#c9a06a"),
    "flow": ("#4b2340", "#dd83c0"),
    "other": ("#2a2f37", "#7c8695"),
}
CHANGE_COLORS_LIGHT = {
    "added": ("#d6f5dd", "#2b9348"),
    "removed": ("#fde0de", "#d1453b"),
    "changed": ("#fff0c4", "#c98a00"),
    "renamed": ("#e9e2fd", "#7c5ce0"),
    "explained": ("#dce9f7", "#5a86b8"),
}
CHANGE_COLORS_DARK = {
    "added": ("#17401f", "#56c271"),
    "removed": ("#4e2020", "#ef7d74"),
    "changed": ("#4a3a0c", "#e2b33c"),
    "renamed": ("#34285c", "#a88ff0"),
    "explained": ("#1f3550", "#7ba7d9"),
}
HEAT_LIGHT = ("#fff8e6", "#ffecc7", "#ffdca3", "#ffc783", "#ffad6b", "#fb9061")
HEAT_DARK = ("#3a3124", "#523f22", "#734d1f", "#955520", "#b85a26", "#d95f35")


def _boxes(
    kinds: dict[str, tuple[str, str]], heat: tuple[str, ...], line: str, plain: tuple[str, str]
) -> dict[str, tuple[str, str]]:
    numbered = {f"c{i}": color for i, color in enumerate(kinds.values())}
    scale = {f"h{i + 1}": (color, line) for i, color in enumerate(heat)}
    return {"plain": plain, **kinds, **numbered, **scale}


LIGHT = Theme(
    paper="#ffffff",
    ink="#1c2430",
    faint="#66707f",
    edge="#8592a3",
    control="#b9c1cc",
    back="#c2569b",
    scopes=("#f6f8fb", "#eef2f8", "#e7edf6", "#f1f4f9"),
    scope_line="#c5cedb",
    closed="#ffffff",
    closed_line="#93a0b3",
    apart="#d5dbe4",
    panel="#ffffff",
    accent="#2563eb",
    shadow="rgba(20, 30, 50, 0.16)",
    boxes=_boxes(KIND_COLORS_LIGHT, HEAT_LIGHT, "#b5703a", ("#ffffff", "#93a0b3")),
    changes=CHANGE_COLORS_LIGHT,
)
DARK = Theme(
    paper="#12161c",
    ink="#e6ebf2",
    faint="#98a3b3",
    edge="#6b7788",
    control="#465060",
    back="#dd83c0",
    scopes=("#181d25", "#1d232d", "#222a35", "#1b212a"),
    scope_line="#384251",
    closed="#242b36",
    closed_line="#5c687a",
    apart="#333c4a",
    panel="#1a2029",
    accent="#7aa8ff",
    shadow="rgba(0, 0, 0, 0.5)",
    boxes=_boxes(KIND_COLORS_DARK, HEAT_DARK, "#e39a5c", ("#242b36", "#5c687a")),
    changes=CHANGE_COLORS_DARK,
)


def rules(theme: Theme, within: str = "") -> str:
    """The CSS rules for the colors of a picture.

    Args:
        within: the selector to which the rules apply, followed by a space.
    """
    parts = [
        ("paper", f"fill: {theme.paper}"),
        ("name", f"fill: {theme.ink}"),
        ("title", f"fill: {theme.ink}"),
        ("small", f"fill: {theme.faint}"),
        ("tensor", f"fill: {theme.faint}"),
        ("halo", f"stroke: {theme.paper}"),
        ("edge", f"stroke: {theme.edge}"),
        ("control", f"stroke: {theme.control}"),
        ("loop", f"stroke: {theme.back}"),
        ("tip", f"fill: {theme.edge}"),
        ("loop-tip", f"fill: {theme.back}"),
        ("apart", f"stroke: {theme.apart}"),
        ("open", f"stroke: {theme.scope_line}"),
        ("rule", f"stroke: {theme.ink}"),
    ]
    parts += [(f"s{number}", f"fill: {color}") for number, color in enumerate(theme.scopes)]
    parts += [(f"t{number}", f"stroke: {color}") for number, color in enumerate(theme.scopes)]
    parts += [(name, f"fill: {fill}; stroke: {line}") for name, (fill, line) in theme.boxes.items()]
    parts.append(("scope", f"fill: {theme.closed}; stroke: {theme.closed_line}"))
    return "".join(f"{within}.{name} {{ {rule} }}\n" for name, rule in parts)


def change_rules(theme: Theme, within: str = "") -> str:
    """The CSS rules for a comparison: boxes by class, and lines of the list by the frame color of such a box."""
    return "".join(
        f"{within}.{name} {{ fill: {fill}; stroke: {line}; border-color: {line} }}\n"
        for name, (fill, line) in theme.changes.items()
    )


def variables(theme: Theme) -> str:
    """The same colors as CSS variables, for the surroundings of a picture on a page."""
    colors = {
        "paper": theme.paper,
        "ink": theme.ink,
        "faint": theme.faint,
        "line": theme.scope_line,
        "panel": theme.panel,
        "field": theme.scopes[0],
        "hover": theme.scopes[1],
        "accent": theme.accent,
        "shadow": theme.shadow,
    }
    return "; ".join(f"--{name}: {color}" for name, color in colors.items())
