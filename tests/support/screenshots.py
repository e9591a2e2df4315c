"""Makes the pictures of `docs/`: ``python -m tests.support.screenshots``. Needs Chromium and TensorFlow."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.board.test_browser import graphscope, served
from tests.support.browser import GraphsPage, chromium_page, open_tab, screenshot
from tests.support.fixture_files import FIXTURES, ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

PICTURES = ROOT / "docs" / "pictures"
SIZE = (1120, 700)


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        logs = Path(directory)
        write(logs)
        with served(logs) as address, chromium_page(*SIZE) as page:
            take(page, address.rstrip("/"))


def write(logs: Path) -> None:
    """A dumped meta graph, a dumped frozen graph, and a profile on two CPUs."""
    graphscope("dump", FIXTURES / "lenet5", logs, "--histograms", "--filters", "--embedding", "fc3/weights")
    graphscope("dump", FIXTURES / "lenet5/frozen.pb", logs, "--run", "frozen")
    on_two = ("--devices", "cpu:2", "--output", "prediction", "--batch", "64", "--steps", "3")
    graphscope("profile", FIXTURES / "towers", *on_two, "--logdir", logs)


def take(page: Page, address: str) -> None:
    for run in ("lenet5", "frozen"):
        GraphsPage(page, address, run).card("conv2/conv")
        screenshot(page, PICTURES / f"graph-{run}.png")
        page.goto("about:blank")
    graphs = GraphsPage(page, address, "towers-profile")
    graphs.choose_tag(graphs.tags()[1])
    graphs.color_by("Device")
    graphs.card("tower_1/conv2/Conv2D", "Compute Time")
    screenshot(page, PICTURES / "profile-device.png")
    graphs.color_by("Compute time")
    screenshot(page, PICTURES / "profile-time.png")
    for tab, shown in (("histograms", "vz-histogram-timeseries"), ("images", "tf-image-loader img")):
        open_tab(page, address, tab, shown)
        page.wait_for_timeout(2000)  # curves and pictures are drawn after their frames
        screenshot(page, PICTURES / f"{tab}.png")
    open_tab(page, address, "projector", "iframe")
    page.frame_locator("iframe").frame_locator("iframe").get_by_text("Points: 84").wait_for()
    page.wait_for_timeout(2000)
    screenshot(page, PICTURES / "projector.png")


if __name__ == "__main__":
    main()
