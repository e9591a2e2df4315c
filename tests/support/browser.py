"""TensorBoard's pages in headless Chromium, as a person uses them: what is drawn is read off the page itself."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

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
_LOOK_MS = 300

_VISIBLE_TEXT = """element => {
  const found = [];
  const walk = node => {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = node.textContent.trim().replace(/\\s+/g, ' ');
      if (text) found.push(text);
      return;
    }
    if (['STYLE', 'SCRIPT', 'TEMPLATE', 'NOSCRIPT'].includes(node.tagName)) return;
    if (node.nodeType === Node.ELEMENT_NODE && getComputedStyle(node).display === 'none') return;
    if (node.shadowRoot) walk(node.shadowRoot);
    node.childNodes.forEach(walk);
  };
  walk(element);
  return found;
}"""
"""The texts below an element in the order of the page, those in shadow roots too."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without pages."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def empty_page(browser: Browser, width: int = 1280, height: int = 800) -> Iterator[Page]:
    """An empty page, with nothing of what other pages stored."""
    with browser.new_page(viewport={"width": width, "height": height}) as page:
        page.set_default_timeout(_TIMEOUT_MS)
        yield page


@contextmanager
def chromium_page(width: int = 1280, height: int = 800) -> Iterator[Page]:
    """An empty page in a browser of its own."""
    with chromium() as browser, empty_page(browser, width, height) as page:
        yield page


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
        page.goto(f"{address}/#graphs")
        page.wait_for_selector("g.node")
        shown: list[str] = []
        if run != self.chosen(".runs-row"):
            shown = self.nodes()
            self._choose(".runs-row", run)
        self._wait_for_another(shown)

    def _wait_for_another(self, shown: list[str]) -> None:
        """Waits until a graph is drawn that is not the one of the nodes ``shown``, whole."""
        before = shown
        for _ in self._looks():
            found = self.nodes()
            if found == before and found not in (shown, []):
                return
            before = found

    def _looks(self) -> Iterator[None]:
        """Some looks at the page, apart; after the last one the wait has failed."""
        for _ in range(_TIMEOUT_MS // _LOOK_MS):
            yield
            self.page.wait_for_timeout(_LOOK_MS)
        pytest.fail(f"{self.page.url}: nothing new after {_TIMEOUT_MS} ms")

    def chosen(self, row: str) -> str:
        """The item that is chosen in a list of the page's left side."""
        return (self.page.locator(f"{row} paper-item.iron-selected").text_content() or "").strip()

    def _choose(self, row: str, item: str) -> None:
        self.page.locator(f"{row} paper-dropdown-menu").click()
        self.page.locator(f"{row} paper-item").get_by_text(item, exact=True).click()

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
        with self.page.expect_response(lambda response: "/graphs/run_metadata?" in response.url):
            self._choose(".tags-row", tag)
        self.page.wait_for_selector('paper-radio-button:has-text("Compute time"):not([disabled])')

    def color_by(self, what: str) -> list[str]:
        """Chooses what the colours mean; gives the labels of the legend."""
        self.page.locator("tf-graph-controls paper-radio-button", has_text=what).click()
        shown = texts(self.page, "tf-graph-controls")
        legend = shown[shown.index("Legend") + 1 :]
        return legend[: next(i for i, text in enumerate(legend) if text.startswith(("unused", "(*")))]

    def redness(self, group: str) -> float:
        """How far the colour of a closed ``group`` that is drawn is from white to red."""
        shape = self.page.locator(f'g.node[data-name="{group}"] > g.nodeshape .nodecolortarget')
        fill = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", shape.first.evaluate("s => getComputedStyle(s).fill"))
        assert fill is not None
        red, green, blue = map(int, fill.groups())
        return (red - (green + blue) / 2) / 255

    def card(self, node: str, awaited: str = "Operation:") -> list[str]:
        """Finds ``node`` by its name, as a person would, and reads its card when ``awaited`` is on it."""
        search = self.page.locator("tf-graph-node-search")
        search.locator("input").first.fill(f"^{node}$")
        search.get_by_text(node, exact=True).first.click()
        shown: list[str] = []
        for _ in self._looks():
            shown = texts(self.page, "tf-node-info")
            if "".join(shown).startswith(node) and awaited in shown:
                break
        return shown


def open_tab(page: Page, address: str, tab: str, selector: str) -> Locator:
    """Another of TensorBoard's pages, when ``selector`` is on it; gives its locator."""
    page.goto(f"{address}/#{tab}")
    page.reload()
    page.wait_for_selector(selector)
    return page.locator(selector)
