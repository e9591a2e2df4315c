"""The steps of a Markdown page: commands of ``console`` blocks and whole ``python`` blocks, each with the output it shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"(?P<indent> *)```(?P<language>[\w-]*)")
PROMPT = "$ "


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: the word behind the fence; empty if there is none.
        lines: what stands in it, without the indentation of the fence.
        indent: that indentation.
        first: number of its first line in the page, from 0.
    """

    language: str
    lines: list[str]
    indent: str
    first: int


@dataclass(frozen=True)
class Step:
    """Something to do, and what the page shows for it.

    Attributes:
        language: ``console`` or ``python``.
        source: one command, or the whole of a Python block.
        shown: the lines of the output; ``None`` where a Python block shows none, so that nothing is compared.
        line: number of its first line in the page, from 0.
        output: number of the output's first line in the page, from 0.
        indent: what stands before each of its lines.
        html: what a notebook shows of the last expression, where it shows one as HTML.
    """

    language: str
    source: str
    shown: list[str] | None
    line: int
    output: int
    indent: str
    html: str | None = None


def blocks_of(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    blocks, lines = [], enumerate(page.read_text("utf-8").splitlines())
    for number, line in lines:
        if fence := FENCE.match(line):
            indent = fence["indent"]
            body = iter(lambda: next(lines)[1].removeprefix(indent), "```")  # noqa: B023 - read before the next fence
            blocks.append(Block(fence["language"], list(body), indent, number + 1))
    return blocks


def steps_of(page: Path) -> list[Step]:
    """What a page tells its readers to do, in order."""
    blocks = blocks_of(page)
    text = page.read_text("utf-8").splitlines()
    followers = [*blocks[1:], None]
    return [step for block, follower in zip(blocks, followers) for step in _steps(block, follower, text)]


def _steps(block: Block, follower: Block | None, page: list[str]) -> Iterator[Step]:
    if block.language == "console":
        yield from _commands(block)
    elif block.language == "python":
        output = follower if follower and _is_output(block, follower, page) else None
        shown, first = (output.lines, output.first) if output else (None, 0)
        yield Step("python", "\n".join(block.lines), shown, block.first, first, block.indent)


def _commands(block: Block) -> Iterator[Step]:
    prompts = [number for number, line in enumerate(block.lines) if line.startswith(PROMPT)]
    for begin, end in zip(prompts, [*prompts[1:], len(block.lines)]):
        after = next(n for n in range(begin, end) if not block.lines[n].endswith("\\")) + 1
        command = "\n".join(block.lines[begin:after]).removeprefix(PROMPT)
        shown = block.lines[after:end]
        yield Step("console", command, shown, block.first + begin, block.first + after, block.indent)


def _is_output(block: Block, follower: Block, page: list[str]) -> bool:
    """Whether a ``text`` block follows at once: it is then what the Python before it prints."""
    between = page[block.first + len(block.lines) + 1 : follower.first - 1]
    return follower.language == "text" and not any(line.strip() for line in between)
