"""``graphscope draw``: files by their ending, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import graphscope
from graphscope.tracing.chrome import chrome_trace
from tests.support.fixture_files import FIXTURES
from tests.support.invoked import code_of
from tests.support.traces import CPU0, metadata, trace

LENET = FIXTURES / "lenet5"


def test_a_picture_is_written_and_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "lenet5.svg"
    assert code_of("draw", LENET, "-o", target, "--depth", 1) == 0
    assert capsys.readouterr().out.startswith(f"{target}  svg, 21 boxes of 388 nodes, ")
    assert target.read_text("utf-8") == graphscope.draw(LENET, depth=1).svg()
    assert code_of("draw", LENET, target, "--force", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["nodes"] == 388


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-o", "x.bmp"], 2, "x.bmp: no drawing is written as bmp"),
        (["-o", "x"], 2, "no drawing is written as a file without an ending"),
        ([], 2, "name what to write, for example model.html"),
        (["-o", "x.svg", "--focus", "fc2/rely"], 1, "closest: fc2/relu"),
        (["-o", "x.svg", "--scope", "conv3"], 1, "closest: conv"),
        (["-o", "x.svg", "--color", "time"], 2, "hint: --color time --profile logs"),
        (["-o", "x.svg", "--color", "time", "--profile", "."], 1, "no event file"),
        (["-o", "x.svg", "--color", "time", "--profile", "no.json"], 1, "no.json: No such file"),
        (["-o", "x.svg", "--profile", "logs"], 2, "hint: --color time"),
        (["-o", "taken.svg"], 1, "--force"),
        (["-o", "x.svg", "--depth", "0"], 2, "--depth"),
    ],
)
def test_what_is_refused_is_named(
    words: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken.svg").write_text("old")
    assert code_of("draw", LENET, *words) == code
    assert message in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["taken.svg"]


def test_times_of_another_model_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = trace([metadata({CPU0: [("conv1/conv", "Conv2D", (), 0, 5)]})])
    timeline = tmp_path / "t.json"
    timeline.write_bytes(b"".join(chrome_trace(ran)))
    assert code_of("draw", LENET, tmp_path / "x.svg", "--color", "time", "--profile", timeline) == 0
    assert code_of("draw", FIXTURES / "rnn", tmp_path / "y.svg", "--color", "time", "--profile", timeline) == 1
    assert "t.json: none of the nodes that ran is in rnn" in capsys.readouterr().err
    timeline.write_text("{}")
    assert code_of("draw", LENET, tmp_path / "z.svg", "--color", "time", "--profile", timeline) == 1
    assert "t.json: not a timeline that graphscope wrote" in capsys.readouterr().err


def test_a_checkpoint_without_a_graph_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in LENET.glob("model.ckpt-*"):
        if path.suffix != ".meta":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert code_of("draw", tmp_path / "model.ckpt-4690", "-o", tmp_path / "x.svg") == 1
    assert "a checkpoint without a graph" in capsys.readouterr().err
