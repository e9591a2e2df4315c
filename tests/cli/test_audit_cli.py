"""``audit`` on the command line: formats, exit codes, what is said to stderr."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from graphscope.cli.app import app
from tests.project.test_light import POISON, with_tensorflow
from tests.support.dangerous import WRITERS, dangerous_graph
from tests.support.fixture_files import FIXTURES, ROOT


def invoke(*words: object) -> Result:
    result = CliRunner().invoke(app, ["audit", *map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture(scope="module")
def danger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return WRITERS["pb"](dangerous_graph("top level"), tmp_path_factory.mktemp("danger"))


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return WRITERS["pb"](dangerous_graph("uncalled function"), tmp_path_factory.mktemp("dead"))


def test_a_harmless_model() -> None:
    result = invoke(FIXTURES / "lenet5")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "files audited; 7 findings: 7 info" in result.stderr


def test_a_harmful_model(danger: Path) -> None:
    result = invoke(danger)
    assert result.exit_code == 1
    [line] = [line for line in result.stdout.splitlines() if "(WriteFile)" in line]
    assert line.split()[:3] == ["high", "writes-file", "n/WriteFile"]
    assert "writes the file /outside/of/the/model" in line


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 0),
        (["--fail-on", "low"], 1),
        (["--fail-on", "medium"], 0),
        (["--fail-on", "never"], 0),
        (["--fail-on", "worst"], 2),
    ],
)
def test_exit_codes(words: list[str], code: int, dead: Path) -> None:
    assert invoke(dead, *words).exit_code == code


def test_a_policy_decides_what_fails_unless_the_option_does(dead: Path, tmp_path: Path) -> None:
    policy = tmp_path / "p.json"
    policy.write_text('{"fail_on": "low"}')
    assert invoke(dead, "--policy", policy).exit_code == 1
    assert invoke(dead, "--policy", policy, "--fail-on", "high").exit_code == 0


def test_what_could_not_be_read_is_no_success(danger: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.pb").write_bytes(danger.read_bytes()[:-7])
    result = invoke(tmp_path, "--fail-on", "never")
    assert result.exit_code == 1
    assert "warning: not audited: " in result.stderr
    assert invoke(tmp_path / "absent").exit_code == 1


def test_the_hook_for_pre_commit(danger: Path) -> None:
    """As pre-commit calls it: with the changed files that its pattern finds."""
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    program, command, *words = hook["entry"].split()
    assert (program, command) == ("graphscope", "audit")
    harmless = FIXTURES / "softmax" / "frozen.pb"
    assert all(re.search(hook["files"], str(path)) for path in (danger, harmless))
    assert re.search(hook["files"], "README.md") is None
    assert invoke(*words, harmless).exit_code == 0
    assert invoke(*words, harmless, danger).exit_code == 1


def test_json_and_sarif(danger: Path) -> None:
    found = json.loads(invoke(danger, "--format", "json").stdout)
    assert found["models"] == [str(danger)]
    [write] = [f for f in found["findings"] if f["op"] == "WriteFile"]
    assert (write["severity"], write["category"], write["source"]) == ("high", "writes", "constant")
    log = json.loads(invoke(danger, "--format", "sarif", "--allow", "WriteFile").stdout)
    assert "WriteFile" not in {r["properties"]["op"] for r in log["runs"][0]["results"]}


def test_findings_that_differ_in_their_node_alone_share_a_line(tmp_path: Path) -> None:
    graph = dangerous_graph("top level")
    graph.node.add(name="again", op="Abort")
    result = invoke(WRITERS["pb"](graph, tmp_path))
    assert "n/Abort (Abort) and 1 more" in result.stdout


def test_an_audit_imports_no_tensorflow(danger: Path, tmp_path: Path) -> None:
    environment = with_tensorflow(tmp_path, POISON)
    command = [sys.executable, "-m", "graphscope", "audit", str(danger), str(FIXTURES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)
    assert done.returncode == 1, done.stderr
    assert "high" in done.stdout


def test_info_tells_of_what_is_high_in_one_line(danger: Path) -> None:
    def info(path: Path) -> list[str]:
        return [
            line
            for line in CliRunner().invoke(app, ["info", str(path)]).stdout.splitlines()
            if line.startswith("danger")
        ]

    assert len(info(danger)) == 1
    assert info(FIXTURES / "lenet5") == []
