"""Draws the terminal on the start page: ``python -m tests.support.documents.recording``. Needs TensorFlow.

The commands are those of the first block of README, run at a terminal. The picture has the whole text in its ``desc``, for
readers who do not see it and for the test that compares it with README.
"""

from __future__ import annotations

import html
import io
import re
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.support.documents.blocks import Step, blocks_of, steps_of
from tests.support.documents.pages import DOCS, set_up
from tests.support.documents.reader import plain_words
from tests.support.terminal import command_line, on_terminal
from tests.support.zoo_files import ROOT

PICTURE = DOCS / "pictures" / "first-minute.svg"
README = ROOT / "README.md"
COLUMNS = 80
"""Of the terminal; a pipe gets tables of this width too, so that README shows the same."""
DRAWN = 100
DESCRIPTION = re.compile(r"<desc>(.*?)</desc>", re.DOTALL)
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<title>graphscope at a terminal</title>
<desc>DESCRIPTION</desc>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px;
  line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-family: system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def first_steps() -> list[Step]:
    """What the first block of README tells to type."""
    block = blocks_of(README)[0]
    return [step for step in steps_of(README) if step.line < block.first + len(block.lines)]


def recorded() -> list[str]:
    """The lines of text in the picture."""
    description = DESCRIPTION.search(PICTURE.read_text("utf-8"))
    assert description is not None
    return html.unescape(description[1]).splitlines()


def transcript(directory: Path) -> str:
    """What the terminal shows, with its colours as escape sequences."""
    parts = []
    for step in first_steps():
        _, output = on_terminal(
            command_line(*plain_words(step.source)[1:]), COLUMNS, directory=directory, TF_CPP_MIN_LOG_LEVEL="3"
        )
        parts.append(f"\x1b[32m$\x1b[0m \x1b[1m{step.source}\x1b[0m\n{output}")
    return "\n".join(parts)


def draw(text: str) -> str:
    """The picture of a terminal with ``text``; it names no font or other file on the network."""
    console = Console(file=io.StringIO(), record=True, width=DRAWN, color_system="truecolor", force_terminal=True)
    shown = Text.from_ansi(text)
    console.print(shown)
    description = html.escape(shown.plain.rstrip())
    picture = console.export_svg(title="graphscope", theme=MONOKAI, unique_id="terminal", code_format=FORMAT)
    return picture.replace("DESCRIPTION", description, 1)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        PICTURE.write_text(draw(transcript(set_up(Path(place)))), "utf-8")
