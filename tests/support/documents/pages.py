"""The pages of the documentation, and the directory in which a reader follows one."""

from __future__ import annotations

from pathlib import Path

from tests.support.documents.blocks import steps_of
from tests.support.zoo_files import MNIST, ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def needs_mnist(page: Path) -> bool:
    """Whether a step of the page reads ``mnist/``."""
    return any("mnist/" in step.source for step in steps_of(page))


def set_up(directory: Path) -> Path:
    """Make ``directory`` look like the root of the repository to what a page reads."""
    (directory / "fixtures").symlink_to(ROOT / "fixtures")
    (directory / "docs").symlink_to(DOCS)
    if MNIST.is_dir():
        (directory / "mnist").symlink_to(MNIST)
    return directory
