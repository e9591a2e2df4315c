"""Commands that cannot write: how they are run, and what is expected of them."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from graphscope.cli.app import app

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]

needs_limits = pytest.mark.skipif(resource is None, reason="optional: no limits on files on this system")


@contextlib.contextmanager
def files_limited(size: int) -> Iterator[None]:
    """No file becomes larger than ``size`` bytes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def command(words: list[object]) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def snapshot(directory: Path) -> dict[str, str]:
    """Every file and directory below ``directory`` with what it holds; of logs, which tell times, that they are."""
    found = {}
    for path in sorted(directory.rglob("*")):
        name = path.relative_to(directory).as_posix()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[name if "tfevents" not in name else "events"] = content if "tfevents" not in name else "some"
    return found


def check(result: Result, fault: str, what: str) -> None:
    assert result.exception is None or isinstance(result.exception, SystemExit), f"{what}: {result.exception!r}"
    if result.exit_code == 0:
        return
    assert result.exit_code == (130 if fault == "Ctrl-C" else 1), what
    starts = [text for text in result.output.splitlines() if text.startswith(("graphscope: ", "error: "))]
    assert len(starts) == (fault != "Ctrl-C"), f"{what}: {result.output}"
    if starts:
        assert "out" in starts[0], f"{what}: {result.output}"
