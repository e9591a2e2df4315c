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
        Step("python", "".join(cell["source"]), _printed(cell), number, number, "")
        for number, cell in enumerate(_content(notebook)["cells"])
        if cell["cell_type"] == "code"
    ]


def store(notebook: Path, outputs: Sequence[tuple[Step, list[str]]]) -> None:
    """Write what the cells print into the notebook, as if it had been run from the top."""
    content = _content(notebook)
    for count, (step, lines) in enumerate(outputs, 1):
        text = [f"{line}\n" for line in lines]
        printed = [{"name": "stdout", "output_type": "stream", "text": text}] if text else []
        content["cells"][step.line] |= {"execution_count": count, "outputs": printed}
    notebook.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _content(notebook: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(notebook.read_text("utf-8"))
    return content


def _printed(cell: dict[str, Any]) -> list[str]:
    return [line.rstrip("\n") for output in cell["outputs"] for line in output["text"]]
