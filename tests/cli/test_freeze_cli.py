"""``graphscope freeze`` as a person meets it: what it writes, and what it says and leaves alone when it cannot."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import graphscope
from graphscope.api.freeze import Frozen
from graphscope.cli.app import app
from graphscope.cli.terminal.wording import to_words
from graphscope.core.changes.build import constant
from graphscope.core.graph import Graph
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.core.variables.variables import Role
from graphscope.errors import GraphscopeError
from graphscope.protos import GraphDef
from graphscope.transforms.data_format import Converted
from graphscope.transforms.for_tensorflow import Backported
from graphscope.transforms.freeze import FreezeOptions, FrozenGraph
from graphscope.transforms.input_shapes import Reshaped
from tests.project.test_light import POISON, with_tensorflow
from tests.support.fixture_files import FIXTURES, ROOT

pytestmark = pytest.mark.tensorflow

MODEL = FIXTURES / "lenet5"
OLD = b"what was there before"


def command(*words: object) -> Result:
    """``graphscope freeze WORDS`` in this process."""
    environment = {"COLUMNS": "400", "NO_COLOR": "1"}
    return CliRunner(env=environment).invoke(app, ["freeze", *map(str, words)], catch_exceptions=False)


def process(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    """``graphscope freeze WORDS`` in a process of its own."""
    given = {"env": {**os.environ, "COLUMNS": "400"}, "cwd": ROOT} | options
    start = [sys.executable, "-m", "graphscope", "freeze", *map(str, words)]
    return subprocess.run(start, capture_output=True, text=True, check=False, **given)  # type: ignore[call-overload]


def fails(out: Path, *words: object, **options: object) -> str:
    """The command's message; an old file stands, none is left where there was none, and nothing lies beside."""
    before = out.read_bytes() if out.exists() else None
    beside = set(out.parent.iterdir())
    if options:
        ended = process(*words, "-o", out, **options)
        code, said = ended.returncode, ended.stderr
    else:
        done = command(*words, "-o", out)
        code, said = done.exit_code, done.stderr
    assert (code, "Traceback" in said) == (1, False), said
    assert (out.read_bytes() if out.exists() else None) == before
    assert set(out.parent.iterdir()) == beside
    return said


@pytest.fixture(params=["new", "old"])
def out(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where the frozen graph goes: where nothing is yet, and where an old file is."""
    path = tmp_path / "out" / "frozen.pb"
    path.parent.mkdir()
    if request.param == "old":
        path.write_bytes(OLD)
    return path


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of a checkpoint in one shard, to be damaged."""
    return Path(shutil.copytree(MODEL, tmp_path / "copy", ignore=shutil.ignore_patterns("saved_model", "*.pb")))


def shard(directory: Path) -> Path:
    return next(directory.glob("*.data-*"))


def test_what_it_says_and_writes(tmp_path: Path) -> None:
    out = tmp_path / "frozen.pb"
    done = process(MODEL, "-o", out, "--output", "softmax")
    assert done.returncode == 0, done.stderr
    assert "nodes ->" in done.stdout
    assert f"{out}  " in done.stdout
    found = graphscope.load(out).graph
    assert "softmax" in found
    assert not {"VariableV2", "VarHandleOp"} & set(found.ops)
    assert list(tmp_path.iterdir()) == [out]


def test_an_unknown_output(out: Path) -> None:
    message = fails(out, MODEL, "--output", "sotfmax", "--force")
    assert "sotfmax" in message
    assert "softmax" in message.replace("sotfmax", "")


def test_an_output_number_that_does_not_exist(out: Path) -> None:
    assert "there is no softmax:3" in fails(out, MODEL, "--output", "softmax:3", "--force")


def test_an_unknown_input(out: Path) -> None:
    assert "no node is named 'nowhere'" in fails(out, MODEL, "--output", "softmax", "--input", "nowhere", "--force")


def test_a_variable_without_a_value(out: Path) -> None:
    message = fails(out, FIXTURES / "softmax" / "graph.pbtxt", "--output", "inference/prediction", "--force")
    assert "no value for variable inference/" in message
    assert "--checkpoint PREFIX" in message


def test_a_missing_shard(out: Path, copied: Path) -> None:
    missing = shard(copied)
    missing.unlink()
    message = fails(out, copied, "--output", "softmax", "--force")
    assert missing.name in message


def test_a_truncated_shard(out: Path, copied: Path) -> None:
    broken = shard(copied)
    broken.write_bytes(broken.read_bytes()[:-100_000])
    assert broken.name in fails(out, copied, "--output", "softmax", "--force")


def test_a_flipped_byte_names_the_tensor(out: Path, copied: Path) -> None:
    """The largest weight is hit: no constant is small enough to be read before it is written."""
    model = graphscope.load(copied)
    values = {v.name: model.value(v).numpy() for v in model.variables if v.in_graph and v.role is Role.MODEL}
    name = max(values, key=lambda name: values[name].nbytes)
    content = bytearray(shard(copied).read_bytes())
    where = bytes(content).find(values[name].tobytes())
    assert where >= 0
    content[where + 1000] ^= 1
    shard(copied).write_bytes(content)
    for options in ((), ("--no-fold",)):
        message = fails(out, copied, "--output", "softmax", "--force", *options)
        assert "checksum" in message
        assert name in message


def test_an_existing_file_stays_without_force(tmp_path: Path) -> None:
    out = tmp_path / "frozen.pb"
    out.write_bytes(OLD)
    message = fails(out, MODEL, "--output", "softmax")
    assert "the file exists" in message
    assert "--force" in message
    assert command(MODEL, "--output", "softmax", "--force", "-o", out).exit_code == 0
    assert len(graphscope.load(out).graph) > 5


def test_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    done = command(MODEL, "--output", "softmax", "-o", tmp_path / "no" / "frozen.pb")
    assert done.exit_code == 1
    assert "no such directory" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("is_training=maybe",), "neither a number nor a list"),
        (("is_training=[true, false]",), "is_training:0 has shape (), the value (2)"),
        (("is_training=0.5",), "is_training:0 takes bool"),
        (("is_training=7",), "is_training:0 takes bool"),
        (("predictions=1",), "predictions"),
        (("is_trainin=false",), "is_training"),
        (("is_training",), "NAME=VALUE"),
        (("is_training=@nothing.npy",), "nothing.npy"),
    ],
)
def test_a_set_that_does_not_fit(words: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    out = tmp_path / "frozen.pb"
    out.write_bytes(OLD)
    given = [part for word in words for part in ("--set", word)]
    done = command(FIXTURES / "batchnorm", "--output", "predictions", *given, "--force", "-o", out)
    assert done.exit_code in (1, 2), done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert out.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [out]


def test_set_from_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "switch.npy", np.array(False))
    words = ("--output", "predictions", "--set", f"is_training=@{tmp_path / 'switch.npy'}", "-o", tmp_path / "f.pb")
    done = command(FIXTURES / "batchnorm", *words)
    assert done.exit_code == 0, done.stderr
    assert not {"Switch", "Merge", "Assign"} & set(graphscope.load(tmp_path / "f.pb").graph.ops)


def test_an_open_switch_is_told(tmp_path: Path) -> None:
    done = command(FIXTURES / "batchnorm", "--output", "predictions", "-o", tmp_path / "f.pb")
    assert done.exit_code == 0, done.stderr
    assert "add --set is_training=false" in done.stdout + done.stderr


def test_no_clear_output_lists_the_candidates(out: Path, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow", reason="optional: TensorFlow builds this graph")
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        tf.nn.softmax(x, name="first")
        tf.nn.softmax(x * 2.0, name="second")
    path = tmp_path / "two.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    message = fails(out, path, "--force")
    assert "first:0" in message
    assert "second:0" in message
    assert "--output" in message


needs_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="optional: TensorFlow verifies")


@needs_tensorflow
def test_a_failed_verification_leaves_no_file(out: Path) -> None:
    message = fails(out, MODEL, "--output", "softmax", "--float16", "--verify", "--force")
    assert "computes different values" in message
    assert "softmax" in message
    assert "max |difference|" in message
    assert "--atol" in message


@needs_tensorflow
def test_a_passed_verification_prints_the_differences(tmp_path: Path) -> None:
    words = (MODEL, "--output", "softmax", "--verify", "-o")
    alone = process(*words, tmp_path / "whole.pb", "--no-fold")  # with exact kernels, whatever this process has
    assert alone.returncode == 0, alone.stderr
    assert "softmax:0 max |difference| 0 (relative 0), equal to the bit" in " ".join(alone.stdout.split())
    done = command(*words, tmp_path / "half.pb", "--float16", "--atol", "0.05", "--rtol", "0.05")
    assert done.exit_code == 0, done.stderr
    assert "half precision costs" in done.stdout
    assert (tmp_path / "half.pb").exists()


def test_no_space(out: Path) -> None:
    """The system refuses to let the file grow: the old one stands."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    message = fails(out, MODEL, "--output", "softmax", "--force", preexec_fn=limit)
    assert "File too large" in message
    assert out.name in message


SLOW = """
import sys
from graphscope.formats.lazy import pieces

flow = pieces.flow


def slow(given):
    for number, chunk in enumerate(flow(given)):
        yield chunk
        if number == 0:
            print("writing", flush=True)
            sys.stdin.read()


pieces.flow = slow
from graphscope.__main__ import main
sys.argv = ["graphscope", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_ended_while_writing(number: signal.Signals, code: int, out: Path) -> None:
    """The process gets a signal after the first piece: the old file stands, and only a kill leaves something beside it."""
    before = out.read_bytes() if out.exists() else None
    words = [sys.executable, "-c", SLOW, "freeze", str(MODEL), "--output", "softmax", "--force", "-o", str(out)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert any(line == "writing\n" for line in iter(process.stdout.readline, ""))
        assert len([p for p in out.parent.iterdir() if p != out]) == 1
        process.send_signal(number)
        assert process.wait(20) == code
    assert (out.read_bytes() if out.exists() else None) == before
    assert number is signal.SIGKILL or [p for p in out.parent.iterdir() if p != out] == []


def test_tensorflow_is_not_needed(tmp_path: Path) -> None:
    """Where importing TensorFlow ends the process, the graph is the same."""
    poison = tmp_path / "poison"
    poison.mkdir()
    environment = {**with_tensorflow(poison, POISON), "COLUMNS": "400"}
    for name, model, words in (
        ("lenet5", MODEL, ("--output", "softmax")),
        ("batchnorm", FIXTURES / "batchnorm", ("--output", "predictions", "--set", "is_training=false")),
        ("partitioned", FIXTURES / "partitioned", ()),
    ):
        there, here = tmp_path / f"{name}_there.pb", tmp_path / f"{name}_here.pb"
        done = process(model, *words, "-o", there, env=environment)
        assert done.returncode == 0, done.stderr
        assert command(model, *words, "-o", here).exit_code == 0
        assert GraphDef.FromString(there.read_bytes()) == GraphDef.FromString(here.read_bytes())


def test_others_read_the_file(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow", reason="optional: TensorFlow reads the file")
    out = tmp_path / "frozen.pb"
    assert command(MODEL, "--output", "softmax", "-o", out).exit_code == 0
    graph_def = tf.compat.v1.GraphDef.FromString(out.read_bytes())
    with tf.Graph().as_default() as graph:
        [found] = tf.compat.v1.import_graph_def(graph_def, name="", return_elements=["softmax:0"])
    assert found.shape[-1] == 10
    assert not any(
        operation.op_def.is_stateful for operation in graph.get_operations() if operation.type != "Placeholder"
    )


class Huge(Payload):
    """Two GiB that nobody may ask for."""

    def chunks(self) -> Iterator[bytes]:
        raise AssertionError("read")


def test_more_than_a_message_can_be(out: Path) -> None:
    before = out.read_bytes() if out.exists() else None
    graph = Graph(GraphDef(), [constant("w", Huge(DataType.FLOAT, (1 << 29,)))])
    with pytest.raises(GraphscopeError, match=r"2,147,48\d,\d{3} bytes") as error:
        Frozen(
            graphscope.load(FIXTURES / "lenet5"),
            FreezeOptions(()),
            FrozenGraph(graph, (), {}, {}, Reshaped(graph), Converted(graph), Backported(graph)),
        ).save(out, overwrite=True)
    assert "saved_model/" in to_words(error.value.hint)
    assert [path for path in out.parent.iterdir() if path != out] == []
    assert (out.read_bytes() if out.exists() else None) == before
