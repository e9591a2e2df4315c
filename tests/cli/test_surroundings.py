"""Processes whose standard streams are closed, or who have no home and no place for temporary files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from graphscope.cli.app import app
from graphscope.errors import FileError
from graphscope.training.data.cache import default_cache
from tests.support.fixture_files import FIXTURES, ROOT

pytestmark = pytest.mark.slow

SOFTMAX = FIXTURES / "softmax"
SHELL = shutil.which("sh") or "sh"
needs_shell = pytest.mark.skipif(shutil.which("sh") is None, reason="optional: no sh on this system")

OPENS = """
import os, sys
from graphscope import __main__
__main__._occupy_standard_streams()
sys.exit(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT))
"""


def shell(script: str, *words: object, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [SHELL, "-c", script, sys.executable, *map(str, words)]
    kept = {k: v for k, v in os.environ.items() if k not in ("HOME", "TMPDIR")}
    return subprocess.run(command, capture_output=True, check=False, timeout=120, cwd=ROOT, env={**kept, **environment})


@needs_shell
@pytest.mark.parametrize("closed", ["", "<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_file_is_never_a_standard_stream(closed: str, tmp_path: Path) -> None:
    """TensorFlow logs to number 2, whatever that is."""
    assert shell(f'exec "$0" -c "$1" "$2" {closed}', OPENS, tmp_path / "f").returncode > 2


@needs_shell
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_what_is_written_is_the_same_with_closed_streams(closed: str, tmp_path: Path) -> None:
    words = ["freeze", SOFTMAX, "--output", "inference/prediction", "-o"]
    for name, closing in (("open.pb", ""), ("closed.pb", closed)):
        script = f'exec "$0" -m graphscope "$@" {closing}'
        done = shell(script, *words, tmp_path / name, HOME=str(tmp_path))
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "open.pb").read_bytes() == (tmp_path / "closed.pb").read_bytes()
    assert done.stderr == b"" or closed == ">&-"


@needs_shell
def test_an_error_is_no_data_where_stderr_is_closed(tmp_path: Path) -> None:
    done = shell('exec "$0" -m graphscope info "$1" 2>&-', tmp_path / "nothing")
    assert (done.returncode, done.stdout) == (1, b"")


@needs_shell
def test_no_home_and_no_place_for_temporary_files(tmp_path: Path) -> None:
    script = 'cd "$1" && exec "$0" -m graphscope freeze "$2" --output inference/prediction -o f.pb'
    done = shell(script, tmp_path, SOFTMAX, TMPDIR=str(tmp_path / "nothing"), PYTHONPATH=str(ROOT))
    assert (done.returncode, b"error" in done.stderr) == (0, False), done.stderr
    assert sorted(os.listdir(tmp_path)) == ["f.pb"]


def test_no_home_for_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GRAPHSCOPE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def unknown() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)
    with pytest.raises(FileError, match="no home directory") as caught:
        default_cache()
    assert 'cache="DIR"' in str(caught.value.hint)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "graphscope"
    monkeypatch.setenv("GRAPHSCOPE_CACHE", str(tmp_path / "own"))
    assert default_cache() == tmp_path / "own"


def test_no_place_for_a_model_on_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.mkdtemp", refused)
    result = CliRunner().invoke(app, ["board", str(SOFTMAX)])
    assert result.exit_code == 1
    assert "cannot create a temporary log directory" in result.output
