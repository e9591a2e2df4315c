"""The pages of the documentation, and the directory in which a reader follows one."""

from __future__ import annotations

from pathlib import Path

from tests.support.documents.blocks import blocks_of

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
MNIST = ROOT.parent / "shared" / "mnist"
"""MNIST's files, which pages call ``mnist/``; the repository does not have them."""


def page_id(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def needs_mnist(page: Path) -> bool:
    """Whether a step of the page reads ``mnist/``."""
    runnable = (block for block in blocks_of(page.read_text("utf-8")) if block.language in ("console", "python"))
    return any("mnist/" in block.text for block in runnable)


def set_up(directory: Path) -> Path:
    """Make ``directory`` look like the root of the repository to what a page reads."""
    (directory / "fixtures").symlink_to(ROOT / "fixtures")
    (directory / "docs").symlink_to(DOCS)
    if MNIST.is_dir():
        (directory / "mnist").symlink_to(MNIST)
    return directory
