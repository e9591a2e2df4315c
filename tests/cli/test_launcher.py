"""The console script: ours, or an error that says what is in its place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import graphscope
from tests.support.fixture_files import ROOT

LAUNCH = [sys.executable, "-c", "import tf_graphscope; tf_graphscope.main()", "--version"]


def launched(*path: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": ":".join(map(str, path)), "PATH": "/usr/bin:/bin"}
    return subprocess.run(LAUNCH, capture_output=True, text=True, check=False, env=environment, cwd="/")


def test_it_starts_the_command_line() -> None:
    done = launched(ROOT)
    assert (done.returncode, done.stdout) == (0, f"graphscope {graphscope.__version__}\n")


@pytest.mark.parametrize("content", ["__version__ = '0.30.0'\n", "raise ImportError('no module named learning')\n"])
def test_another_package_of_that_name_is_an_error(content: str, tmp_path: Path) -> None:
    (tmp_path / "graphscope").mkdir()
    (tmp_path / "graphscope" / "__init__.py").write_text(content)
    done = launched(tmp_path, ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    assert "another project's package 'graphscope' is installed in place of tf-graphscope" in done.stderr
    assert "pip uninstall -y graphscope tf-graphscope" in done.stderr
