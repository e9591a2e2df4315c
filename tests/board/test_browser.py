"""What `dump`, `profile` and `board` write is seen in a real browser, on TensorBoard's own pages."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from graphscope.api.profile import read_profile
from graphscope.cli.app import app
from tests.support.browser import GraphsPage, chromium, empty_page, needs_chromium, open_tab, texts
from tests.support.fixture_files import FIXTURES, ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.tensorflow, needs_chromium]

GRAPHSCOPE = (sys.executable, "-m", "graphscope")


def graphscope(*arguments: str | Path) -> None:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output


@contextmanager
def served(target: Path) -> Iterator[str]:
    """`graphscope board` on a free port; gives the address that it prints; it must end well on Ctrl-C."""
    command = [*GRAPHSCOPE, "board", str(target), "--port", "7100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A meta graph with all that `dump` writes, a frozen graph, and a profile on two CPUs."""
    logs = tmp_path_factory.mktemp("logs")
    labels = logs / "labels.tsv"
    labels.write_text("".join(f"unit {i}\n" for i in range(84)))
    extras = ("--histograms", "--filters", "--embedding", f"fc3/weights:{labels}")
    graphscope("dump", FIXTURES / "lenet5", logs, "--run", "meta", *extras)
    graphscope("dump", FIXTURES / "lenet5/frozen.pb", logs, "--run", "frozen")
    grafted = logs / "grafted/model.ckpt"
    graphscope(
        "graft", FIXTURES / "lenet5_0to4", "-o", grafted, "--at", "fc2/relu", "--head", "dropout:0.5", "--classes", "5"
    )
    graphscope("dump", grafted, logs, "--run", "grafted")
    on_two = ("--devices", "cpu:2", "--output", "prediction", "--batch", "64", "--steps", "2", "--warmup", "1")
    profile = [*GRAPHSCOPE, "profile", FIXTURES / "towers", *on_two, "--logdir", logs]  # this process has one device
    subprocess.run(profile, check=True, capture_output=True, cwd=ROOT)
    return logs


@pytest.fixture(scope="module")
def address(logs: Path) -> Iterator[str]:
    """Of TensorBoard."""
    with served(logs) as url:
        yield url.rstrip("/")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with empty_page(browser) as opened:
        yield opened


def test_a_meta_graph_is_drawn(page: Page, address: str) -> None:
    graphs = GraphsPage(page, address, "meta")
    assert {"conv1", "conv2", "fc1", "train", "save", "softmax"} <= set(graphs.nodes())
    assert graphs.tags() == ["Default"]
    card = graphs.card("conv1/conv")
    assert card[card.index("Operation:") + 1] == "Conv2D"
    assert "5\u00d75\u00d71\u00d76" in card


def test_a_frozen_graph_is_drawn(page: Page, address: str) -> None:
    graphs = GraphsPage(page, address, "frozen")
    names = set(graphs.nodes())
    assert {"conv1", "conv2", "fc1", "softmax"} <= names
    assert not {"train", "save"} & names
    on_edges = page.locator("g.edge text").all_text_contents()
    assert {"?\u00d7784", "?\u00d728\u00d728\u00d76", "?\u00d7120"} <= set(on_edges)


def test_a_grafted_graph_is_drawn(page: Page, address: str) -> None:
    graphs = GraphsPage(page, address, "grafted")
    names = graphs.nodes()
    assert {"conv1", "fc2", "head"} <= set(names), names
    card = graphs.card("head/stop_gradient")
    assert card[card.index("Operation:") + 1] == "StopGradient"


def test_histograms_are_shown(page: Page, address: str) -> None:
    cards = open_tab(page, address, "histograms", "vz-histogram-timeseries")
    assert cards.count() >= 2
    assert {"conv1/weights", "conv1/biases"} <= set(texts(page, "body"))


def test_filters_are_shown(page: Page, address: str) -> None:
    picture = open_tab(page, address, "images", "tf-image-loader img").first
    assert any("conv1/weights" in text for text in texts(page, "body"))
    assert picture.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") >= 3 * 5 * 6


def test_the_projector_shows_points_and_labels(page: Page, address: str) -> None:
    open_tab(page, address, "projector", "iframe")
    projector = page.frame_locator("iframe").frame_locator("iframe")
    projector.get_by_text("Points: 84").wait_for()
    projector.get_by_text("Dimension: 10").wait_for()
    projector.get_by_text("fc3/weights").first.wait_for(state="attached")
    choices = projector.locator("vz-projector-inspector-panel .search-by paper-item")
    choices.get_by_text("label", exact=True).wait_for(state="attached")  # without labels: __index__


def test_a_profile_tells_time_memory_and_device(page: Page, address: str) -> None:
    graphs = GraphsPage(page, address, "towers-profile")
    tags = graphs.tags()
    assert len(tags) == 4, tags  # the graph alone, two steps and their median
    graphs.choose_tag(tags[1])
    node = (
        "tower_1/conv2/add" if os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1" else "tower_1/conv2/Conv2D"
    )  # fused, or not
    card = graphs.card(node, "Compute Time")
    assert card[card.index("Device") + 1].endswith("/device:CPU:1")
    assert re.fullmatch(r"[\d.]+ (.s|ms|secs?)", card[card.index("Compute Time") + 1]), card
    assert re.fullmatch(r"[\d.]+ [KM]?B", card[card.index("Memory") + 1]), card
    assert card[card.index("Tensor Output Sizes") + 1] == "[32, 14, 14, 16]"


def test_colours_tell_devices_and_costs(page: Page, address: str, logs: Path) -> None:
    """As many devices as ran; and of the convolutions' groups, the one that took longest is the reddest."""
    graphs = GraphsPage(page, address, "towers-profile")
    graphs.choose_tag(graphs.tags()[1])
    legend = graphs.color_by("Device")
    assert legend == ["0", "1", "unknown device"]  # what all names begin with is left out; the last is what did not run
    assert graphs.color_by("Compute time")[0] == "0 \u00b5s"
    costs = convolution_groups(logs / "towers-profile")
    for group in costs:
        graphs.card(group, "Compute Time")
    reddest = max(costs, key=graphs.redness)
    assert costs[reddest] > 0.9 * max(costs.values()), costs
    assert graphs.redness(reddest) > graphs.redness(min(costs, key=costs.__getitem__))


def convolution_groups(log: Path) -> dict[str, float]:
    """Scope of a convolution -> the time of all that is in it, in microseconds."""
    report = read_profile(log).report
    groups = {node.name.rpartition("/")[0] for node in report.nodes if node.kernel.endswith("Conv2D")}
    assert len(groups) == 4
    return {group.name: group.times.wall_us for group in report.scopes if group.name in groups}


def test_a_model_is_served_on_the_graphs_page(page: Page) -> None:
    with served(FIXTURES / "softmax/frozen.pb") as url:
        assert url.endswith("/#graphs")
        page.goto(url)
        page.wait_for_selector("g.node")
        assert page.locator('g.node[data-name="inference"]').count() == 1
