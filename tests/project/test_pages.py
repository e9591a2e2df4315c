"""What README and documentation tell to type runs, and prints what they show."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

import pytest

from tests.support.documents.blocks import Step, blocks_of, steps_of
from tests.support.documents.notebooks import cells_of
from tests.support.documents.pages import NOTEBOOKS, PAGES, page_id, set_up
from tests.support.documents.reader import Reader
from tests.support.zoo_files import MNIST

pytestmark = pytest.mark.slow

RUNNABLE = {"console", "python"}
OTHERS = {"sh", "text", "yaml"}
"""What sets a machine up, and what is shown."""


def steps(page: Path) -> list[Step]:
    return cells_of(page) if page.suffix == ".ipynb" else steps_of(page)


def reads_mnist(step: Step) -> bool:
    return "mnist/" in step.source


@pytest.mark.parametrize("page", [page for page in [*PAGES, *NOTEBOOKS] if steps(page)], ids=page_id)
def test_a_page_shows_what_happens(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHSCOPE_CACHE", str(tmp_path / ".cache"))
    reader = Reader(set_up(tmp_path))
    possible = list(takewhile(lambda step: MNIST.is_dir() or not reads_mnist(step), steps(page)))
    complaints = [
        f"{page_id(page)}:{step.line + 1}: {step.source}\n{complaint}"
        for step in possible
        if (complaint := reader.complaint(step))
    ]
    assert not complaints, "\n\n".join(complaints)
    if len(possible) < len(steps(page)):
        pytest.skip("MNIST is not beside the project (mnist/ in shared/); the steps before it ran")


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_no_command_stands_where_it_is_not_run(page: Path) -> None:
    others = [block for block in blocks_of(page) if block.language not in RUNNABLE]
    assert {block.language for block in others} <= OTHERS
    assert not [line for block in others for line in block.lines if re.match(r"\s*(?:\$ )?graphscope \w", line)]
