"""The pages of the documentation, and the directory in which a reader follows one."""

from __future__ import annotations

from pathlib import Path

from tests.support.zoo_files import MNIST, ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
NOTEBOOKS = sorted(DOCS.rglob("*.ipynb"))


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def set_up(directory: Path) -> Path:
    """Make ``directory`` look like the root of the repository to what a page reads."""
    (directory / "fixtures").symlink_to(ROOT / "fixtures")
    (directory / "docs").symlink_to(DOCS)
    if MNIST.is_dir():
        (directory / "mnist").symlink_to(MNIST)
    return directory
