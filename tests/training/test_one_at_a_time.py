"""A model that takes the bytes of one file: one run for each, as the tutorials' own loops do it, and a head on the results."""

from __future__ import annotations

import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.cli.terminal.wording import to_words
from graphscope.core.changes.build import constant, make_node, type_attr
from graphscope.core.values.dtypes import DataType
from graphscope.errors import FileError, GraphscopeError
from graphscope.training.data import DataOptions
from graphscope.training.recipe import recipe_of
from tests.support.fixture_files import FIXTURES
from tests.support.invoked import code_of
from tests.support.running import Array, assert_same_values, tf

v1 = tf.compat.v1
INCEPTION = FIXTURES / "inception_like"
FLOWERS = FIXTURES / "flowers"
INPUT, BOTTLENECK = "DecodeJpeg/contents", "pool_3/_reshape"
FILES = sorted(FLOWERS.glob("*/*.jpg"))


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRAPHSCOPE_CACHE", str(tmp_path / "cache"))


def in_a_loop(graph: bytes, tensor: str, fed: str, files: list[Path]) -> Array:
    """The tutorial's own way: ``sess.run(tensor, {fed: bytes})`` for each file, the results put together."""
    config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    with v1.Graph().as_default(), v1.Session(config=config) as session:
        v1.import_graph_def(v1.GraphDef.FromString(graph), name="")
        return np.concatenate([session.run(f"{tensor}:0", {f"{fed}:0": path.read_bytes()}) for path in files])


def inception() -> bytes:
    return (INCEPTION / "classify_image_graph_def.pb").read_bytes()


# Features


@pytest.mark.parametrize("named", [True, False], ids=["--input", "no --input"])
def test_features_of_pictures_are_those_of_the_tutorials_loop(named: bool, tmp_path: Path) -> None:
    words = ["--input", INPUT] if named else []
    assert code_of("features", INCEPTION, "--at", BOTTLENECK, *words, "--data", FLOWERS, "-o", tmp_path / "f.npz") == 0
    with np.load(tmp_path / "f.npz", allow_pickle=True) as found:
        assert found["keys"].tolist() == [path.relative_to(FLOWERS).as_posix().encode() for path in FILES]
        assert found["y"].tolist() == [0] * 6 + [1] * 6 + [2] * 6
        assert_same_values(found["x"], in_a_loop(inception(), BOTTLENECK, INPUT, FILES))


def test_the_constant_is_named_as_the_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert code_of("info", INCEPTION, "--format", "json") == 0
    inputs = json.loads(capsys.readouterr().out)["graph"]["inputs"]
    assert [(row["tensor"], row["dtype"], row["shape"]) for row in inputs] == [(f"{INPUT}:0", "string", [])]


def test_it_is_said_that_a_constant_was_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code_of("features", INCEPTION, "--at", BOTTLENECK, "--data", FLOWERS, "-o", tmp_path / "f.npz")
    assert f"{INPUT} used as the input: a constant that the graph decodes" in capsys.readouterr().err


def test_features_without_a_dimension_for_examples_are_stacked(tmp_path: Path) -> None:
    with v1.Graph().as_default() as graph:
        pixels = tf.io.decode_jpeg(v1.placeholder(tf.string, [], name="contents"), channels=3)
        tf.reduce_mean(tf.cast(pixels, tf.float32), axis=[0, 1], name="colour")
    content = graph.as_graph_def().SerializeToString()
    (tmp_path / "colour.pb").write_bytes(content)
    found = graphscope.features(tmp_path / "colour.pb", str(FLOWERS), at="colour").arrays()["x"]
    assert_same_values(found, in_a_loop(content, "colour", "contents", FILES).reshape(18, 3))


def test_a_file_that_tensorflow_cannot_decode_is_named(tmp_path: Path) -> None:
    for kind in ("a", "b"):
        (tmp_path / "data" / kind).mkdir(parents=True)
        (tmp_path / "data" / kind / "1.jpg").write_bytes(FILES[0].read_bytes())
    from PIL import Image

    Image.new("RGB", (4, 4)).save(tmp_path / "data" / "b" / "2.webp")
    with pytest.raises(GraphscopeError, match=r"TensorFlow cannot run the graph: .*, for example b/2\.webp"):
        graphscope.features(INCEPTION, str(tmp_path / "data"), at=BOTTLENECK)


# A head


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that the transfer-learning tutorial ends with: Inception's bottleneck, a new softmax, trained on flowers."""
    directory = tmp_path_factory.mktemp("tuned")
    graphscope.graft(
        INCEPTION, at=BOTTLENECK, classes=3, head="dense:3", out=directory / "model.ckpt", learning_rate=0.01
    )
    reading = DataOptions(cache=directory / "cache")
    report = graphscope.tune(directory / "model.ckpt", str(FLOWERS), validation=0, epochs=30, reading=reading)
    assert report.cached
    assert report.metric >= 0.95
    return Path(report.last)


def test_the_head_is_built_for_any_number_and_the_base_for_one(tuned: Path) -> None:
    model = graphscope.load(tuned)
    recipe = recipe_of(model)
    assert recipe.features == ("head/features:0",)
    with v1.Graph().as_default() as graph:
        v1.train.import_meta_graph(f"{tuned}.meta")
        assert graph.get_tensor_by_name(f"{BOTTLENECK}:0").shape.as_list() == [1, 2048]
        assert graph.get_tensor_by_name(recipe.logits).shape.as_list() == [None, 3]


def test_tensorflow_takes_features_or_a_picture(tuned: Path) -> None:
    recipe = recipe_of(graphscope.load(tuned))
    features = in_a_loop(inception(), BOTTLENECK, INPUT, FILES)
    with v1.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(f"{tuned}.meta").restore(session, str(tuned))
        together = session.run(recipe.predictions, {recipe.features[0]: features})
        alone = [session.run(recipe.predictions, {f"{INPUT}:0": path.read_bytes()}) for path in FILES]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-6)
    assert (together.argmax(1) == np.repeat([0, 1, 2], 6)).mean() >= 0.95


def test_the_final_pb_takes_a_jpeg(tuned: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    final = tmp_path / "final.pb"
    assert code_of("freeze", tuned, "-o", final, "--output", "head/predictions") == 0
    expected = in_a_loop(final.read_bytes(), "head/predictions", INPUT, FILES[6:12])
    found = graphscope.run(final, [f"{INPUT}=@{FLOWERS / 'rose'}"], outputs="head/predictions")
    assert_same_values(found["head/predictions"], expected)
    one = graphscope.run(final, [f"{INPUT}=@{FILES[6]}"], outputs="head/predictions")["head/predictions"]
    assert_same_values(one, expected[:1])
    judged = graphscope.evaluate(final, str(FLOWERS), outputs="head/predictions")
    predicted = in_a_loop(final.read_bytes(), "head/predictions", INPUT, FILES).argmax(1)
    assert (judged.examples, judged.metric) == (18, (predicted == np.repeat([0, 1, 2], 6)).mean())
    assert [row.predicted for row in judged.classes] == np.bincount(predicted, minlength=3).tolist()
    capsys.readouterr()
    assert (
        code_of("run", final, "--feed", f"{INPUT}=@{FLOWERS / 'rose'}", "--output", "head/predictions", "--top", 1) == 0
    )
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[0] for row in rows] == [f"rose_{number}.jpg" for number in range(6)]


def test_a_tuned_model_gives_its_features_again(tuned: Path) -> None:
    found = graphscope.features(tuned, str(FLOWERS)).arrays()["x"]
    assert_same_values(found, in_a_loop(inception(), BOTTLENECK, INPUT, FILES))


def test_the_base_cannot_run_in_each_step(tuned: Path) -> None:
    with pytest.raises(GraphscopeError, match="takes one file at a time, so the base cannot run in each step"):
        graphscope.tune(tuned, str(FLOWERS), use_cache=False, out=f"{tuned.parent}/other/")


def test_weights_of_the_base_train_behind_the_decoding_alone(tmp_path: Path) -> None:
    with pytest.raises(GraphscopeError, match="takes one file at a time: weights of the base cannot train") as error:
        graphscope.graft(INCEPTION, at=BOTTLENECK, head="dense:3", classes=3, unfreeze="mixed_1")
    assert to_words(error.value.hint) == (
        "--input TENSOR cuts the graph open behind the decoding, where it takes a batch"
    )
    grafted = graphscope.graft(INCEPTION, at=BOTTLENECK, inputs="Mul", head="dense:3", classes=3, unfreeze="mixed_1")
    assert [spec.shape for spec in grafted.report.cuts] == [(None, 2048)]


def test_a_cut_without_a_dimension_for_examples_takes_no_head() -> None:
    with pytest.raises(GraphscopeError, match=r"ResizeBilinear/flat:0 is \(6912\): it has no batch dimension"):
        graphscope.graft(flattened(), at="ResizeBilinear/flat", head="dense:3", classes=3)


def flattened() -> graphscope.Model:
    """Inception's pixels as one vector, without a dimension for examples."""
    model = graphscope.load(INCEPTION)
    shape = constant("flat/shape", np.array([48 * 48 * 3], np.int32))
    types = {"T": type_attr(DataType.FLOAT), "Tshape": type_attr(DataType.INT32)}
    flat = make_node("ResizeBilinear/flat", "Reshape", ["ResizeBilinear", "flat/shape"], types)
    return model.with_graph(model.graph.with_nodes([*model.graph.nodes, shape, flat]))


# Runs


def test_a_folder_is_run_file_by_file() -> None:
    found = graphscope.run(INCEPTION, [f"{INPUT}=@{FLOWERS / 'tulip'}"], outputs=["softmax", BOTTLENECK])
    assert_same_values(found["softmax"], in_a_loop(inception(), "softmax", INPUT, FILES[12:]))
    assert found[BOTTLENECK].shape == (6, 2048)
    assert list(found.naming.examples) == [f"tulip_{number}.jpg" for number in range(6)]


def test_results_of_different_shapes_are_not_stacked() -> None:
    with pytest.raises(
        GraphscopeError, match=r"DecodeJpeg:0 is \(64, 64, 3\) for rose_0\.jpg and \(48, 64, 3\) for rose_2"
    ):
        graphscope.run(INCEPTION, [f"{INPUT}=@{FLOWERS / 'rose'}"], outputs="DecodeJpeg")


def test_the_file_that_stops_a_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(FILES[0].read_bytes())
    (tmp_path / "2.jpg").write_bytes(FILES[0].read_bytes()[:200])
    with pytest.raises(GraphscopeError, match=r"DecodeJpeg.*in the run of .*2\.jpg"):
        graphscope.run(INCEPTION, [f"{INPUT}=@{tmp_path}"], outputs="softmax")


def test_an_empty_folder_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(GraphscopeError, match="no pictures in this directory"):
        graphscope.run(INCEPTION, [f"{INPUT}=@{tmp_path}"], outputs="softmax")
    with pytest.raises(FileError, match=r"none\.jpg"):
        graphscope.run(INCEPTION, [f"{INPUT}=@{tmp_path / 'none.jpg'}"], outputs="softmax")


# Sounds


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    for number in range(4):
        path = tmp_path / "sounds" / ("yes" if number % 2 else "no") / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = np.random.default_rng(number).integers(-3000 * (number % 2) - 10, 10, 800)
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(samples.astype("<i2").tobytes())
    return tmp_path / "sounds"


def listener(path: Path) -> bytes:
    """A graph that decodes one WAV file, as the speech commands' does: ``wav_data`` -> ``levels`` (1, 8)."""
    with v1.Graph().as_default() as graph:
        data = v1.placeholder(tf.string, [], name="wav_data")
        audio, _ = tf.audio.decode_wav(data, desired_channels=1, desired_samples=800)
        tf.reduce_mean(tf.abs(tf.reshape(audio, [1, 8, 100])), axis=2, name="levels")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path.read_bytes()


def test_sounds_are_taken_one_at_a_time(sounds: Path, tmp_path: Path) -> None:
    content = listener(tmp_path / "speech.pb")
    found = graphscope.features(tmp_path / "speech.pb", str(sounds), at="levels").arrays()
    files = sorted(sounds.glob("*/*.wav"))
    expected = in_a_loop(content, "levels", "wav_data", files)
    assert_same_values(found["x"], expected)
    ran: Any = graphscope.run(tmp_path / "speech.pb", [f"wav_data=@{sounds / 'yes'}"], outputs="levels")
    assert_same_values(ran["levels"], expected[2:])
    assert tuple(ran.naming.examples) == ("1.wav", "3.wav")


def test_what_is_no_sound_is_left_out(sounds: Path, tmp_path: Path) -> None:
    listener(tmp_path / "speech.pb")
    (sounds / "no" / "x.wav").write_bytes(b"RIFF, but no more")
    found = graphscope.features(tmp_path / "speech.pb", str(sounds), at="levels")
    assert len(found) == 4
    assert [note for note in found.source.notes if "no/x.wav" in note]
