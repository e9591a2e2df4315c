"""The page in a real browser: the same places as the picture, opening, search, the card, keys, hostile names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import graphscope
from graphscope.drawing.comparison import DiffDrawing
from graphscope.drawing.drawing import Drawing
from graphscope.protos import GraphDef
from tests.analysis.test_diff import FROZEN, inserted, moved_weight, removed, renamed, set_attr
from tests.drawing.test_pictures import HOSTILE, model_of, node
from tests.support.browser import chromium_page, needs_chromium
from tests.support.fixture_files import FIXTURES
from tests.support.zoo_files import ZOO, needs_zoo

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = needs_chromium

PLACES = """() => [...page.pane.frames.values()].filter(({frame}) => frame.box.level).map(({frame, x, y}) =>
  [frame.box.number, frame.isOpen, ...[x, y, frame.width, frame.height].map(n => Math.round(n * 100))])"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with chromium_page() as opened:
        opened.on("pageerror", lambda error: pytest.fail(str(error)))
        yield opened


def show(browser: Page, drawing: Drawing, tmp_path: Path) -> Page:
    saved = drawing.save(tmp_path / "page.html")
    browser.goto(f"file://{saved.path}")
    browser.wait_for_selector(".view .closed-box")
    return browser


def shown(page: Page) -> list[str]:
    found: list[str] = page.locator(".view .title").all_text_contents()
    return found


def box(page: Page, name: str) -> Any:
    return page.locator(".view .closed-box", has=page.locator(f"text='{name}'")).first


@pytest.mark.parametrize("name", ["batchnorm", "lenet5", "rnn", "towers"])
@pytest.mark.parametrize("depth", [1, 3])
def test_the_page_lays_out_as_the_picture(name: str, depth: int, browser: Page, tmp_path: Path) -> None:
    drawing = graphscope.draw(FIXTURES / name, depth=depth)
    page = show(browser, drawing, tmp_path)
    assert sorted(page.evaluate(PLACES)) == places(drawing)


@needs_zoo
def test_a_large_page_lays_out_as_the_picture(browser: Page, tmp_path: Path) -> None:
    drawing = graphscope.draw(ZOO / "meta_ckpt" / "isl-org+NPHard" / "model", depth=2)
    page = show(browser, drawing, tmp_path)
    assert sorted(page.evaluate(PLACES)) == places(drawing)


def places(drawing: Drawing) -> list[list[Any]]:
    boxes = [placed for placed in drawing.picture.boxes if placed.box.level]
    return sorted(
        [
            placed.box.number,
            placed.is_open,
            *(int(n * 100 + 0.5) for n in (placed.x, placed.y, placed.width, placed.height)),
        ]
        for placed in boxes
    )


def test_scopes_open_and_close(browser: Page, tmp_path: Path) -> None:
    page = show(browser, graphscope.draw(FIXTURES / "lenet5", depth=1), tmp_path)
    assert "BiasAdd" not in shown(page)
    box(page, "conv1").dblclick()
    assert "BiasAdd" in shown(page)
    page.locator(".view .frame .toggle").first.click()
    assert "BiasAdd" not in shown(page)
    page.locator("#close-all").click()
    assert sorted(page.evaluate(PLACES)) == places(graphscope.draw(FIXTURES / "lenet5", depth=1))


def test_search_finds_what_is_closed_and_what_is_a_line(browser: Page, tmp_path: Path) -> None:
    page = show(browser, graphscope.draw(FIXTURES / "lenet5", depth=1), tmp_path)
    page.keyboard.press("/")
    page.keyboard.type("conv2/weights")
    page.locator("#found .row").first.wait_for()
    page.keyboard.press("Enter")
    assert page.locator("#card h2, #card .op").all_inner_texts() == ["conv2/weights", "VariableV2"]
    assert "conv2/conv" in page.locator("#card").inner_text()
    assert "BiasAdd" in shown(page)
    assert page.locator(".view .selected .title").text_content() == "conv"
    page.locator("#search").fill("no such node")
    assert page.locator("#found").inner_text() == "nothing found"


def test_the_card_tells_shapes_attributes_and_neighbours(browser: Page, tmp_path: Path) -> None:
    page = show(browser, graphscope.draw(FIXTURES / "lenet5", depth=2), tmp_path)
    page.locator("#search").fill("conv1/conv")
    page.locator("#found .row").first.click()
    rows = page.locator("#card .row").all_inner_texts()
    pairs = [tuple(row.split("\n")) for row in rows]
    assert (":0", "float32 ?×28×28×6") in pairs
    assert ("Reshape", "float32 ?×28×28×1") in pairs
    assert ("conv1/weights/read", "float32 5×5×1×6") in pairs
    assert ("strides", "[1, 1, 1, 1]") in pairs
    page.locator("#card .node", has_text="conv1/BiasAdd").click()
    assert page.locator("#card h2").text_content() == "conv1/BiasAdd"
    assert page.locator(".view path.hot").count() >= 2
    page.keyboard.press("Escape")
    assert page.locator("#card").is_hidden()


def test_keys_lead_through_the_graph(browser: Page, tmp_path: Path) -> None:
    page = show(browser, graphscope.draw(FIXTURES / "lenet5", depth=1), tmp_path)
    box(page, "Reshape").click()
    page.keyboard.press("ArrowDown")
    assert page.locator(".view .selected .title").text_content() == "conv1"
    page.keyboard.press("Enter")
    assert "BiasAdd" in shown(page)
    page.keyboard.press("ArrowDown")
    assert page.locator("#card h2").text_content() == "conv1/conv"
    page.keyboard.press("Backspace")
    assert page.locator("#card h2").text_content() == "conv1"
    page.keyboard.press("Enter")
    assert "BiasAdd" not in shown(page)


def test_colors_and_themes_change(browser: Page, tmp_path: Path) -> None:
    page = show(browser, graphscope.draw(FIXTURES / "lenet5", depth=1), tmp_path)
    page.locator("#color").select_option(label="Bytes of outputs")
    assert "up to" in page.locator("#legend").inner_text()
    assert page.locator(".view .box.h6").count()
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_the_wheel_zooms_and_dragging_moves(browser: Page, tmp_path: Path) -> None:
    page = show(browser, graphscope.draw(FIXTURES / "lenet5"), tmp_path)
    zoom, x = page.evaluate("[page.pane.zoom, page.pane.x]")
    page.mouse.move(200, 400)
    page.mouse.wheel(0, -200)
    page.wait_for_function(f"page.pane.zoom > {zoom}")
    page.mouse.down()
    page.mouse.move(260, 420, steps=4)
    page.mouse.up()
    assert page.evaluate("page.pane.x") != x
    page.keyboard.press("0")
    assert page.evaluate("page.pane.zoom * page.pane.height") < 800


def test_hostile_names_run_nothing_and_stay_text(browser: Page, tmp_path: Path) -> None:
    closing = "x</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    drawing = graphscope.draw(
        model_of(node(HOSTILE, "Placeholder"), node(f"{closing}/a", "Relu", HOSTILE), node(f"{closing}/b", closing))
    )
    requests: list[str] = []
    browser.on("request", lambda request: requests.append(request.url))
    page = show(browser, drawing, tmp_path)
    text = (tmp_path / "page.html").read_text("utf-8")
    assert text.count("<script") == text.count("</script") == 2
    assert "\u202e" not in text
    page.keyboard.press("/")
    page.keyboard.type("onerror")
    page.keyboard.press("Enter")
    assert closing in page.locator("#card h2").inner_text()
    assert page.title() != "owned"
    assert page.locator(".view img, #card img").count() == 0
    assert [url for url in requests if not url.startswith("file:")] == []


def test_the_policy_allows_the_page_alone(browser: Page, tmp_path: Path) -> None:
    page = show(browser, graphscope.draw(FIXTURES / "softmax"), tmp_path)
    policy = page.locator("meta[http-equiv]").get_attribute("content") or ""
    assert re.fullmatch(
        r"default-src 'none'; script-src 'sha256-[\w+/=]+'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; form-action 'none'",
        policy,
    )
    page.evaluate(
        """() => { const made = document.createElement('script'); made.textContent = 'window.ran = true';
        document.body.append(made); }"""
    )
    assert page.evaluate("window.ran") is None
    data = json.loads(page.locator("#data").text_content() or "")
    assert data["title"] == data["panes"][0]["title"] == "softmax"


@pytest.mark.parametrize("size", [(390, 740), (1280, 800), (1920, 1080)])
def test_nothing_stands_outside_the_window(size: tuple[int, int], browser: Page, tmp_path: Path) -> None:
    browser.set_viewport_size({"width": size[0], "height": size[1]})
    page = show(browser, graphscope.draw(FIXTURES / "lenet5"), tmp_path)
    box(page, "Reshape").click()
    for found in page.locator("header > *, header button, #card, #legend").all():
        frame = found.bounding_box()
        if frame is not None:
            assert frame["x"] >= 0
            assert frame["x"] + frame["width"] <= size[0]
    browser.set_viewport_size({"width": 1280, "height": 800})


# Two graphs that are compared


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> DiffDrawing:
    """A frozen graph and itself with a stride, a weight, a node more, one less, and a scope by another name."""
    edits = (
        set_attr("conv2/conv", "strides", ints=[1, 2, 2, 1]),
        moved_weight("fc1/weights", 4711, 0.5),
        inserted("fc2/relu"),
        removed("softmax"),
        renamed("conv1", "first"),
    )
    proto = GraphDef.FromString(FROZEN.read_bytes())
    for edit in edits:
        edit(proto)
    path = tmp_path_factory.mktemp("compared") / "edited.pb"
    path.write_bytes(proto.SerializeToString())
    return graphscope.draw_diff(FROZEN, path)


def show_both(browser: Page, drawing: DiffDrawing, tmp_path: Path) -> Page:
    saved = drawing.save(tmp_path / "diff.html")
    browser.goto(f"file://{saved.path}")
    browser.wait_for_selector(".pane:nth-child(2) .closed-box")
    return browser


def colored(page: Page, number: int) -> dict[str, str]:
    """The closed boxes of one graph by name, each with the class of its colour."""
    found: dict[str, str] = page.evaluate(
        """number => Object.fromEntries([...page.panes[number].frames.values()].filter(({frame}) => !frame.isOpen)
          .map(({frame, group}) => [page.panes[number].diagram.name(frame.box), group.querySelector('.face').classList[1]]))""",
        number,
    )
    return found


def test_both_graphs_are_shown_with_what_changed(browser: Page, compared: DiffDrawing, tmp_path: Path) -> None:
    page = show_both(browser, compared, tmp_path)
    before, after = (colored(page, number) for number in (0, 1))
    assert {name: color for name, color in before.items() if color != "plain"} == {
        "conv1": "renamed",
        "conv2/conv": "changed",
        "fc1/MatMul": "changed",
        "fc2/relu": "changed",
        "softmax": "removed",
    }
    assert {name: color for name, color in after.items() if color != "plain"} == {
        "first": "renamed",
        "conv2/conv": "changed",
        "fc1/MatMul": "changed",
        "fc2/relu": "changed",
        "new": "added",
    }
    assert page.locator("#legend .swatch").all_inner_texts() == ["added", "removed", "changed", "renamed", "the same"]
    assert page.locator(".caption").all_inner_texts() == ["lenet5-frozen", "edited"]
    listed = page.locator("#changes h3, #changes .change").all_inner_texts()
    assert listed[:4] == ["explained", "scope conv1/ -> first/, 7 nodes", "nodes", "\N{MINUS SIGN}\nsoftmax\nSoftmax"]
    assert listed[-1].startswith("fc1/weights\n2.08e-05 of 48,000 values")


def test_what_is_chosen_in_one_graph_is_shown_in_the_other(
    browser: Page, compared: DiffDrawing, tmp_path: Path
) -> None:
    page = show_both(browser, compared, tmp_path)
    selected = page.locator(".view .selected .title")
    page.locator(".change", has_text="strides").click()
    assert selected.all_text_contents() == ["conv", "conv"]
    assert "strides: [1, 1, 1, 1] -> [1, 2, 2, 1]" in page.locator("#card").inner_text()
    page.locator(".pane").nth(1).locator(".closed-box", has_text="first").dblclick()
    assert page.evaluate("page.panes.map(pane => pane.diagram.name(pane.selected))") == ["conv1", "first"]
    assert {"conv1/BiasAdd", "first/BiasAdd"} <= {*colored(page, 0), *colored(page, 1)}
    page.locator(".pane").nth(1).locator(".closed-box", has_text="BiasAdd").first.click()
    assert "conv1/BiasAdd\nbefore" in page.locator("#card").inner_text()
    page.locator("#close-all").click()
    assert "conv1/BiasAdd" not in colored(page, 0)
    assert page.locator("#card").is_hidden()


def test_keys_lead_from_difference_to_difference(browser: Page, compared: DiffDrawing, tmp_path: Path) -> None:
    page = show_both(browser, compared, tmp_path)
    met = []
    for _ in range(7):
        page.keyboard.press("n")
        met.append(page.locator("#card h2").text_content())
    assert met == ["conv1/weights", "softmax", "new", "fc2/relu", "conv2/conv", "fc1/weights", "conv1/weights"]
    page.keyboard.press("p")
    assert page.locator("#changes [aria-current] .key").text_content() == "fc1/weights"
    page.keyboard.press("/")
    page.keyboard.type("softmax")
    page.keyboard.press("Enter")
    assert page.locator(".pane").nth(0).locator(".selected .title").text_content() == "softmax"
    assert page.locator(".pane").nth(1).locator(".selected").count() == 0
    page.keyboard.press("Escape")
    page.locator(".canvas").nth(1).focus()
    page.keyboard.press("ArrowDown")
    assert page.locator(".pane").nth(1).locator(".selected").count() == 1
    light = page.evaluate("getComputedStyle(document.querySelector('#side')).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.querySelector('#side')).backgroundColor") != light


@pytest.mark.parametrize("size", [(390, 740), (1280, 800)])
def test_both_graphs_and_the_list_fit_the_window(
    size: tuple[int, int], browser: Page, compared: DiffDrawing, tmp_path: Path
) -> None:
    browser.set_viewport_size({"width": size[0], "height": size[1]})
    page = show_both(browser, compared, tmp_path)
    page.keyboard.press("n")
    frames = [found.bounding_box() for found in page.locator(".pane, #side, #card, #legend").all()]
    for frame in filter(None, frames):
        assert frame["x"] >= 0
        assert frame["x"] + frame["width"] <= size[0]
        assert frame["y"] + frame["height"] <= size[1]
        assert frame["width"] > 100
        assert frame["height"] > 30
    browser.set_viewport_size({"width": 1280, "height": 800})


def test_hostile_names_of_two_graphs_stay_text(browser: Page, tmp_path: Path) -> None:
    closing = "x</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    one = model_of(node(HOSTILE, "Placeholder"), node(f"{closing}/a", "Relu", HOSTILE), node("b", closing))
    two = model_of(node(HOSTILE, "Placeholder"), node(f"{closing}/a", "Elu", HOSTILE), node(f"{closing}2", closing))
    page = show_both(browser, graphscope.draw_diff(one, two), tmp_path)
    text = (tmp_path / "diff.html").read_text("utf-8")
    assert text.count("<script") == text.count("</script") == 2
    assert "\u202e" not in text
    page.keyboard.press("n")
    assert closing in page.locator("#changes").inner_text()
    assert page.title() != "owned"
    assert page.locator(".view img, #card img, #changes img").count() == 0
