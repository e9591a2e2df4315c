"""A file that another process cuts short while it is read is an error, and never a signal or half a result."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import graphscope
from graphscope.formats.io.window import Window, window_on
from tests.support.cutting_short import KINDS

pytestmark = pytest.mark.slow

ROOT = Path(graphscope.__file__).parent


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_while_it_is_read(tmp_path: Path, kind: str) -> None:
    command = [sys.executable, "-m", "tests.support.cutting_short", kind, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT.parent, capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stderr)
    outcomes = [line.split()[0] for line in done.stdout.splitlines()]
    assert "different" not in outcomes
    assert outcomes.count("error") >= max(8, len(outcomes) * 2 // 3), done.stdout


def test_nothing_is_mapped() -> None:
    """A page of a mapping that the file no longer has ends the process: SIGBUS cannot be caught in Python."""
    mapping = re.compile(r"\bmmap\b|\bmemmap\b|mmap_mode")
    assert [path.name for path in ROOT.rglob("*.py") if mapping.search(path.read_text())] == []


def _window(data: bytes, fetched: list[tuple[int, int]]) -> Window:
    def fetch(offset: int, size: int) -> bytes:
        assert 0 <= offset <= offset + size <= len(data)
        fetched.append((offset, size))
        return data[offset : offset + size]

    return Window(fetch, len(data))


DATA = bytes(i * i % 251 for i in range(1 << 20))


def test_a_window_is_what_it_shows() -> None:
    window = _window(DATA, [])
    assert len(window) == len(DATA)
    for at in (0, 1, 4095, 4096, 4097, 700_000, 699_999, 5, len(DATA) - 1, 0):
        assert window[at] == DATA[at]
        assert window[at : at + 10] == DATA[at : at + 10]
        assert window[max(at - 20, 0) : at] == DATA[max(at - 20, 0) : at]
    assert window[500_000:500_000] == window[len(DATA) :] == window[9:3] == b""
    assert window[len(DATA) - 3 : len(DATA) + 3] == DATA[-3:]
    for outside in (len(DATA), -1):
        with pytest.raises(IndexError):
            window[outside]


def test_a_window_reads_little_after_a_jump_and_more_as_it_goes_on() -> None:
    fetched: list[tuple[int, int]] = []
    window = _window(DATA, fetched)
    for at in range(len(DATA)):
        assert window[at] == DATA[at]
    assert len(fetched) < 20
    assert sum(size for _, size in fetched) == len(DATA)
    del fetched[:]
    for at in (10, 500_000, 10, 900_000):
        assert window[at] == DATA[at]
    assert [size for _, size in fetched] == [4096] * 4


@pytest.mark.parametrize("margin", [1, 3, 1024])
def test_a_loop_in_a_window(margin: int) -> None:
    window = _window(DATA, [])
    data, base, last = window.around(0, margin)
    moves = 0
    for at in range(len(DATA) + 1):
        if at > last:
            data, base, last = window.around(at, margin)
            moves += 1
        assert data[at - base : at - base + margin] == DATA[at : at + margin]
    assert 0 < moves < 20


def test_a_window_on_what_is_in_memory() -> None:
    for buffer in (DATA, memoryview(DATA), _window(DATA, [])):
        window = window_on(buffer)
        assert window[:] == DATA
        assert window.around(17, 3)[0][17 - window.base : 20 - window.base] == DATA[17:20]
