"""What a path leads to is asked in one place, which answers for every name."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from pathlib import Path

import pytest

import graphscope
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.errors import FileError, GraphscopeError
from graphscope.formats.archives.npz_writer import write_npz
from graphscope.formats.io import paths
from graphscope.formats.io.atomic import write_file
from graphscope.formats.io.paths import exists, is_below, is_directory, is_file, real_path
from graphscope.formats.savedmodel.writer import write_saved_model
from graphscope.training.data import DataOptions, open_data
from tests.support.fixture_files import FIXTURES, ROOT

ODD = ["a" * 300, "/".join(["b" * 200] * 30), "a\0b", "\0", "FILE/x", "loop"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("FILE").write_bytes(b"")
    Path("directory").mkdir()
    Path("loop").symlink_to("loop")
    Path("link").symlink_to("FILE")
    Path("dangling").symlink_to("nothing")
    return tmp_path


@pytest.mark.parametrize("name", ODD)
def test_nothing_is_there(name: str, place: Path) -> None:
    for path in (name, Path(name), place / name):
        assert (exists(path), is_file(path), is_directory(path)) == (False, False, False)


def test_what_is_there(place: Path) -> None:
    answers = {name: (exists(name), is_file(name), is_directory(name)) for name in os.listdir(place)}
    assert answers == {
        "FILE": (True, True, False),
        "link": (True, True, False),
        "directory": (True, False, True),
        "loop": (False, False, False),
        "dangling": (False, False, False),
    }
    assert real_path("link") == real_path(place / "FILE")


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(5, "Input/output error")])
def test_what_cannot_be_told_is_an_error(error: OSError, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> os.stat_result:
        raise error

    monkeypatch.setattr(paths.os, "stat", refuse)  # type: ignore[attr-defined]
    for asks in (exists, is_file, is_directory):
        with pytest.raises(FileError, match=f"^below/x: {error.strerror}"):
            asks("below/x")


READERS: dict[str, Callable[[str], object]] = {
    "model": graphscope.load,
    "data": lambda name: open_data(name, TensorSpec("x:0", DataType.FLOAT, (None, 2)), DataOptions(cache=Path("cache"))),
    "pattern": lambda name: open_data(f"{name}/*", TensorSpec("x:0", DataType.FLOAT, (None, 2))),
    "part": lambda name: open_data(f"{name}:test", TensorSpec("x:0", DataType.FLOAT, (None, 2))),
}  # fmt: skip
WRITERS: dict[str, Callable[[str], object]] = {
    "file": lambda name: write_file(name, [b"x"]),
    "archive": lambda name: write_npz(name, []),
    "SavedModel": lambda name: write_saved_model(
        graphscope.load(FIXTURES / "softmax" / "frozen.pb"), Path(name), inputs=[], outputs=[], tags=[]
    ),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("how", [*READERS, *WRITERS])
def test_odd_names_are_refused_with_our_error(how: str, name: str, place: Path) -> None:
    before = sorted(os.listdir(place))
    with pytest.raises(GraphscopeError):
        (READERS | WRITERS)[how](name)
    assert sorted(os.listdir(place)) == before


ZIPS = [ROOT / "graphscope/scan/archives.py"]
"""Asks members of archives."""


def asked_elsewhere(source: str) -> list[int]:
    """Lines that ask ``pathlib`` or ``os.path`` what is there, or where it is."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            plain = node.func.attr in ("is_file", "is_dir", "exists", "resolve") and not node.args
            if plain or ast.unparse(node.func) in ("os.path." + n for n in ("exists", "isfile", "isdir", "realpath")):
                lines.append(node.lineno)
    return lines


def test_nobody_asks_elsewhere() -> None:
    assert asked_elsewhere("p.is_file()\nos.path.isdir(p)\nre.exists(a)\n(a / b).resolve()") == [1, 2, 4]
    modules = [p for p in (ROOT / "graphscope").rglob("*.py") if p.name != "paths.py" and p not in ZIPS]
    assert {str(p.relative_to(ROOT)): lines for p in modules if (lines := asked_elsewhere(p.read_text()))} == {}


def test_what_lies_below_a_directory(tmp_path: Path) -> None:
    """Every link followed, whether something is there or not."""
    inside = tmp_path / "d"
    inside.mkdir()
    (inside / "out").symlink_to(tmp_path)
    (tmp_path / "in").symlink_to(inside)
    below = {"d": True, "d/x": True, "d/x/y": True, "in/x": True, "d/../d": True}
    elsewhere = {
        "": False,
        "dd": False,
        "d/..": False,
        "d/out": False,
        "d/out/x": False,
        "d/out/d/x": True,
        "d/a\0b": False,
    }
    for path, is_so in (below | elsewhere).items():
        assert is_below(str(tmp_path / path), inside) is is_so, path
        assert is_below(str(tmp_path / path), tmp_path / "in") is is_so, path
