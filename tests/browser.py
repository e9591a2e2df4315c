"""TensorBoard's pages in headless Chromium, as a person uses them: what is drawn is read off the page itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_TIMEOUT_MS = 60_000

_VISIBLE_TEXT = """element => {
  const found = [];
  const walk = node => {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = node.textContent.trim().replace(/\\s+/g, ' ');
      if (text) found.push(text);
      return;
    }
    if (['STYLE', 'SCRIPT', 'TEMPLATE'].includes(node.tagName)) return;
    if (node.nodeType === Node.ELEMENT_NODE && getComputedStyle(node).display === 'none') return;
    if (node.shadowRoot) walk(node.shadowRoot);
    node.childNodes.forEach(walk);
  };
  walk(element);
  return found;
}"""
"""The texts below an element in the order of the page, those in shadow roots too."""


@contextmanager
def chromium_page(width: int = 1280, height: int = 800) -> Iterator[Page]:
    """An empty page in a browser of its own; an error on the page is an error of the test."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(_TIMEOUT_MS)
        try:
            yield page
        finally:
            browser.close()


def texts(page: Page, selector: str) -> list[str]:
    """The texts that are shown in the first element of ``selector``."""
    found: list[str] = page.locator(selector).first.evaluate(_VISIBLE_TEXT)
    return found


def screenshot(page: Page, path: Path) -> None:
    """The page as a PNG of few colours."""
    from PIL import Image

    page.screenshot(path=str(path))
    Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(path, optimize=True)


class GraphsPage:
    """The Graphs dashboard."""

    def __init__(self, page: Page, address: str, run: str) -> None:
        self.page = page
        page.goto(f"{address}/#graphs&run={run}")
        page.wait_for_selector("g.node")

    def nodes(self) -> list[str]:
        """The names of the nodes and name scopes that are drawn; scopes are closed at first."""
        names = self.page.locator("g.node").evaluate_all("nodes => nodes.map(n => n.getAttribute('data-name'))")
        return [name for name in names if "~~" not in name]

    def tags(self) -> list[str]:
        """What the run can be seen with: ``Default`` and the tags of its run metadata."""
        found: list[str] = self.page.locator(".tags-row paper-item").evaluate_all(
            "items => items.map(i => i.textContent.trim())"
        )
        return found

    def choose_tag(self, tag: str) -> None:
        """Shows the run with the run metadata ``tag``."""
        self.page.locator(".tags-row paper-dropdown-menu").click()
        self.page.locator(".tags-row paper-item").get_by_text(tag, exact=True).click()
        self.page.wait_for_selector('paper-radio-button:has-text("Compute time"):not([disabled])')

    def color_by(self, what: str) -> list[str]:
        """Chooses what the colours mean; gives the labels of the legend."""
        self.page.locator("tf-graph-controls paper-radio-button", has_text=what).click()
        shown = texts(self.page, "tf-graph-controls")
        legend = shown[shown.index("Legend") + 1 :]
        return legend[: next(i for i, text in enumerate(legend) if text.startswith(("unused", "(*")))]

    def card(self, node: str) -> list[str]:
        """Finds ``node`` by its name, as a person would, and reads its card."""
        search = self.page.locator("tf-graph-node-search")
        search.locator("input").first.fill(f"^{node}$")
        search.get_by_text(node, exact=True).first.click()
        last = node.rpartition("/")[2]
        self.page.wait_for_selector(f"tf-node-info:has-text('{last}')")
        return texts(self.page, "tf-node-info")


def opened(page: Page, url: str, selector: str) -> Any:
    """Goes to ``url`` and waits until ``selector`` is there; gives its locator."""
    page.goto(url)
    page.wait_for_selector(selector)
    return page.locator(selector)
