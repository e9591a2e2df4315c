"""The page in a real browser: the same places as the picture, opening, search, the card, keys, hostile names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import graphscope
from graphscope.drawing.drawing import Drawing
from tests.drawing.test_pictures import HOSTILE, model_of, node
from tests.support.browser import chromium_page, needs_chromium
from tests.support.fixture_files import FIXTURES
from tests.support.zoo_files import ZOO, needs_zoo

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = needs_chromium

PLACES = """() => [...page.frames.values()].filter(({frame}) => frame.box.level).map(({frame, x, y}) =>
  [frame.box.number, frame.isOpen, ...[x, y, frame.width, frame.height].map(n => Math.round(n * 100))])"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with chromium_page() as opened:
        opened.on("pageerror", lambda error: pytest.fail(str(error)))
        yield opened


def show(browser: Page, drawing: Drawing, tmp_path: Path) -> Page:
    saved = drawing.save(tmp_path / "page.html")
    browser.goto(f"file://{saved.path}")
    browser.wait_for_selector("#view .closed-box")
    return browser


def shown(page: Page) -> list[str]:
    found: list[str] = page.locator("#view .title").all_text_contents()
    return found


def box(page: Page, name: str) -> Any:
    return page.locator("#view .closed-box", has=page.locator(f"text='{name}'")).first


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
    page.locator("#view .frame .toggle").first.click()
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
    assert page.locator("#view .selected .title").text_content() == "conv"
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
    assert page.locator("#view path.hot").count() >= 2
    page.keyboard.press("Escape")
    assert page.locator("#card").is_hidden()


def test_keys_lead_through_the_graph(browser: Page, tmp_path: Path) -> None:
    page = show(browser, graphscope.draw(FIXTURES / "lenet5", depth=1), tmp_path)
    box(page, "Reshape").click()
    page.keyboard.press("ArrowDown")
    assert page.locator("#view .selected .title").text_content() == "conv1"
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
    assert page.locator("#view .box.h6").count()
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_the_wheel_zooms_and_dragging_moves(browser: Page, tmp_path: Path) -> None:
    page = show(browser, graphscope.draw(FIXTURES / "lenet5"), tmp_path)
    zoom, x = page.evaluate("[page.zoom, page.x]")
    page.mouse.move(200, 400)
    page.mouse.wheel(0, -200)
    page.wait_for_function(f"page.zoom > {zoom}")
    page.mouse.down()
    page.mouse.move(260, 420, steps=4)
    page.mouse.up()
    assert page.evaluate("page.x") != x
    page.keyboard.press("0")
    assert page.evaluate("page.zoom * page.height") < 800


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
    assert page.locator("#view img, #card img").count() == 0
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
    assert data["title"] == "softmax"


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
