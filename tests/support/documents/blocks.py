"""The steps of a Markdown page: commands of ``console`` blocks and whole ``python`` blocks, each with the output it shows."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
PROMPT = re.compile(r"^\$ ", re.MULTILINE)
CONTINUED = re.compile(r"(?:[^\n]*\\\n)*[^\n]*(?:\n|\Z)")
"""A command: the lines that end in a backslash and the one after them."""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        language: the word behind the fence; empty if there is none.
        text: its lines without the indentation of the fence.
        indent: that indentation.
        start: where its first line begins in the page, in characters.
        end: where its last fence begins.
    """

    language: str
    text: str
    indent: str
    start: int
    end: int


@dataclass(frozen=True)
class Step:
    """Something to do, and what the page shows for it.

    Attributes:
        language: ``console`` or ``python``.
        source: one command line, or the whole of a Python block.
        shown: the output; ``None`` where a Python block shows none, so that nothing is compared.
        line: number of the line in the page, from 1.
        block: the block that holds the output.
        offset: where the output begins in the block's text.
    """

    language: str
    source: str
    shown: str | None
    line: int
    block: Block
    offset: int


def blocks_of(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(m["language"], textwrap.dedent(m["body"]), m["indent"], m.start("body"), m.end("body"))
        for m in FENCE.finditer(text)
    ]


def steps_of(page: Path) -> list[Step]:
    """What a page tells its readers to do, in order."""
    text = page.read_text("utf-8")
    blocks = blocks_of(text)
    return [step for number, block in enumerate(blocks) for step in _steps(text, block, _output(text, blocks, number))]


def _output(text: str, blocks: list[Block], number: int) -> Block | None:
    """The ``text`` block that follows a block at once, which is then the output of that block."""
    follower = blocks[number + 1] if number + 1 < len(blocks) else None
    if follower is None or follower.language != "text":
        return None
    between = text[blocks[number].end : follower.start].replace("```text", "").replace("```", "")
    return None if between.strip() else follower


def _steps(text: str, block: Block, output: Block | None) -> Iterator[Step]:
    line = text.count("\n", 0, block.start) + 1
    if block.language == "python":
        yield Step("python", block.text, output and output.text, line, output or block, 0)
    if block.language != "console":
        return
    prompts = [match.end() for match in PROMPT.finditer(block.text)]
    for begin, end in zip(prompts, [*(start - len("$ ") for start in prompts[1:]), len(block.text)]):
        command = CONTINUED.match(block.text, begin, end)
        assert command is not None
        shown = block.text[command.end() : end]
        yield Step("console", command[0], shown, line + block.text.count("\n", 0, begin), block, command.end())
