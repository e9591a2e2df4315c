"""``diff`` and ``text`` on the command line."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from graphscope.cli.app import app
from graphscope.protos import GraphDef
from tests.project.test_light import POISON, with_tensorflow
from tests.support.fixture_files import FIXTURES, ROOT

SOFTMAX = FIXTURES / "softmax"


def invoke(*words: object) -> Result:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_exit_codes_are_those_of_diff(tmp_path: Path) -> None:
    assert invoke("diff", SOFTMAX, SOFTMAX).exit_code == 0
    assert invoke("diff", SOFTMAX / "model.ckpt-5400", SOFTMAX / "model.ckpt-6000").exit_code == 1
    missing = invoke("diff", SOFTMAX, tmp_path / "absent")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "absent: no such file" in missing.stderr
    assert invoke("diff", SOFTMAX).exit_code == 2


def test_equal_models_say_so() -> None:
    result = invoke("diff", SOFTMAX, SOFTMAX)
    assert result.stdout == ""
    assert result.stderr == "note: 77 and 77 nodes, matched 77 by name; no differences\n"


def test_the_table_and_the_weights_that_moved_most() -> None:
    words = ("diff", SOFTMAX / "model.ckpt-5400", SOFTMAX / "model.ckpt-6000")
    shown = invoke(*words).stdout
    assert shown.index("inference/weights") < shown.index("inference/biases")
    assert "inference/biases" not in invoke(*words, "--top", 1).stdout
    assert "and 1 more: --top 0 shows all" in invoke(*words, "--top", 1).stdout
    assert invoke(*words, "--top", 0).stdout == shown
    assert invoke(*words, "--weights", "none").exit_code == 0


def test_a_frozen_model_is_explained_unless_it_shall_not_be() -> None:
    words = ("diff", FIXTURES / "lenet5", FIXTURES / "lenet5" / "frozen.pb")
    explained = invoke(*words)
    assert explained.exit_code == 1
    assert "10 variables that became constants" in " ".join(explained.stdout.split())
    assert "signatures and collections were not compared" in explained.stderr
    plain = invoke(*words, "--no-explain").stdout
    assert "- train/" in plain
    assert "explained" not in plain


def test_formats() -> None:
    words = ("diff", SOFTMAX / "model.ckpt-5400", SOFTMAX / "model.ckpt-6000", "--format")
    report = json.loads(invoke(*words, "json").stdout)
    assert (report["is_equal"], report["nodes"], report["matched"]) == (False, [77, 77], {"by name": 77})
    assert report["differences"][0]["weight"]["elements"] == 7840
    rows = list(csv.DictReader(invoke(*words, "csv").stdout.splitlines()))
    assert [row["name"] for row in rows] == ["inference/weights", "inference/biases"]
    assert float(rows[0]["max_abs"]) == report["differences"][0]["weight"]["max_abs"]
    assert invoke(*words, "names").stdout.split() == ["inference/weights", "inference/biases"]


def test_names_from_files_are_escaped(tmp_path: Path) -> None:
    for name, op in (("a", "Relu"), ("b", "Elu")):
        graph = GraphDef()
        graph.node.add(name="bad\x1b[2J", op=op)
        (tmp_path / f"{name}.pb").write_bytes(graph.SerializeToString())
    for words in (("diff", tmp_path / "a.pb", tmp_path / "b.pb"), ("text", tmp_path / "a.pb")):
        shown = invoke(*words).stdout
        assert "bad\\x1b[2J" in shown
        assert "\x1b" not in shown


def test_text() -> None:
    shown = invoke("text", SOFTMAX / "frozen.pb")
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[0] == "node inference/MatMul = MatMul(input, inference/weights/read) T=float32"
    assert "crc32c" not in invoke("text", SOFTMAX / "frozen.pb", "--no-values").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("diff", "lenet5", "lenet5/frozen.pb"),
        ("diff", "softmax", "lenet5"),
        ("diff", "softmax", "lenet5", "--format", "html", "-o", "PAGE"),
        ("text", "lenet5"),
    ],
)
def test_nothing_here_imports_tensorflow(words: tuple[str, ...], tmp_path: Path) -> None:
    places = {"PAGE": tmp_path / "diff.html"} | {word: FIXTURES / word for word in words if (FIXTURES / word).exists()}
    command = [sys.executable, "-m", "graphscope", *(str(places.get(word, word)) for word in words)]
    environment = with_tensorflow(tmp_path, POISON)
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    assert done.returncode == (1 if "diff" in words else 0), done.stderr


def test_a_page_with_both_graphs(tmp_path: Path) -> None:
    words = ("diff", FIXTURES / "lenet5", FIXTURES / "lenet5" / "frozen.pb", "--format", "html")
    page = tmp_path / "diff.html"
    written = invoke(*words, "-o", page)
    assert written.exit_code == 1
    assert written.stdout.startswith(f"{page}  html, ")
    assert "388 and 43 nodes" in written.stderr
    assert page.read_text("utf-8").startswith("<!DOCTYPE html>")
    again = invoke(*words, "-o", page)
    assert (again.exit_code, again.stdout) == (2, "")
    assert "--force replaces it" in again.stderr
    assert invoke(*words, "-o", page, "--force").exit_code == 1
    assert invoke("diff", SOFTMAX, SOFTMAX, "--format", "html", "-o", tmp_path / "same.html").exit_code == 0


def test_a_page_needs_a_name_that_says_so(tmp_path: Path) -> None:
    for words, complaint in (
        (("--format", "html"), "name the page to write"),
        (("-o", tmp_path / "diff.html"), "only --format html writes a file"),
        (("--format", "html", "-o", tmp_path / "diff.svg"), "give a name that ends in .html"),
    ):
        refused = invoke("diff", SOFTMAX, SOFTMAX, *words)
        assert refused.exit_code == 2
        assert complaint in refused.stderr
    assert list(tmp_path.iterdir()) == []
