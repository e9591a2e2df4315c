"""The command line as a person meets it: commands, options, exit codes, pipes and terminals."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.cells import cell_len
from typer.testing import CliRunner, Result

import graphscope
from graphscope.cli import app as app_module
from graphscope.cli.app import app
from graphscope.cli.plain import plain_command, run_plainly
from graphscope.cli.terminal.pages import Format
from graphscope.protos import GraphDef, NodeDef
from graphscope.runtime.tensorflow import tensorflow
from tests.support.terminal import command_line, environment, on_terminal
from tests.support.zoo_files import ZOO, needs_zoo

COMMANDS = list(app_module.COMMANDS)  # type: ignore[attr-defined]
WEIGHTS = 4 * 3
HOSTILE = "evil\x1b[2J\u202e[red]🐈"


def add(graph: GraphDef, name: str, op: str, *inputs: str, dtype: int = 0, device: str = "") -> NodeDef:
    node: NodeDef = graph.node.add(name=name, op=op, device=device)
    node.input.extend(inputs)
    if dtype:
        node.attr["dtype"].type = dtype
    elif op not in ("NoOp", "double"):
        node.attr["T"].type = 1
    return node


def constant(graph: GraphDef, name: str, values: Sequence[float], *shape: int) -> None:
    tensor = add(graph, name, "Const", dtype=1).attr["value"].tensor
    tensor.dtype = 1
    tensor.float_val.extend(values)
    for size in shape:
        tensor.tensor_shape.dim.add(size=size)


def placeholder(graph: GraphDef, name: str, *shape: int) -> None:
    node = add(graph, name, "Placeholder", dtype=1)
    for size in shape:
        node.attr["shape"].shape.dim.add(size=size)


def small_graph() -> GraphDef:
    """x -> dense/MatMul -> dense/Softmax -> prob, a call of a library function, and an initializer."""
    graph = GraphDef()
    graph.versions.producer = 1087
    placeholder(graph, "x", -1, 4)
    constant(graph, "dense/kernel", [i / 4 for i in range(WEIGHTS)], 4, 3)
    add(graph, "dense/MatMul", "MatMul", "x", "dense/kernel", device="/gpu:0")
    add(graph, "dense/Softmax", "Softmax", "dense/MatMul")
    add(graph, "prob", "Identity", "dense/Softmax", "^init")
    add(graph, "init", "NoOp")
    add(graph, "twice", "double", "x")
    function = graph.library.function.add()
    function.signature.name = "double"
    function.signature.input_arg.add(name="a", type=1)
    function.signature.output_arg.add(name="b", type=1)
    inner = function.node_def.add(name="add", op="AddV2", input=["a", "a"])
    inner.attr["T"].type = 1
    function.ret["b"] = "add:z:0"
    return graph


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.pb"
    path.write_bytes(small_graph().SerializeToString())
    return path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A listing far larger than the buffer of a pipe."""
    graph = GraphDef()
    for i in range(20_000):
        add(graph, f"scope/op_{i}", "NoOp")
    path = tmp_path_factory.mktemp("model") / "large.pb"
    path.write_bytes(graph.SerializeToString())
    return path


def run(*args: object, **options: Any) -> Result:
    return CliRunner().invoke(app, [str(a) for a in args], prog_name="graphscope", **options)


def listed(*args: object) -> list[str]:
    result = run(*args, "--format", "names")
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def process(*args: object, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command_line(*args), capture_output=True, text=True, env=environment(**changes), timeout=60, check=False
    )


# -- what each command says ---------------------------------------------------------------------------------------------


def test_info(model: Path) -> None:
    result = run("info", model)
    assert result.stdout.splitlines()[-3:] == [
        f"next      graphscope nodes {model} --tree",
        f"          graphscope vars {model} --stats",
        f"          graphscope show {model} prob:0",
    ]
    text = result.stdout
    assert "frozen graph" in text
    assert re.search(r"producer 1087 +7 nodes, 7 ops, 1 function \(1 node\)\n", text)
    assert "parameters 12 (48 B float32)" in text
    assert re.search(r"inputs +x:0 +float32 \(\?, 4\)\n", text)
    assert re.search(r"outputs +prob:0 +float32 \(\?, 3\)\s+named like a prediction", text)
    assert re.search(r"devices +/gpu:0 +1 node\n", text)
    assert result.stderr == ""


def test_nodes_in_a_pipe(model: Path) -> None:
    assert run("nodes", model).stdout == (
        "name           op           outputs         device  inputs\n"
        "x              Placeholder  float32 (?, 4)\n"
        "dense/kernel   Const        float32 (4, 3)\n"
        "dense/MatMul   MatMul       float32 (?, 3)  /gpu:0  x, dense/kernel\n"
        "dense/Softmax  Softmax      float32 (?, 3)          dense/MatMul\n"
        "prob           Identity     float32 (?, 3)          dense/Softmax, ^init\n"
        "init           NoOp\n"
        "twice          double       float32 (?, 4)          x\n"
    )


def test_filters(model: Path) -> None:
    assert listed("nodes", model, "--op", "MatMul", "--op", "Softmax") == ["dense/MatMul", "dense/Softmax"]
    assert listed("nodes", model, "--name", "^x$", "--name", "(?i:softMAX)") == ["x", "dense/Softmax"]
    assert listed("nodes", model, "--scope", "dense/", "--name", "k") == ["dense/kernel"]
    assert listed("nodes", model, "--inputs-of", "prob:0") == ["dense/Softmax", "init"]
    assert listed("nodes", model, "--inputs-of", "prob", "--depth", 2) == ["dense/MatMul", "dense/Softmax", "init"]
    assert len(listed("nodes", model, "--inputs-of", "prob", "--depth", 0)) == 5
    assert listed("nodes", model, "--consumers-of", "x") == ["dense/MatMul", "twice"]
    assert listed("nodes", model, "--tensors", "--scope", "dense")[0] == "dense/kernel:0"
    assert listed("nodes", model, "--functions", "--op", "AddV2") == ["double/add"]


def test_steps_are_shown_where_more_than_one_was_taken(model: Path) -> None:
    heading, first, *_ = run("nodes", model, "--inputs-of", "prob", "--depth", 0).stdout.splitlines()
    assert heading.split()[:2] == ["steps", "name"]
    assert first.split()[:2] == ["3", "x"]


def test_tree(model: Path) -> None:
    assert run("nodes", model, "--tree").stdout == (
        "scope          op           nodes  parameters  size\n"
        "├─ x           Placeholder\n"
        "├─ dense                        3          12  48 B\n"
        "│  ├─ kernel   Const                       12  48 B\n"
        "│  ├─ MatMul   MatMul\n"
        "│  └─ Softmax  Softmax\n"
        "├─ prob        Identity\n"
        "├─ init        NoOp\n"
        "└─ twice       double\n"
    )
    assert listed("nodes", model, "--tree", "--depth", 1) == ["x", "dense", "prob", "init", "twice"]
    assert listed("nodes", model, "--tree", "--scope", "dense", "--depth", 1)[1:] == [
        "dense/kernel",
        "dense/MatMul",
        "dense/Softmax",
    ]
    assert listed("nodes", model, "--tree", "--inputs-of", "prob")[:2] == ["dense", "dense/Softmax"]
    assert listed("nodes", model, "--tree", "--functions", "--depth", 1)[-1] == "double/add"


def test_variables(model: Path) -> None:
    assert run("vars", model, "--stats").stdout.splitlines() == [
        "name          dtype    shape   elements  size  min   max   mean    std  zeros",
        "dense/kernel  float32  (4, 3)        12  48 B    0  2.75  1.375  0.863      1",
    ]
    assert listed("vars", model, "--name", "kernel", "--role", "model") == ["dense/kernel"]
    result = run("vars", model, "--role", "slot")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "note: no variable matches\n")


def test_show(model: Path) -> None:
    text = run("show", model, "dense/kernel").stdout
    assert text.startswith("dense/kernel  Const\n")
    assert "consumers   dense/MatMul  MatMul\n" in text
    assert "values      min 0  max 2.75  mean 1.375  std 0.863  1 zero\n            [[0.   0.25 0.5 ]\n" in text
    assert run("show", model, "double/add").stdout.startswith("double/add  AddV2\n")
    assert json.loads(run("show", model, "x:0", "--format", "json").stdout)["node"]["op"] == "Placeholder"


def parsed(format: Format, text: str) -> int:
    """How many records there are."""
    if format is Format.JSON:
        return len(json.loads(text))
    if format is Format.CSV:
        rows = list(csv.reader(io.StringIO(text)))
        assert len({len(row) for row in rows}) == 1
        return len(rows) - 1
    return len(text.splitlines()) - (format is Format.TABLE)


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize(
    ("args", "records"),
    [(["nodes"], 7), (["nodes", "--tensors"], 6), (["nodes", "--tree"], 8), (["vars"], 1), (["vars", "--stats"], 1)],
)
def test_every_format(model: Path, args: list[str], records: int, format: Format) -> None:
    result = run(args[0], model, *args[1:], "--format", format.value)
    assert (result.exit_code, result.stderr) == (0, "")
    assert parsed(format, result.stdout) == records


def test_info_in_every_format(model: Path) -> None:
    assert json.loads(run("info", model, "--format", "json").stdout)["graph"]["nodes"] == 7
    assert dict(csv.reader(io.StringIO(run("info", model, "--format", "csv").stdout)))["graph.nodes"] == "7"
    assert listed("info", model)[:2] == ["x:0", "prob:0"]


def without_tensorflow(monkeypatch: pytest.MonkeyPatch, *words: str | Path) -> Result:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    tensorflow.cache_clear()  # another test may have started it
    result = run(*words)
    tensorflow.cache_clear()
    return result


def test_shapes(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = without_tensorflow(monkeypatch, "nodes", model, "--op", "Softmax")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[1].split("  ")[2] == "float32 (?, 3)"
    for sizes in (("--batch", "7"), ("--shape", "x=7,4")):
        result = run("nodes", model, "--op", "Softmax", *sizes)
        assert (result.stdout.splitlines()[1].split("  ")[2], result.stderr) == ("float32 (7, 3)", "")
        assert "dense/Softmax:0  float32 (7, 3)" in run("show", model, "dense/Softmax", *sizes).stdout
    assert "cannot be fed (7, 5)" in run("nodes", model, "--shape", "x=7,5").stderr
    assert "cannot be combined with" in run("nodes", model, "--tree", "--batch", "7").stderr
    closed = run("nodes", model, "--shape", "x=7,4", "--batch", "2")
    assert "note: no input has an open batch dimension" in closed.stderr


def lacking(directory: Path) -> Path:
    """An op that TensorFlow knows and the table of rules lacks, one that nobody knows, and one that does not fit its op."""
    graph = GraphDef()
    graph.versions.producer = 1087
    placeholder(graph, "x", 2, 16)
    placeholder(graph, "right", 16, 3)
    add(graph, "solved", "BandedTriangularSolve", "x", "right").attr["T"].type = 1
    add(graph, "custom", "NobodyKnowsThis", "x")
    add(graph, "wrong", "MatMul", "x", "x").attr["T"].type = 1
    any_shape = add(graph, "any", "Placeholder")
    any_shape.attr["dtype"].type = 1
    any_shape.attr["shape"].shape.unknown_rank = True
    add(graph, "product", "MatMul", "any", "x").attr["T"].type = 1
    path = directory / "lacking.pb"
    path.write_bytes(graph.SerializeToString())
    return path


NOTES = (
    "note: no shapes below ops that TensorFlow does not know: NobodyKnowsThis 1",
    "note: no shapes below 1 node that TensorFlow would refuse: wrong (dimensions must be equal, but are 16 and 2)",
    "note: shapes missing in the file were inferred from their consumers: any (?, 2)",
)


def test_what_shapes_cannot_be_told_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = without_tensorflow(monkeypatch, "nodes", lacking(tmp_path), "--shapes", "--tensors")
    assert result.exit_code == 0
    lines = " ".join(result.stderr.split())
    assert all(note in lines for note in NOTES)
    assert "note: some shapes are unknown, because only TensorFlow can infer them: this needs TensorFlow" in lines
    by_rules = run("nodes", lacking(tmp_path), "--tensors")
    assert "no shapes below ops without a rule: BandedTriangularSolve 1; --shapes asks TensorFlow" in " ".join(
        by_rules.stderr.split()
    )


def test_tensorflow_is_asked_for_ops_without_a_rule(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow infers the shapes of ops without a rule")
    done = process("nodes", lacking(tmp_path), "--shapes", "--op", "BandedTriangularSolve")
    assert done.stdout.splitlines()[1].split("  ")[2] == "float32 (16, 3)"


# -- exit codes and messages --------------------------------------------------------------------------------------------


def test_show_as_csv_and_names(model: Path) -> None:
    fields = dict(csv.reader(io.StringIO(run("show", model, "prob", "--format", "csv").stdout)))
    assert fields["node.op"] == "Identity"
    assert run("show", model, "prob", "--format", "names").stdout == "prob:0\n"


@pytest.mark.parametrize(
    "args",
    [
        ["nodes", "MODEL", "--name", "("],
        ["vars", "MODEL", "--name", "[z-a]"],
        ["nodes", "MODEL", "--tree", "--tensors"],
        ["nodes", "MODEL", "--depth", "-1"],
        ["nodes", "MODEL", "--format", "xml"],
        ["nodes", "MODEL", "--no-such-option"],
        ["show", "MODEL"],
        ["info"],
        ["frobnicate"],
        ["--no-such-option"],
        ["--version=3"],
    ],
)
def test_wrong_usage_is_2(model: Path, args: list[str]) -> None:
    result = run(*[str(model) if a == "MODEL" else a for a in args])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert result.stderr.endswith(" --help\n")


@pytest.mark.parametrize(
    "words",
    [["MODEL"], ["info", "MODEL"], ["nowhere.pb"], ["info", "nowhere.pb"], ["vars", "MODEL"], ["vars", "nowhere.pb"]],
)
def test_what_needs_no_parser_is_as_with_it(model: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(model) if word == "MODEL" else word for word in words]
    parsed = run(*words)
    plain = plain_command(words)
    assert plain == (words[0] if len(words) > 1 else "info", words[-1])
    assert run_plainly(*plain) == parsed.exit_code
    assert tuple(capsys.readouterr()) == (parsed.stdout, parsed.stderr)


@pytest.mark.parametrize("words", [[], ["info"], ["frobnicate"], ["nodes", "x.pb"], ["--version"], ["info", "--help"]])
def test_what_the_parser_reads(words: list[str]) -> None:
    assert plain_command(words) is None


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["info", "nowhere.pb"], "nowhere.pb: no such file"),
        (["show", "MODEL", "prb"], "closest: prob"),
        (["nodes", "MODEL", "--op", "Matmul"], "closest: MatMul"),
        (["nodes", "MODEL", "--scope", "dens"], "closest: dense"),
        (["nodes", "MODEL", "--inputs-of", "prb"], "closest: prob"),
    ],
)
def test_what_cannot_be_done_is_1(model: Path, args: list[str], message: str) -> None:
    result = run(*[str(model) if a == "MODEL" else a for a in args])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr


def test_names_in_messages_are_escaped(model: Path) -> None:
    done = process("info", "no\x1b[2Jsuch.pb")
    assert done.returncode == 1
    assert "\\x1b[2J" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (MemoryError(), 1), (BrokenPipeError(), 141)])
def test_interruptions(model: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    def load(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("graphscope.formats.open_any", load)
    result = run("info", model)
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == ("error: not enough memory\n" if code == 1 else "")


def test_a_bug_shows_its_traceback(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphscope.formats.open_any", lambda *_, **__: 1 / 0)
    assert isinstance(run("info", model).exception, ZeroDivisionError)


# -- pipes and terminals ------------------------------------------------------------------------------------------------


def test_a_reader_that_leaves_early_is_no_error(large: Path) -> None:
    child = subprocess.Popen(
        command_line("nodes", large), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert child.stdout is not None
    assert child.stderr is not None
    assert child.stdout.readline().startswith(b"name")
    child.stdout.close()
    errors = child.stderr.read()
    child.stderr.close()
    assert (child.wait(timeout=30), errors) == (141, b"")


def test_control_c_ends_quietly(large: Path) -> None:
    child = subprocess.Popen(
        command_line("nodes", large), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert child.stdout is not None
    assert child.stdout.readline().startswith(b"name")  # now it waits for somebody to read on
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert (child.returncode, errors) == (130, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="optional: no /dev/full on this system")
@pytest.mark.parametrize("name", ["model", "large"])
def test_a_full_disk_is_told(request: pytest.FixtureRequest, name: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command_line("nodes", request.getfixturevalue(name)),
            stdout=full, stderr=subprocess.PIPE, text=True, env=environment(), timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "error: standard output: No space left on device\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="optional: no /dev/full on this system")
@pytest.mark.parametrize("words", [["--help"], ["nodes", "--help"], ["--version"], ["--show-completion", "bash"]])
def test_a_page_of_help_that_cannot_be_written(words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command_line(*words),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "error: standard output: No space left on device\n")


def test_a_closed_stdout_is_no_error(model: Path) -> None:
    shell = shutil.which("sh")
    if shell is None:
        pytest.skip("optional: no sh on this system")
    script = 'exec "$0" -m graphscope info "$1" >&-'
    done = subprocess.run(
        [shell, "-c", script, sys.executable, str(model)],
        capture_output=True,
        env=environment(),
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_gets_colour_and_lines_that_fit(model: Path) -> None:
    code, text = on_terminal(command_line("nodes", model), 60)
    assert code == 0
    assert "\x1b[36mMatMul" in text
    lines = re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()
    assert len(lines) == 8
    assert max(map(cell_len, lines)) <= 60


@pytest.mark.parametrize("changes", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_declined(model: Path, changes: dict[str, str]) -> None:
    code, text = on_terminal(command_line("nodes", model), 60, **changes)
    assert code == 0
    assert "\x1b" not in text


def test_a_terminal_gets_a_total(model: Path) -> None:
    _, text = on_terminal(command_line("vars", model), 80, NO_COLOR="1")
    assert text.splitlines()[-1] == "1 constant, 12 elements, 48 B"


def test_long_work_has_a_progress_bar_on_a_terminal_alone(model: Path) -> None:
    code = (
        "import graphscope.cli.terminal.progress as p; p.LONG_BYTES = 0; from graphscope.__main__ import main; main()"
    )
    arguments = [sys.executable, "-c", code, "vars", str(model), "--stats"]
    assert "reading values" in on_terminal(arguments, 100)[1]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment(), timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "command", [["info"], ["nodes"], ["nodes", "--tree"], ["nodes", "--tensors"], ["vars"], ["show"]]
)
def test_a_hostile_graph_cannot_steer_the_terminal(tmp_path: Path, command: list[str]) -> None:
    graph = GraphDef()
    placeholder(graph, HOSTILE, 1)
    constant(graph, f"{HOSTILE}/weights", [1.0], 1)
    add(graph, f"{HOSTILE}/out", HOSTILE, HOSTILE, f"{HOSTILE}/weights", device=HOSTILE).attr[
        HOSTILE
    ].s = HOSTILE.encode()
    path = tmp_path / "hostile.pb"
    path.write_bytes(graph.SerializeToString())
    arguments = [*command[:1], path, *command[1:], *([f"{HOSTILE}/out"] if command == ["show"] else [])]
    _, text = on_terminal(command_line(*arguments), 120, NO_COLOR="1")
    assert not set(text) & {"\x1b", "\u202e"}
    assert "[red]🐈" in text


def test_output_that_is_not_unicode(tmp_path: Path) -> None:
    graph = GraphDef()
    add(graph, "cat🐈/é", "NoOp")
    path = tmp_path / "cat.pb"
    path.write_bytes(graph.SerializeToString())
    done = process("nodes", path, "--tree", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "cat\\U0001f408" in done.stdout
    found = json.loads(process("nodes", path, "--format", "json", PYTHONIOENCODING="ascii").stdout)
    assert found[0]["name"] == "cat🐈/é"


# -- help, completion, start --------------------------------------------------------------------------------------------


def test_version() -> None:
    assert run("--version").stdout == f"graphscope {graphscope.__version__}\n"


def test_help_has_an_example_for_each_command() -> None:
    text = run("--help").stdout
    for command in COMMANDS:
        assert re.search(rf"^  {command} +[A-Z]", text, re.MULTILINE)
        assert f"  graphscope {command} " in run(command, "--help").stdout.partition("Examples:\n")[2]
    assert run(command, "-h").stdout == run(command, "--help").stdout


def test_help_is_one_page_however_it_is_asked_for() -> None:
    page = process("--help").stdout
    assert page == process("-h").stdout == run("--help").stdout
    assert page == process("--help", COLUMNS="300").stdout
    assert max(map(len, page.splitlines())) <= 78
    narrow = process("--help", COLUMNS="50").stdout
    assert narrow.split() == page.split()
    assert len(narrow.splitlines()) > len(page.splitlines())


def test_help_has_every_option_that_typer_knows() -> None:
    group = typer.main.get_command(app)
    options = [name for option in group.params for name in option.opts]
    assert options
    assert set(options) <= set(re.findall(r"--[a-z-]+", run("--help").stdout))


def test_names_are_the_names_of_the_rows(model: Path) -> None:
    rows = json.loads(run("nodes", model, "--functions", "--format", "json").stdout)
    names = [f"{row['function']}/{row['name']}" if row["function"] else row["name"] for row in rows]
    assert run("nodes", model, "--functions", "--format", "names").stdout.splitlines() == names


def completed(words: str, number: int) -> list[str]:
    variables = {"_GRAPHSCOPE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(number)}
    return process(**variables).stdout.split()


def test_completion(model: Path) -> None:
    assert completed("graphscope ", 1) == list(COMMANDS)
    assert completed(f"graphscope nodes {model} --format ", 4) == [f.value for f in Format]
    assert completed(f"graphscope nodes {model} --op Ma", 4) == ["MatMul"]
    assert completed(f"graphscope nodes {model} --scope d", 4) == ["dense"]
    assert completed(f"graphscope show {model} dense/k", 3) == ["dense/kernel"]
    assert completed("graphscope show nowhere.pb d", 3) == []
    assert completed("graphscope info sm", 2) == []  # the shell completes paths by itself


@pytest.mark.parametrize(
    ("args", "unwanted"),
    [
        (["--help"], {"numpy", "rich", "tensorflow", "typer", "google"}),
        (["-h"], {"typer"}),
        (["nodes", "MODEL"], {"numpy", "rich", "tensorflow"}),
        (["info", "MODEL"], {"rich", "tensorflow"}),
        (["vars", "MODEL"], {"numpy", "rich", "tensorflow"}),
        (["vars", "MODEL", "--stats"], {"rich", "tensorflow"}),
        (["nodes", "MODEL", "--tree"], {"numpy", "rich", "tensorflow"}),
    ],
)
def test_what_is_not_needed_is_not_imported(model: Path, args: list[str], unwanted: set[str]) -> None:
    arguments = [str(model) if a == "MODEL" else a for a in args]
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "graphscope", *arguments],
        capture_output=True, text=True, env=environment(), timeout=60, check=True,
    )  # fmt: skip
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "graphscope" in imported
    assert not imported & unwanted


@needs_zoo
def test_other_peoples_models() -> None:
    done = process("info", ZOO / "frozen_pb" / "blaueck+tf-mtcnn" / "mtcnn.pb")
    assert "894 nodes, 40 ops, no functions" in done.stdout
    assert "input:0" in done.stdout
    assert (done.returncode, done.stderr) == (0, "")
    done = process("vars", ZOO / "meta_ckpt" / "isl-org+NPHard" / "model", "--format", "names")
    assert len(done.stdout.splitlines()) == 122
    done = process("info", next(iter(sorted((ZOO / "negative").rglob("*.pb")))))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Git LFS pointer" in done.stderr
