"""Notebooks as pages: each code cell is a step, and what it prints is stored in the notebook (nbformat 4.5)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.support.documents.blocks import Step


def cells_of(notebook: Path) -> list[Step]:
    """The code cells, in order; ``line`` and ``output`` are the number of the cell."""
    return [
        Step("python", "".join(cell["source"]), _printed(cell), number, number, "", _displayed(cell))
        for number, cell in enumerate(_content(notebook)["cells"])
        if cell["cell_type"] == "code"
    ]


def store(notebook: Path, outputs: Sequence[tuple[Step, list[str], str | None]]) -> None:
    """Write what the cells print, and show as HTML, into the notebook, as if it had been run from the top."""
    content = _content(notebook)
    for count, (step, lines, html) in enumerate(outputs, 1):
        made: list[dict[str, Any]] = []
        if lines:
            made.append({"name": "stdout", "output_type": "stream", "text": [f"{line}\n" for line in lines]})
        if html is not None:
            data = {"text/html": html.splitlines(keepends=True)}
            made.append({"data": data, "execution_count": count, "metadata": {}, "output_type": "execute_result"})
        content["cells"][step.line] |= {"execution_count": count, "outputs": made}
    notebook.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _content(notebook: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(notebook.read_text("utf-8"))
    return content


def _printed(cell: dict[str, Any]) -> list[str]:
    return [line.rstrip("\n") for output in cell["outputs"] for line in output.get("text", [])]


def _displayed(cell: dict[str, Any]) -> str | None:
    shown = ["".join(output["data"]["text/html"]) for output in cell["outputs"] if "data" in output]
    return shown[0] if shown else None
