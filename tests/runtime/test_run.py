"""``run`` as a library function: what it needs, how tensors may be called, where nodes run, what it says when it cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphscope.cli.terminal.wording import to_words
from graphscope.core.model import Model
from graphscope.errors import CorruptFileError, FileError, GraphscopeError, IncompleteModelError, UnknownNameError
from graphscope.feeding.feeds import Feed, FeedOptions, example_names, resolve_tensors
from graphscope.feeding.naming import Fetch, Names, find_signature
from graphscope.formats import load
from graphscope.formats.media.pictures import Scaling
from graphscope.runtime.config import Placing, SessionOptions
from graphscope.runtime.devices import short_device
from graphscope.runtime.run import run
from graphscope.transforms.device_placement import parse_rule
from tests.support.fixture_files import FIXTURES, committed_models
from tests.support.running import tf

tf1 = tf.compat.v1

DIGITS = FIXTURES / "digits"
TRUTH = dict(line.split() for line in (DIGITS / "labels.txt").read_text().splitlines())


def saved(build: Callable[[], Any], path: Path) -> Model:
    with tf.Graph().as_default() as graph:
        build()
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return load(path)


# The drawn digits

FORMS = [
    (name, form["path"])
    for name, entry in committed_models().items()
    for form in entry["forms"]
    if Path(form["path"]).suffix not in (".npz", ".pbtxt")
]


@pytest.mark.parametrize(("name", "path"), FORMS, ids=["-".join(form) for form in FORMS])
def test_the_drawn_digits_are_recognized(name: str, path: str) -> None:
    entry, model = committed_models()[name], load(FIXTURES / name / path)
    texts = [f"input=@{DIGITS}", *(f"{k}={v}" for k, v in entry["inference_feeds"].items())]
    [scores] = run(model, [entry["output"]], resolve_tensors(model, texts)).values
    assert scores is not None
    labels = [int(TRUTH[example]) for example in example_names(texts)]
    known = [i for i, label in enumerate(labels) if label < scores.shape[1]]
    assert len(known) == (10 if name == "lenet5_0to4" else 20)
    assert [scores[i].argmax() for i in known] == [labels[i] for i in known]


# What has to be fed


def test_placeholders_that_are_not_fed_are_told_with_type_and_shape() -> None:
    with pytest.raises(GraphscopeError) as error:
        run(load(FIXTURES / "batchnorm"), ["predictions"])
    assert error.value.message.endswith(
        "predictions needs 2 placeholders that are not fed:\ninput:0        float32 (?, 784)\nis_training:0  bool ()"
    )
    assert to_words(error.value.hint) == "--feed input=@picture.png --feed is_training=false"


def test_the_example_suits_the_placeholder(tmp_path: Path) -> None:
    def build() -> None:
        shapes = {"a": (tf.string, []), "b": (tf.string, [None]), "c": (tf.bool, []), "d": (tf.int32, [None, 784])}
        shapes |= {"e": (tf.uint8, [1, 8, 8, 3]), "f": (tf.float32, None), "g": (tf.float32, [7])}
        inputs = [tf1.placeholder(dtype, shape, name) for name, (dtype, shape) in shapes.items()]
        with tf.control_dependencies(inputs):
            tf.no_op("all")

    with pytest.raises(GraphscopeError, match="7 placeholders") as error:
        run(saved(build, tmp_path / "g.pb"), ["all"])
    assert "g:0" not in error.value.message
    assert error.value.message.endswith("and 1 more")
    values = {"a": "text", "b": "random", "c": "false", "d": "random", "e": "@picture.png", "f": "random"}
    assert to_words(error.value.hint) == " ".join(f"--feed {k}={v}" for k, v in values.items())


def test_placeholders_with_a_default_keep_it(tmp_path: Path) -> None:
    def build() -> None:
        tf.add(tf1.placeholder_with_default([1.0, 2.0], [2], name="x"), 1, name="out")

    model = saved(build, tmp_path / "g.pb")
    assert run(model, ["out"]).values[0].tolist() == [2, 3]  # type: ignore[union-attr]
    assert run(model, ["out"], {"x": np.array([5, 6])}).values[0].tolist() == [6, 7]  # type: ignore[union-attr]
    with pytest.raises(GraphscopeError, match=r"x:0 has shape \(2\), the value \(3\)"):
        run(model, ["out"], {"x": np.zeros(3)})
    with pytest.raises(GraphscopeError, match="x:0 takes float32, not text"):
        run(model, ["out"], {"x": np.array(["a", "b"])})
    with pytest.raises(UnknownNameError, match="no node is named 'y'"):
        run(model, ["out"], {"y": np.zeros(2)})
    with pytest.raises(UnknownNameError, match="no node is named 'outt'; closest: out"):
        run(model, ["outt"])


def test_a_value_that_the_checkpoint_lacks() -> None:
    model = load(FIXTURES / "softmax" / "graph.pbtxt")
    with pytest.raises(IncompleteModelError, match="no checkpoint holds a value of variable inference/weights"):
        run(model, ["inference/prediction"], {"input": np.zeros((1, 784))})


def test_a_train_op_changes_the_copy_in_memory() -> None:
    model = load(FIXTURES / "lenet5")
    before = {f.path: Path(f.path).read_bytes() for f in model.files}
    feeds = {"input": np.zeros((2, 784)), "labels": np.array([3, 4])}
    step, nothing = run(model, ["train/Adam", "train/Adam/update"], feeds).values
    assert step == 4691
    assert nothing is None
    assert {f.path: Path(f.path).read_bytes() for f in model.files} == before
    assert run(model, ["global_step"]).values[0] == 4690


# Where nodes run


def test_towers_run_on_the_cpus_that_they_name() -> None:
    model, feeds = load(FIXTURES / "towers"), {"input": np.zeros((2, 784)), "keep_prob": np.array(1)}
    options = SessionOptions(devices={"CPU": 2}, soft_placement=False, log_placement=True, log_executed=True)
    found = run(model, ["prediction"], feeds, options=options)
    assert found.absent == {}
    placed = {p.name: short_device(p.device) for p in found.placement}
    assert placed["tower_0/conv1/Conv2D"] == "CPU:0"
    assert placed["tower_1/conv1/Conv2D"] == "CPU:1"
    assert {p.node for p in found.executed if p.name.startswith("_arg_input")} == {"input"}
    soft = run(model, ["prediction"], feeds)
    assert soft.placement == soft.executed == ()
    assert set(soft.absent) == {"/device:CPU:1"}
    assert np.array_equal(soft.values[0], found.values[0])  # type: ignore[arg-type]


def test_devices_may_be_forgotten_and_set_anew() -> None:
    model, feeds = load(FIXTURES / "towers"), {"input": np.zeros((2, 784)), "keep_prob": np.array(1)}
    rules, options = [parse_rule("tower_1/=cpu:2")], SessionOptions({"CPU": 3}, False, log_placement=True)
    found = run(model, ["prediction"], feeds, placing=Placing(True, rules, "/device:CPU:1"), options=options)
    placed = {p.name: short_device(p.device) for p in found.placement}
    assert (placed["tower_0/conv1/Conv2D"], placed["tower_1/conv1/Conv2D"]) == ("CPU:1", "CPU:2")
    hard = SessionOptions(soft_placement=False)
    with pytest.raises(GraphscopeError, match=r"which is not available"):
        run(model, ["prediction"], feeds, placing=Placing(device="/device:GPU:7"), options=hard)


def test_too_much_memory_is_one_sentence(tmp_path: Path) -> None:
    def build() -> None:
        rows = tf1.placeholder(tf.int32, [], name="rows")
        tf.reduce_sum(tf.fill([rows, 1 << 20], 1.0), name="sum")

    with pytest.raises(
        GraphscopeError, match=r"g\.pb: TensorFlow cannot run the graph: .*OOM when allocating"
    ) as error:
        run(saved(build, tmp_path / "g.pb"), ["sum"], {"rows": np.array(1 << 24)})
    assert "\n" not in error.value.message
    assert to_words(error.value.hint) == "a smaller batch needs less memory"


# Names


@pytest.fixture(scope="module")
def of_objects(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A SavedModel of TensorFlow 2 with two signatures."""

    class Module(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
        def double(self, x: Any) -> Any:
            return {"doubled": x * self.weight, "same": x}

        @tf.function(input_signature=[tf.TensorSpec([], tf.float32, "a"), tf.TensorSpec([], tf.float32, "b")])
        def add(self, a: Any, b: Any) -> Any:
            return a + b + self.weight

    directory, module = tmp_path_factory.mktemp("model"), Module()
    signatures = {"serving_default": module.double, "add": module.add}
    tf.saved_model.save(module, str(directory), signatures=signatures)
    return load(directory)


def test_arguments_and_outputs_of_a_signature_may_be_named(of_objects: Model) -> None:
    names = Names(of_objects, find_signature(of_objects, "add"), is_chosen=True)
    feeds = resolve_tensors(of_objects, names.feeds(["a=1", "add_b=2"]))
    assert set(feeds) == {"add_a:0", "add_b:0"}
    [fetch] = names.signature_fetches()
    assert fetch.name == "output_0"
    assert run(of_objects, [fetch.target], feeds).values[0] == 5
    assert names.fetches(["output_0"]) == [fetch]


def test_the_default_signature_names_what_the_graph_does_not(of_objects: Model) -> None:
    names = Names(of_objects, find_signature(of_objects, "serving_default"))
    fetches = names.fetches(["same", "doubled"])
    feeds = resolve_tensors(of_objects, names.feeds(["x=[1, 2]"]))
    assert [v.tolist() for v in run(of_objects, [f.target for f in fetches], feeds).values] == [[1, 2], [2, 4]]  # type: ignore[union-attr]
    with pytest.raises(UnknownNameError, match="no node or argument is named 'dubled'; closest: doubled"):
        names.fetches(["dubled"])
    with pytest.raises(UnknownNameError, match="no signature is named 'ad'; closest: add") as error:
        find_signature(of_objects, "ad")
    assert to_words(error.value.hint) == f"{of_objects.path} has add, serving_default"


def test_a_chosen_signatures_names_come_before_the_graphs(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        a, b = tf1.placeholder(tf.float32, [], name="a"), tf1.placeholder(tf.float32, [], name="b")
        out = tf.subtract(a, b, name="out")
        tf1.saved_model.simple_save(session, str(tmp_path / "m"), {"a": b, "b": a}, {"out": out})
    model = load(tmp_path / "m")
    signature = find_signature(model, "serving_default")
    assert Names(model, signature).feeds(["a=1", "b:0=2"]) == [Feed("a", "1"), Feed("b:0", "2")]
    assert Names(model, signature, is_chosen=True).feeds(["a=1", "b=2"]) == [Feed("b:0", "1"), Feed("a:0", "2")]
    assert Names(model).fetches(["out:0", "out"]) == [Fetch("out:0", "out:0"), Fetch("out", "out:0")]


def test_an_argument_of_several_tensors_must_be_named_by_them(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf1.Session() as session:
        matrix = tf1.sparse_placeholder(tf.float32, [None, 2], name="s")
        out = tf.sparse.to_dense(matrix, name="out")
        tf1.saved_model.simple_save(session, str(tmp_path / "m"), {"matrix": matrix}, {"dense": out})
    model = load(tmp_path / "m")
    names = Names(model, find_signature(model, "serving_default"))
    with pytest.raises(GraphscopeError, match=r"argument matrix means 3 tensors; name each of them: s/indices:0"):
        names.feeds(["matrix=1"])
    texts = names.feeds(["s/indices=[[0, 1]]", "s/values=[7]", "s/shape=[1, 2]"])
    given = resolve_tensors(model, texts)
    assert run(model, ["out"], given).values[0].tolist() == [[0, 7]]  # type: ignore[union-attr]


def test_a_node_without_outputs_and_an_output_too_many() -> None:
    names = Names(load(FIXTURES / "lenet5"))
    assert names.fetches(["init"]) == [Fetch("init", "init")]
    with pytest.raises(GraphscopeError, match="has 1 outputs: there is no softmax:1"):
        names.fetches(["softmax:1"])
    with pytest.raises(GraphscopeError, match="is not of the form NAME=VALUE"):
        names.feeds(["input"])


# Pictures


def test_pictures_are_fed_in_name_order(tmp_path: Path) -> None:
    def build() -> None:
        for name, dtype, shape in (("flat", tf.float32, [None, 784]), ("bytes", tf.uint8, [None, 28, 28, 1])):
            tf.identity(tf1.placeholder(dtype, shape, name=name), name=f"{name}_out")
        tf1.placeholder(tf.float32, [1, 28, 28, 1], name="one")
        tf1.placeholder(tf.float32, [None, None, 3], name="any")
        tf1.placeholder(tf.float32, [None, 10], name="none")
        tf1.placeholder(tf.string, [], name="encoded")
        tf1.placeholder(tf.string, [None], name="several")

    model = saved(build, tmp_path / "g.pb")
    texts = [f"flat=@{DIGITS}", f"bytes=@{DIGITS}", f"any=@{DIGITS / '3a.png'}", f"encoded=@{DIGITS / '3a.png'}"]
    feeds = resolve_tensors(model, [*texts, f"several=@{DIGITS}"])
    assert {k: v.shape for k, v in feeds.items()} == {
        "flat:0": (20, 784),
        "bytes:0": (20, 28, 28, 1),
        "any:0": (28, 28, 3),
        "encoded:0": (),
        "several:0": (20,),
    }
    assert np.array_equal(feeds["flat:0"], feeds["bytes:0"].reshape(20, 784) / np.float32(255))
    assert feeds["encoded:0"].item() == (DIGITS / "3a.png").read_bytes()
    assert example_names(["x=1", *texts]) == tuple(sorted(TRUTH))
    assert example_names(["x=1", "y=random"]) == ()
    centred = resolve_tensors(model, [f"flat=@{DIGITS / '3a.png'}"], FeedOptions(scaling=Scaling(1 / 127.5, (127.5,))))
    assert (centred["flat:0"].min(), centred["flat:0"].max()) == (-1, 1)
    for text, message in {
        f"one=@{DIGITS}": r"one:0: 20 pictures, where shape \(1, 28, 28, 1\) takes 1",
        f"any=@{DIGITS}": r"any:0: 20 pictures, where shape \(\?, \?, 3\) takes 1",
        f"none=@{DIGITS}": r"none:0: a tensor of shape \(\?, 10\) cannot take pictures",
    }.items():
        with pytest.raises(GraphscopeError, match=message):
            resolve_tensors(model, [text])
    with pytest.raises(FileError, match=r"none\.png: No such file"):
        resolve_tensors(model, [f"flat=@{tmp_path / 'none.png'}"])
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(CorruptFileError, match=r"text\.png: not a picture that Pillow can read"):
        resolve_tensors(model, [f"flat=@{tmp_path / 'text.png'}"])


def test_a_string_tensor_takes_any_file(tmp_path: Path) -> None:
    def build() -> None:
        tf1.placeholder(tf.string, None, name="x")
        tf1.placeholder(tf.float32, None, name="y")

    model = saved(build, tmp_path / "g.pb")
    assert resolve_tensors(model, [f"x=@{tmp_path / 'g.pb'}"])["x:0"].item() == (tmp_path / "g.pb").read_bytes()
    with pytest.raises(FileError, match=r"none\.wav: No such file"):
        resolve_tensors(model, [f"x=@{tmp_path / 'none.wav'}"])
    with pytest.raises(GraphscopeError, match=r"a value is read from \.npy, \.npz, idx files, a picture"):
        resolve_tensors(model, [f"y=@{tmp_path / 'g.pb'}"])
