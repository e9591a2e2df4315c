"""Looking never starts TensorFlow: all of it runs where importing TensorFlow ends the process, or where there is none."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import need_engine
from tests.support.fixture_files import FIXTURES, ROOT
from tests.support.foreign_files import onnx_bytes, tflite_bytes
from tests.support.zoo_files import ZOO, needs_zoo

PACKAGE = ROOT / "graphscope"
POISON = 'import os, sys\nprint("tensorflow was imported", file=sys.stderr, flush=True)\nos._exit(97)\n'
ABSENT = 'raise ModuleNotFoundError("No module named \'tensorflow\'", name="tensorflow")\n'

MODULES = sorted(
    str(path.relative_to(ROOT).with_suffix("")).replace("/", ".").removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
)


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return with_tensorflow(tmp_path_factory.mktemp("poison"), POISON)


@pytest.fixture(scope="module")
def absent(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return with_tensorflow(tmp_path_factory.mktemp("absent"), ABSENT)


def with_tensorflow(directory: Path, source: str) -> dict[str, str]:
    """An environment in which ``import tensorflow`` runs ``source``; so does Keras, which would import it."""
    for name in ("tensorflow", "keras"):
        (directory / name).mkdir()
        (directory / name / "__init__.py").write_text(source)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(directory), str(ROOT)]), "COLUMNS": "100"}


def python(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=ROOT)


def test_the_poison_works(poisoned: dict[str, str]) -> None:
    done = python(poisoned, "-c", "import tensorflow")
    assert (done.returncode, done.stderr) == (97, "tensorflow was imported\n")


IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    if not name.endswith("__main__"):
        importlib.import_module(name)
print(sorted(name for name in sys.modules if name.partition(".")[0] in ("tensorflow", "keras")))
"""


def test_every_module_can_be_imported(poisoned: dict[str, str], absent: dict[str, str]) -> None:
    assert len(MODULES) > 50
    for environment in (poisoned, absent):
        done = python(environment, "-c", IMPORT, *MODULES)
        assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


LOOK = """
import json, sys
from pathlib import Path
import graphscope
from graphscope.analysis.detail import show
from graphscope.analysis.listing import Listing, list_nodes
from graphscope.analysis.ends.outputs import rank_outputs
from graphscope.analysis.scopes import scope_tree
from graphscope.analysis.summary import summarize
from graphscope.analysis.variable_rows import weights, with_statistics

target = Path(sys.argv[1])
counts = []
for path in sys.argv[2:]:
    model = graphscope.load(path)
    summarize(model)
    rows = list(with_statistics(weights(model)))
    has_values = model.store is not None or not model.variables
    assert any(row.statistics is not None for row in rows) == has_values or not rows, path
    nodes = []
    if model.has_graph:
        nodes = list(list_nodes(model, Listing(functions=True)))
        assert rank_outputs(model) and list(scope_tree(model.graph)), path
        graphscope.save(model, target / "saved.pb", overwrite=True)
        graphscope.save(model, target / "saved.meta", overwrite=True)
        assert len(graphscope.load(target / "saved.pb").graph) == len(model.graph), path
        show(model, nodes[0].name)
        assert graphscope.draw(model).svg(), path
    counts.append([len(nodes), len(rows)])
print(json.dumps(counts))
"""

MODELS = [
    *("softmax", "softmax/frozen.pb", "softmax/graph.pbtxt", "softmax/v1", "lenet5/saved_model", "partitioned", "mlp"),
    *("rnn", "batchnorm_resource", "softmax/model.ckpt-5400.meta"),
]
ZOO_MODELS = [
    "frozen_pb/blaueck+tf-mtcnn/mtcnn.pb",
    "frozen_pb/ssoniya+tensorflow-for-poets-2/tf_files/models/mobilenet_v1_0.25_128/quantized_graph.pb",
    "meta_ckpt/isl-org+NPHard/model",
    "tf2_ckpt/tiwarylab+LSTM-predict-MD/training_checkpoints",
    "saved_model/tensorflow+serving/390732ac/tensorflow_serving/servables/tensorflow/testdata/tf_text_regression/01",
    "saved_model/tensorflow+tfx/tfx/components/testdata/trainer/keras/Format-Serving",
    "saved_model/vespa-engine+vespa/tensorflow/batch_norm/saved",
    "v1_ckpt/tegg89+SRCNN-Tensorflow/checkpoint/srcnn_21",
]


def test_the_library(poisoned: dict[str, str], tmp_path: Path) -> None:
    done = python(poisoned, "-c", LOOK, str(tmp_path), *(str(FIXTURES / name) for name in MODELS))
    assert done.returncode == 0, done.stderr
    counts = dict(zip(MODELS, json.loads(done.stdout), strict=True))
    assert all(nodes > 5 and weights >= 2 for name, (nodes, weights) in counts.items() if name != "softmax/graph.pbtxt")


@needs_zoo
def test_the_library_over_the_zoo(poisoned: dict[str, str], tmp_path: Path) -> None:
    done = python(poisoned, "-c", LOOK, str(tmp_path), *(str(ZOO / name) for name in ZOO_MODELS))
    assert done.returncode == 0, done.stderr
    counts = dict(zip(ZOO_MODELS, json.loads(done.stdout), strict=True))
    assert [name for name, (nodes, _) in counts.items() if not nodes] == [ZOO_MODELS[3]]


COMMANDS = (
    ("--version",),
    ("--help",),
    ("info", "lenet5"),
    ("info", "lenet5/saved_model", "--format", "json"),
    ("nodes", "softmax/frozen.pb", "--tensors"),
    ("nodes", "rnn", "--tree"),
    ("vars", "partitioned", "--stats"),
    ("vars", "lenet5/frozen.pb", "--format", "csv"),
    ("show", "softmax", "inference/weights"),
    ("cost", "rnn", "--device", "t4"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_commands(poisoned: dict[str, str], words: tuple[str, ...]) -> None:
    verb, *rest = words
    if rest:
        rest[0] = str(FIXTURES / rest[0])
    done = python(poisoned, "-m", "graphscope", verb, *rest)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert "Traceback" not in done.stderr


START = """
import os, runpy, sys
os._exit = sys.exit
try:
    runpy.run_module("graphscope", run_name="__main__", alter_sys=False)
except SystemExit:
    pass
print(*sys.modules, file=sys.stderr)
"""

SPARED = """
dataclasses typer rich numpy ml_dtypes json csv difflib ctypes subprocess shutil lzma google.protobuf.text_format pickle
graphscope.cli.terminal.table
"""
SPARED_BY_A_FROZEN_GRAPH = """
google_crc32c graphscope.analysis.audit.effects graphscope.analysis.audit.rules graphscope.analysis.effects
graphscope.core.variables.binding graphscope.core.variables.object_graph graphscope.core.variables.restore
graphscope.formats.checkpoint graphscope.formats.detect.checkpoint_state
graphscope.formats.detect.neighbours graphscope.formats.events graphscope.formats.io.sstable graphscope.formats.savedmodel
graphscope.formats.text graphscope.protos.schema graphscope.analysis.shapes.rules.control_flow
graphscope.analysis.shapes.rules.lists graphscope.analysis.shapes.rules.records graphscope.analysis.shapes.rules.state
"""
"""Neither variables, effects, strange content nor rare ops: what is there for them is not imported."""


@pytest.mark.parametrize(
    ("words", "limit", "spared"),
    [
        (["--help"], 85, "typer rich google.protobuf tensorboard pathlib dataclasses shutil"),
        (["info", "softmax"], 295, f"{SPARED} heapq graphscope.analysis.shapes"),
        (["softmax/frozen.pb"], 290, f"{SPARED} {SPARED_BY_A_FROZEN_GRAPH}"),
        (["vars", "softmax"], 335, "rich numpy ml_dtypes graphscope.analysis.shapes"),
    ],
)
def test_a_command_imports_only_what_it_needs(words: list[str], limit: int, spared: str) -> None:
    """Most of the time of a small model's ``info`` goes into imports."""
    arguments = [str(FIXTURES / word) if (FIXTURES / word).exists() else word for word in words]
    done = python({**os.environ, "PYTHONPATH": str(ROOT)}, "-c", START, *arguments)
    assert done.returncode == 0, done.stderr
    modules = done.stderr.split()
    assert set(spared.split()) & set(modules) == set()
    assert "graphscope.__main__" in modules or "graphscope.cli" in modules
    assert len(modules) < limit


def test_protobuf_may_be_in_python() -> None:
    """What its compiled messages spare is there where they are missing."""
    for words in (["info", str(FIXTURES / "softmax")], ["nodes", str(FIXTURES / "softmax" / "graph.pbtxt")]):
        done = [
            python({**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": kind}, "-m", "graphscope", *words)
            for kind in ("python", "upb")
        ]
        assert [each.returncode for each in done] == [0, 0], done[0].stderr
        assert done[0].stdout == done[1].stdout != ""


COUNTED = """
import os, re, runpy, sys
os._exit = sys.exit
compiled, compiles = [], re.compile
re.compile = lambda text, flags=0: compiled.append(text) or compiles(text, flags)
try:
    runpy.run_module("graphscope", run_name="__main__", alter_sys=False)
except SystemExit:
    pass
from graphscope.core.ops.table import registered_ops
print(len(compiled), len(registered_ops().parsed), file=sys.stderr)
"""


def test_a_small_graph_is_little_work() -> None:
    """What a command makes before it can begin: an expression takes a tenth of a millisecond."""
    done = python({**os.environ, "PYTHONPATH": str(ROOT)}, "-c", COUNTED, str(FIXTURES / "softmax" / "frozen.pb"))
    assert done.returncode == 0, done.stderr
    expressions, definitions = map(int, done.stderr.split())
    assert expressions <= 30  # a dozen are protobuf's and Python's own
    assert definitions <= 8  # the graph has six ops


def test_files_of_other_runtimes_need_no_package_of_theirs(tmp_path: Path) -> None:
    for name, content in (("m.onnx", onnx_bytes()), ("m.tflite", tflite_bytes())):
        (tmp_path / name).write_bytes(content)
        done = python({**os.environ, "PYTHONPATH": str(ROOT)}, "-c", START, str(tmp_path / name))
        assert (done.returncode, done.stdout.split()[0]) == (0, str(tmp_path / name)), done.stderr
        spared = "onnx onnxruntime ai_edge_litert flatbuffers tensorflow typer rich numpy ml_dtypes"
        assert set(spared.split()) & set(done.stderr.split()) == set()


def test_dump_and_event_files(poisoned: dict[str, str], tmp_path: Path) -> None:
    words = ("lenet5", "--histograms", "--filters", "--embedding", "fc3/weights")
    model, *options = words
    done = python(poisoned, "-m", "graphscope", "dump", str(FIXTURES / model), str(tmp_path), *options)
    assert done.returncode == 0, done.stderr
    for verb in ("info", "nodes", "vars"):
        done = python(poisoned, "-m", "graphscope", verb, str(tmp_path / model))
        assert done.returncode == 0, done.stderr
        assert done.stdout
    done = python(poisoned, "-m", "graphscope", "dump", str(FIXTURES / model), str(tmp_path), "--batch", "2")
    assert done.returncode == 0, done.stderr


def test_what_needs_tensorflow_says_so(poisoned: dict[str, str], absent: dict[str, str]) -> None:
    words = ("-m", "graphscope", "run", str(FIXTURES / "softmax" / "frozen.pb"), "--feed", "input=zeros")
    assert python(poisoned, *words).returncode == 97
    done = python(absent, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "this needs TensorFlow, which cannot be imported: No module named 'tensorflow'" in done.stderr
    assert "pip install 'tf-graphscope[tensorflow]'" in done.stderr


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_other_engines_run_without_it(poisoned: dict[str, str], engine: str) -> None:
    need_engine(engine)
    words = [
        "run",
        str(FIXTURES / "lenet5"),
        "--feed",
        f"input=@{FIXTURES / 'digits' / '7a.png'}",
        "--output",
        "softmax",
    ]
    done = python(poisoned, "-m", "graphscope", *words, "--engine", engine, "--top", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split()[:2] == ["7a.png", "7"]


def test_exports_are_verified_without_it(absent: dict[str, str], tmp_path: Path) -> None:
    """OpenVINO's own reader of frozen graphs stands in."""
    need_engine("onnxruntime")
    need_engine("openvino")
    words = ["convert", str(FIXTURES / "lenet5"), str(tmp_path / "m.onnx"), "--output", "softmax", "--verify"]
    done = python(absent, "-m", "graphscope", *words)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("verified on 3 random batches, ONNX Runtime with OpenVINO: softmax:0 max")


# What the sources say


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Each module that ``path`` imports, and whether it does so when it is itself imported."""
    tree = ast.parse(path.read_text("utf-8"))
    late = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    late |= {
        id(n) for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test) for n in n.body
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield node.module or "", id(node) not in late


def sources(*outside: str) -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if p.relative_to(PACKAGE).parts[0] not in outside]


def test_messages_are_named_in_one_place() -> None:
    pattern = re.compile(r"\w+_pb2\b")
    named = [str(p.relative_to(ROOT)) for p in sources("protos") if pattern.search(p.read_text("utf-8"))]
    assert named == []
    assert pattern.search((PACKAGE / "protos" / "__init__.py").read_text("utf-8"))


@pytest.mark.parametrize(
    ("package", "home"), [("rich", ("cli",)), ("typer", ("cli",)), ("click", ()), ("tensorflow", ("runtime",))]
)
def test_who_imports_what(package: str, home: tuple[str, ...]) -> None:
    found = [str(p) for p in sources(*home) for name, _ in imported()[p] if name.partition(".")[0] == package]
    assert found == []


@functools.cache
def imported() -> dict[Path, list[tuple[str, bool]]]:
    return {path: list(imports(path)) for path in PACKAGE.rglob("*.py")}


@pytest.mark.parametrize("package", ["tensorflow", "numpy", "ml_dtypes", "cramjam"])
def test_what_is_imported_late(package: str) -> None:
    """These cost time that most commands need not spend; TensorFlow costs seconds."""
    looking = sources("cli", "export", "runtime", "transforms") if package != "tensorflow" else sources()
    found = [str(p) for p in looking for name, now in imported()[p] if now and name.partition(".")[0] == package]
    assert found == []


def test_nothing_but_tensorboards_messages_is_used() -> None:
    """The rest of TensorBoard imports TensorFlow where it is installed, unless told otherwise, as the server does."""
    looking = [p for p in sources() if p != PACKAGE / "board" / "server.py"]
    names = {name for p in looking for name, _ in imported()[p] if name.partition(".")[0] == "tensorboard"}
    assert {name for name in names if not name.startswith("tensorboard.compat.proto")} == set()
