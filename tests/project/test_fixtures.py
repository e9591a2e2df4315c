"""The trained models are what their manifest says: their files, their structure and what they classify correctly."""

from __future__ import annotations

import hashlib
import importlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.progress import Progress
from typer.testing import CliRunner

from tests.support.fixture_files import FIXTURES, committed_models, manifest, needs_mnist

# isort: split
from trainer import data, digits  # importable by fixture_files
from trainer import manifest as manifest_file

pytestmark = pytest.mark.tensorflow

train = importlib.import_module("train")
FILE_LIMIT, TOTAL_LIMIT = 2_000_000, 12_000_000
WITHIN = 0.001  # a tenth of a point
LEAST = {
    "softmax": 0.92,
    "mlp": 0.98,
    "lenet5": 0.988,
    "lenet5_0to4": 0.99,
    "convnet_slim": 0.988,
    "batchnorm": 0.988,
    "batchnorm_resource": 0.988,
    "rnn": 0.97,
    "partitioned": 0.92,
    "towers": 0.985,
}
MODELS = committed_models()
TUTORIALS = manifest()["tutorials"]
TUTORIALS_LIMIT = 1_000_000
FORMS = [(name, form) for name, entry in MODELS.items() for form in entry["forms"]]
FORM_IDS = [f"{name}-{form['kind']}-{form['path']}" for name, form in FORMS]


@pytest.fixture(scope="module")
def tensorflow() -> Any:
    return pytest.importorskip("tensorflow", reason="TensorFlow is not installed")


@pytest.fixture(scope="module")
def mnist_test() -> data.Split:
    source = data.find()
    if source is None:
        pytest.skip("MNIST is in none of its usual places")
    return data.read(source, "test")


@pytest.fixture(scope="module")
def drawn() -> data.Split:
    evaluate = pytest.importorskip("trainer.evaluate", reason="TensorFlow is not installed")
    pictures: data.Split = evaluate.drawn_digits(FIXTURES / "digits")
    return pictures


# The files


def _files() -> Iterator[Path]:
    ignored = ("__pycache__", "convnet")
    for path in FIXTURES.rglob("*"):
        inside = path.relative_to(FIXTURES).parts
        if path.is_file() and inside[0] not in ignored and "__pycache__" not in inside and inside[0][0] != ".":
            yield path


def _listed() -> list[dict[str, Any]]:
    return [file for entry in [manifest()["digits"], *MODELS.values(), *TUTORIALS.values()] for file in entry["files"]]


def test_the_manifest_lists_every_file_and_no_others() -> None:
    directories = {"digits", *MODELS, *TUTORIALS}
    on_disk = {path.relative_to(FIXTURES).as_posix() for path in _files()}
    assert {path for path in on_disk if path.split("/")[0] in directories} == {file["path"] for file in _listed()}
    own = {path for path in on_disk if path.split("/")[0] not in {"trainer", *directories}}
    assert own == {"MANIFEST.json", "README.md", "train.py"}


@pytest.mark.parametrize("file", _listed(), ids=lambda file: file["path"])
def test_a_file_has_the_size_and_digest_of_the_manifest(file: dict[str, Any]) -> None:
    content = (FIXTURES / file["path"]).read_bytes()
    assert len(content) == file["size_bytes"]
    assert hashlib.sha256(content).hexdigest() == file["sha256"]


def test_the_files_are_small() -> None:
    sizes = {path: path.stat().st_size for path in _files()}
    assert max(sizes.values()) <= FILE_LIMIT
    assert sum(sizes.values()) <= TOTAL_LIMIT
    assert (
        sum(size for path, size in sizes.items() if path.relative_to(FIXTURES).parts[0] in TUTORIALS) < TUTORIALS_LIMIT
    )


def test_no_file_names_a_directory_of_the_machine_that_made_it() -> None:
    absolute = re.compile(rb"(?:^|[^\w./:~-])/(?:home|root|tmp|work|usr|opt|mnt|Users)/|[A-Z]:\\\\")
    assert [path for path in _files() if path.suffix != ".py" and absolute.search(path.read_bytes())] == []


def test_the_readme_shows_the_manifest() -> None:
    assert manifest_file.tables(manifest()) in (FIXTURES / "README.md").read_text("utf-8")


def test_every_model_reaches_its_accuracy() -> None:
    assert MODELS.keys() == LEAST.keys()
    for name, form in FORMS:
        assert form["test_accuracy"] >= LEAST[name], (name, form)
        assert 2 * form["drawn_right"] > MODELS[name]["drawn"], (name, form)


def test_averaged_weights_are_no_worse() -> None:
    by_kind = {form["kind"]: form["test_accuracy"] for form in MODELS["mlp"]["forms"]}
    assert by_kind["averaged_checkpoint"] >= by_kind["meta_checkpoint"]


# What the models do


@pytest.mark.parametrize(("name", "form"), FORMS, ids=FORM_IDS)
def test_a_form_classifies_what_the_manifest_says(
    name: str, form: dict[str, Any], tensorflow: Any, drawn: data.Split, request: pytest.FixtureRequest
) -> None:
    entry = MODELS[name]
    assert _accuracy(name, form, drawn) * entry["drawn"] == pytest.approx(form["drawn_right"])
    if data.find() is not None:
        test_images = request.getfixturevalue("mnist_test")
        assert _accuracy(name, form, test_images) == pytest.approx(form["test_accuracy"], abs=WITHIN)


def _accuracy(name: str, form: dict[str, Any], pictures: data.Split) -> float:
    from trainer.evaluate import Interface, accuracy
    from trainer.recipe import Form

    entry = MODELS[name]
    interface = Interface(entry["input"], entry["output"], entry["inference_feeds"], entry["cpus"])
    written = Form(form["kind"], form["path"], form.get("checkpoint"))
    return accuracy(FIXTURES / name, written, interface, pictures.only(entry["digits"]))


def test_the_serving_signature_is_complete(tensorflow: Any, drawn: data.Split) -> None:
    tf1 = tensorflow.compat.v1
    with tf1.Graph().as_default(), tf1.Session() as session:
        loaded = tf1.saved_model.load(session, ["serve"], str(FIXTURES / "lenet5" / "saved_model"))
        signature = loaded.signature_def["serving_default"]
        outputs = {key: info.name for key, info in signature.outputs.items()}
        values = session.run(outputs, {signature.inputs["images"].name: drawn.images})
    assert outputs["probabilities"] == MODELS["lenet5"]["output"]
    np.testing.assert_array_equal(values["classes"], values["probabilities"].argmax(axis=1))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_towers_take_any_batch(count: int, tensorflow: Any, drawn: data.Split) -> None:
    whole, part = _probabilities(tensorflow, "towers", drawn.images), drawn.images[:count]
    np.testing.assert_allclose(_probabilities(tensorflow, "towers", part), whole[:count], atol=1e-5)


def _probabilities(tf: Any, name: str, images: NDArray[np.float32]) -> NDArray[np.float32]:
    entry, prefix = MODELS[name], _prefix(name)
    config = tf.compat.v1.ConfigProto(device_count={"CPU": entry["cpus"]})
    with tf.compat.v1.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        tf.compat.v1.train.import_meta_graph(f"{prefix}.meta").restore(session, prefix)
        feed = {entry["input"]: images, **entry["inference_feeds"]}
        probabilities: NDArray[np.float32] = session.run(entry["output"], feed)
    return probabilities


# What the models are made of


def _prefix(name: str) -> str:
    return str(FIXTURES / name / MODELS[name]["forms"][0]["path"])


def _meta(tf: Any, name: str) -> Any:
    return tf.compat.v1.MetaGraphDef.FromString(Path(f"{_prefix(name)}.meta").read_bytes())


def _ops(tf: Any, name: str) -> Counter[str]:
    return Counter(node.op for node in _meta(tf, name).graph_def.node)


def _saved(tf: Any, name: str) -> dict[str, list[int]]:
    shapes: dict[str, list[int]] = tf.train.load_checkpoint(_prefix(name)).get_variable_to_shape_map()
    return shapes


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_counted(name: str, tensorflow: Any) -> None:
    tf1 = tensorflow.compat.v1
    with tf1.Graph().as_default():
        tf1.train.import_meta_graph(f"{_prefix(name)}.meta")
        trainable = sum(int(np.prod(variable.shape)) for variable in tf1.trainable_variables())
    assert trainable == MODELS[name]["parameters"]


@pytest.mark.parametrize("name", MODELS)
def test_optimizer_slots_are_saved_for_lenet5_alone(name: str, tensorflow: Any) -> None:
    slots = [key for key in _saved(tensorflow, name) if re.search(r"/(Adam(_\d)?|Momentum)$|^.*beta\d_power$", key)]
    assert len(slots) == (2 * 10 + 2 if name == "lenet5" else 0)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "partitioned"])
def test_the_last_checkpoint_holds_every_trainable_variable(name: str, tensorflow: Any) -> None:
    trainable = _meta(tensorflow, name).collection_def["trainable_variables"].bytes_list.value
    from tensorflow.core.framework import variable_pb2

    names = {variable_pb2.VariableDef.FromString(each).variable_name.split(":")[0] for each in trainable}
    assert names
    assert names <= _saved(tensorflow, name).keys()


@pytest.mark.parametrize("directory", [*MODELS, "softmax/v1"])
def test_the_state_file_names_what_is_there(directory: str, tensorflow: Any) -> None:
    state = tensorflow.train.get_checkpoint_state(str(FIXTURES / directory))
    kept = list(state.all_model_checkpoint_paths)
    assert len(kept) == (3 if directory == "softmax" else 1)
    assert all(Path(f"{prefix}.meta").is_file() for prefix in kept)
    text = (FIXTURES / directory / "checkpoint").read_text("utf-8")
    assert all(f'"{Path(prefix).name}"' in text for prefix in kept)


def test_softmax_has_a_version_1_checkpoint(tensorflow: Any) -> None:
    old = FIXTURES / "softmax" / "v1" / Path(_prefix("softmax")).name
    assert old.is_file()
    assert not old.with_name(f"{old.name}.index").exists()
    reader, newer = tensorflow.train.load_checkpoint(str(old)), tensorflow.train.load_checkpoint(_prefix("softmax"))
    for name in ("inference/weights", "inference/biases"):
        np.testing.assert_array_equal(reader.get_tensor(name), newer.get_tensor(name))


def test_mlp_has_losses_a_step_and_an_average_of_every_variable(tensorflow: Any) -> None:
    saved, collections = _saved(tensorflow, "mlp"), _meta(tensorflow, "mlp").collection_def
    assert len(collections["losses"].node_list.value) == 3
    averages = {f"{name}/ExponentialMovingAverage" for name in saved if name.endswith(("weights", "biases"))}
    assert len(averages) == 4
    assert averages | {"global_step"} <= saved.keys()
    assert len(list((FIXTURES / "mlp").glob("*.data-*-of-00002"))) == 2


def test_lenet5_has_summaries_that_run(tensorflow: Any, drawn: data.Split) -> None:
    tf1 = tensorflow.compat.v1
    with tf1.Graph().as_default() as graph, tf1.Session() as session:
        tf1.train.import_meta_graph(f"{_prefix('lenet5')}.meta").restore(session, _prefix("lenet5"))
        (merged,) = (op.outputs[0] for op in graph.get_operations() if op.type == "MergeSummary")
        written = session.run(merged, {"input:0": drawn.images, "labels:0": drawn.labels})
    tags = {value.tag for value in tf1.Summary.FromString(written).value}
    assert {
        f"summaries/{tag}" for tag in ("loss", "accuracy", "learning_rate", "conv1/weights", "pictures/image/0")
    } <= tags


def test_the_twins_differ_in_their_variables(tensorflow: Any) -> None:
    reference, resource = _ops(tensorflow, "batchnorm"), _ops(tensorflow, "batchnorm_resource")
    assert reference["VariableV2"] == resource["VarHandleOp"] > 0
    assert reference["VarHandleOp"] == resource["VariableV2"] == resource["RefSwitch"] == 0
    assert reference["RefSwitch"] == reference["AssignSub"] == resource["AssignSubVariableOp"] == 6
    assert reference["Merge"] == resource["Merge"] > 0
    assert _saved(tensorflow, "batchnorm") == _saved(tensorflow, "batchnorm_resource")


def test_the_rnn_loops_as_in_version_1(tensorflow: Any) -> None:
    ops = _ops(tensorflow, "rnn")
    assert all(ops[op] > 0 for op in ("Enter", "Merge", "LoopCond", "Switch", "NextIteration", "Exit"))
    assert ops["While"] == ops["StatelessWhile"] == 0
    assert "while_context" in _meta(tensorflow, "rnn").collection_def


def test_the_partitioned_matrix_has_four_parts_two_shards_and_other_names(tensorflow: Any) -> None:
    variables = {n.name: n.device for n in _meta(tensorflow, "partitioned").graph_def.node if n.op == "VariableV2"}
    assert set(variables) == {*(f"model/weights/part_{part}" for part in range(4)), "model/biases"}
    assert len(set(variables.values())) == 2
    assert _saved(tensorflow, "partitioned") == {"softmax/w": [784, 10], "softmax/b": [10]}
    assert len(list((FIXTURES / "partitioned").glob("*.data-*-of-00002"))) == 2


def test_the_towers_stand_on_two_devices_and_share_their_variables(tensorflow: Any) -> None:
    nodes = _meta(tensorflow, "towers").graph_def.node
    for tower in range(2):
        devices = {n.device for n in nodes if n.name.startswith(f"tower_{tower}/") and n.op == "Conv2D"}
        assert devices == {f"/device:CPU:{tower}"}
    assert _saved(tensorflow, "towers").keys() == {
        f"{layer}/{kind}" for layer in ("conv1", "conv2", "fc1", "fc2") for kind in ("weights", "biases")
    }


# The drawn digits


def test_two_of_each_digit_are_drawn() -> None:
    lines = (FIXTURES / "digits" / "labels.txt").read_text("ascii").splitlines()
    assert Counter(line.split()[1] for line in lines) == Counter({str(digit): 2 for digit in range(10)})


def test_the_pictures_are_those_that_the_strokes_draw(drawn: data.Split) -> None:
    pictures = np.stack([digits.draw(name) for name in digits.STROKES])
    assert pictures.shape == (20, 28, 28)
    assert pictures.dtype == np.uint8
    np.testing.assert_array_equal(drawn.images.reshape(pictures.shape), pictures / np.float32(255))
    assert drawn.labels.tolist() == [int(name[0]) for name in digits.STROKES]


# The tutorials' files


def test_the_inception_graph_has_the_words_of_2015(tensorflow: Any) -> None:
    tf1 = tensorflow.compat.v1
    (path,) = (FIXTURES / "inception_like").iterdir()
    graph = tf1.GraphDef.FromString(path.read_bytes())
    nodes = {node.name: node for node in graph.node}
    assert graph.versions.producer == 8
    assert (nodes["DecodeJpeg/contents"].op, list(nodes["DecodeJpeg"].input)) == ("Const", ["DecodeJpeg/contents"])
    first = ["DecodeJpeg", "Cast", "ExpandDims", "ResizeBilinear", "Sub", "Mul"]
    assert [nodes[name].op for name in first] == first
    assert nodes["conv/batchnorm"].op == "BatchNormWithGlobalNormalization"
    assert tensorflow.make_ndarray(nodes["pool_3/_reshape/shape"].attr["value"].tensor).tolist() == [1, 2048]


def test_the_inception_graph_tells_the_drawn_flowers_apart(tensorflow: Any) -> None:
    """The nearest picture by its bottleneck is of the same kind, but for one or two of the 18."""
    files = sorted((FIXTURES / "flowers").glob("*/*.jpg"))
    features = _bottlenecks(tensorflow, files)
    assert features.shape == (18, 2048)
    distances = np.linalg.norm(features[:, np.newaxis] - features, axis=-1) + np.diag([np.inf] * len(files))
    nearest = [files[i].parent == files[k].parent for i, k in enumerate(distances.argmin(axis=1))]
    assert sum(nearest) >= 16


def _bottlenecks(tf: Any, files: list[Path]) -> NDArray[np.float32]:
    (path,) = (FIXTURES / "inception_like").iterdir()
    with tf.compat.v1.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.import_graph_def(tf.compat.v1.GraphDef.FromString(path.read_bytes()), name="")
        feeds = ({"DecodeJpeg/contents:0": file.read_bytes()} for file in files)
        return np.concatenate([session.run("pool_3/_reshape:0", feed) for feed in feeds])


def test_the_flowers_are_what_the_code_draws(tensorflow: Any) -> None:
    flowers = pytest.importorskip("trainer.tutorials.flowers")
    for kind in flowers.KINDS:
        for number in range(flowers.EACH):
            content = (FIXTURES / "flowers" / kind / f"{kind}_{number}.jpg").read_bytes()
            drawn = flowers.draw(kind, number)
            with tensorflow.compat.v1.Graph().as_default(), tensorflow.compat.v1.Session() as session:
                pixels = session.run(tensorflow.io.decode_jpeg(content))
            assert pixels.shape == drawn.shape
            assert np.abs(pixels.astype(int) - drawn).mean() < 10  # a different flower: 20 and more


@pytest.mark.parametrize("file", ["model.ckpt", "combined_model.pb"])
def test_v1_and_v2_add_up_to_three(file: str, tensorflow: Any) -> None:
    tf1, path = tensorflow.compat.v1, FIXTURES / "combined" / file
    with tf1.Graph().as_default(), tf1.Session() as session:
        if path.is_file():
            tf1.import_graph_def(tf1.GraphDef.FromString(path.read_bytes()), name="")
        else:
            tf1.train.import_meta_graph(f"{path}.meta").restore(session, str(path))
        assert session.run("add:0").tolist() == [3.0]


def test_the_quadratic_fit_fits(tensorflow: Any) -> None:
    tf1, prefix = tensorflow.compat.v1, str(FIXTURES / "quadratic" / "model.ckpt-1000")
    x = np.linspace(-1, 1, 300, dtype=np.float32)[:, np.newaxis]
    with tf1.Graph().as_default(), tf1.Session() as session:
        tf1.train.import_meta_graph(f"{prefix}.meta").restore(session, prefix)
        fitted = session.run("layer2/Wx_plus_b/Add:0", {"inputs/x_input:0": x})
    assert np.square(fitted - (x**2 - 0.5)).mean() < 0.005


def test_writing_the_tutorials_again_gives_the_same_files(tensorflow: Any, tmp_path: Path) -> None:
    """The same paths; bytes depend on the processor's rounding and on the version of TensorFlow's encoder."""
    names = [name for name in TUTORIALS if name != "quadratic"]
    done = _train(*(text for name in names for text in ("--only", name)), "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    again = manifest_file.read(tmp_path)["tutorials"]
    assert {name: _paths(again[name]) for name in names} == {name: _paths(TUTORIALS[name]) for name in names}


def _paths(entry: dict[str, Any]) -> list[str]:
    return [file["path"] for file in entry["files"]]


# Training


def _train(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FIXTURES / "train.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@needs_mnist
def test_retraining_gives_the_stated_accuracy(tensorflow: Any, tmp_path: Path) -> None:
    done = _train("--only", "softmax", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    again, stated = manifest_file.read(tmp_path)["models"]["softmax"], MODELS["softmax"]
    assert again["test_accuracy"] == pytest.approx(stated["test_accuracy"], abs=WITHIN)
    assert [(form["kind"], form["path"]) for form in again["forms"]] == [
        (f["kind"], f["path"]) for f in stated["forms"]
    ]
    assert {file["path"] for file in again["files"]} == {file["path"] for file in stated["files"]}


@pytest.fixture
def within(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trainer runs in this process, whose TensorFlow stays as it is."""
    monkeypatch.setattr(train, "_quieten_tensorflow", lambda: None)


@pytest.mark.usefixtures("tensorflow", "within")
def test_an_unknown_model_is_a_usage_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(train.app, ["--only", "softmux", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "softmux is none of softmax" in done.stderr


@pytest.mark.usefixtures("tensorflow", "within")
def test_a_directory_without_mnist_is_an_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(train.app, ["--data", str(tmp_path), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert re.search(r"^error: .* holds neither mnist\.npz", done.stderr, re.MULTILINE)


def test_a_model_that_learns_too_little_replaces_nothing(tensorflow: Any, drawn: data.Split, tmp_path: Path) -> None:
    make = pytest.importorskip("trainer.make")
    models = pytest.importorskip("trainer.models")
    former = tmp_path / "softmax" / "former"
    former.parent.mkdir()
    former.touch()
    recipe = replace(models.RECIPES["softmax"], epochs=1, keep=1, accuracy=1.01, exports=())
    with pytest.raises(make.TooWeakError, match=r"^softmax, meta_checkpoint model\.ckpt-1: .* not 101\.00%"):
        make.make(recipe, make.Material(drawn, drawn, drawn), tmp_path, Progress(disable=True))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["former", "softmax"]
