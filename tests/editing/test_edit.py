"""Every step on every kind of model: TensorFlow opens the result, and it computes what it should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.model import Model
from graphscope.editing.shapes import Reshape
from graphscope.errors import ArgumentError, GraphscopeError, UnknownNameError
from tests.support.fixture_files import FIXTURES
from tests.support.running import tf

t = tf.compat.v1
X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
WORDS = np.array([b"a", b"c"], object)
WEIGHTS: Any = np.arange(12, dtype=np.float32).reshape(4, 3) / 10
BIAS: Any = np.array([0.5, -0.5, 0.0], np.float32)


def dense(x: Any) -> Any:
    weights = t.get_variable("weights", initializer=WEIGHTS)
    bias = t.get_variable("bias", initializer=BIAS)
    return t.nn.relu(t.matmul(x, weights, name="product") + bias, name="hidden")


def looping(x: Any) -> Any:
    hidden = dense(x)
    return t.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v * 0.5 + 1), (0, hidden), name="loop")[1]


def calling(x: Any) -> Any:
    @tf.function
    def double(a: Any) -> Any:
        return tf.multiply(a, 2.0, "twice")

    return double(dense(x))


def looking_up(x: Any) -> Any:
    words = t.placeholder(t.string, [None], "words")
    table = t.lookup.StaticHashTable(
        t.lookup.KeyValueTensorInitializer(["a", "b", "c"], np.int64([0, 1, 2])), default_value=-1
    )
    ids = t.cast(table.lookup(words, name="find"), t.float32)
    return dense(x) + t.expand_dims(ids, 1)


KINDS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "checkpoint": (dense, "v2"),
    "v1 checkpoint": (dense, "v1"),
    "v1 loop": (looping, "v2"),
    "library function": (calling, "v2"),
    "SavedModel with tables": (looking_up, "saved_model"),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: write(tmp_path_factory.mktemp("models"), *KINDS[kind]) for kind in KINDS}


def write(directory: Path, build: Callable[[Any], Any], form: str) -> Path:
    modern = t.control_flow_v2_enabled()
    t.disable_control_flow_v2()
    try:
        with tf.Graph().as_default() as graph, t.Session(graph=graph) as session:
            x = t.placeholder(t.float32, [None, 4], "x")
            y = t.identity(build(x), "y")
            session.run([t.global_variables_initializer(), t.tables_initializer()])
            if form == "saved_model":
                inputs = {"x": x, "words": graph.get_tensor_by_name("words:0")}
                t.saved_model.simple_save(session, str(directory / "m"), inputs, {"y": y}, t.tables_initializer())
                return directory / "m"
            version = t.train.SaverDef.V1 if form == "v1" else t.train.SaverDef.V2
            t.train.Saver(write_version=version).save(session, str(directory / "m.ckpt"))
            return directory / "m.ckpt"
    finally:
        if modern:
            t.enable_control_flow_v2()


def opened(path: str, feeds: dict[str, Any], fetch: str) -> Any:
    """What TensorFlow computes of a checkpoint or a SavedModel."""
    with tf.Graph().as_default() as graph, t.Session(graph=graph) as session:
        if Path(path).is_dir():
            t.saved_model.load(session, ["serve"], path)
        else:
            t.train.import_meta_graph(f"{path}.meta", clear_devices=True).restore(session, path)
        given = {name: value for name, value in feeds.items() if name.partition(":")[0] in names_of(graph)}
        return session.run(fetch, given)


def names_of(graph: Any) -> set[str]:
    return {operation.name for operation in graph.get_operations()}


def saved(edited: Any, tmp_path: Path, kind: str) -> str:
    tmp_path.mkdir(exist_ok=True)
    path = str(tmp_path / "out") + ("/" if "SavedModel" in kind else ".ckpt")
    return str(edited.save(path).path)


FEEDS = {"x:0": X, "words:0": WORDS}
STEPS: dict[str, tuple[list[tuple[str, str]], dict[str, Any], str, Callable[[Any], Any]]] = {
    "rename": ([("rename", "^(weights|hidden|x)$=net/\\1")], {"net/x:0": X, **FEEDS}, "y:0", lambda y: y),
    "prefix": ([("prefix", "all")], {"all/x:0": X, "all/words:0": WORDS}, "all/y:0", lambda y: y),
    "remove": ([("insert", "Neg@y,name=z"), ("remove", "z")], FEEDS, "y:0", lambda y: y),
    "rewire": (
        [("insert", "Neg@hidden,name=neg"), ("rewire", "neg:0=product")],
        FEEDS,
        "neg:0",
        lambda _: -X @ WEIGHTS,
    ),
    "insert": ([("insert", "Square@y,name=z")], FEEDS, "z:0", np.square),
    "replace": ([("replace", "hidden=[[1, 2, 3], [4, 5, 6]]")], FEEDS, "hidden:0", lambda _: [[1, 2, 3], [4, 5, 6]]),
    "shape": ([("shape", "x=2,4")], FEEDS, "y:0", lambda y: y),
    "batch": ([("batch", "2")], FEEDS, "y:0", lambda y: y),
    "merge": ([("merge", f"other={FIXTURES / 'softmax' / 'frozen.pb'}")], FEEDS, "y:0", lambda y: y),
    "dtype": ([("dtype", "x=float64")], {**FEEDS, "x:0": X.astype(np.float64)}, "y:0", lambda y: y),
    "device": ([("device", ".*=/device:CPU:0"), ("device", "^x$=")], FEEDS, "y:0", lambda y: y),
    "cleanup": ([("cleanup", "")], FEEDS, "y:0", lambda y: y),
    "extract": ([("extract", "x->hidden")], FEEDS, "hidden:0", lambda _: np.maximum(X @ WEIGHTS + BIAS, 0)),
    "signature": (
        [("signature", "mine: images=x -> scores=y"), ("signature", "other: x -> y"), ("drop-signature", "other")],
        FEEDS,
        "y:0",
        lambda y: y,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", STEPS)
def test_tensorflow_opens_and_runs_the_result(models: dict[str, Path], tmp_path: Path, kind: str, step: str) -> None:
    steps, feeds, fetch, expected = STEPS[step]
    before = opened(str(models[kind]), FEEDS, "y:0")
    edited = graphscope.edit(models[kind], steps)
    found = opened(saved(edited, tmp_path, kind), feeds, fetch)
    np.testing.assert_allclose(found, expected(before), rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def modern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel of TensorFlow 2: a function with a loop, and objects that know it."""
    module = tf.Module()
    module.weights, module.bias = tf.Variable(WEIGHTS, name="weights"), tf.Variable(BIAS, name="bias")

    def serve(x: Any) -> Any:
        hidden = tf.nn.relu(tf.matmul(x, module.weights) + module.bias)
        return {"y": tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v * 0.5 + 1), (0, hidden))[1]}

    module.serve = tf.function(serve, [tf.TensorSpec([None, 4], tf.float32, "x")])
    path = tmp_path_factory.mktemp("modern") / "m"
    tf.saved_model.save(module, str(path), module.serve)
    return path


SERVED = 0.875 * 2 + np.maximum(X @ WEIGHTS + BIAS, 0) / 8
CALL, GIVEN = "StatefulPartitionedCall", "serving_default_x"
MODERN_STEPS: dict[str, tuple[list[tuple[str, str]], str, Any]] = {
    "rename": ([("rename", "^serving_default_=in_")], "serving_default", SERVED),
    "prefix": ([("prefix", "all")], "serving_default", SERVED),
    "device": ([("device", ".*=/device:CPU:0")], "serving_default", SERVED),
    "remove": ([("insert", f"Neg@{CALL},name=z"), ("remove", "z")], "serving_default", SERVED),
    "rewire": (
        [("insert", f"Neg@{GIVEN},name=neg"), ("rewire", f"{CALL}:0=neg")],
        "serving_default",
        0.875 * 2 + np.maximum(-X @ WEIGHTS + BIAS, 0) / 8,
    ),
    "insert": (
        [("insert", f"Square@{CALL},name=z"), ("signature", f"mine: x={GIVEN} -> y=z")],
        "mine",
        np.square(SERVED),
    ),
    "replace": (
        [("insert", f"Neg@{CALL},name=z"), ("replace", "z=[[1, 2, 3]]"), ("signature", f"mine: x={GIVEN} -> y=z")],
        "mine",
        [[1, 2, 3]],
    ),
    "shape": ([("shape", f"{GIVEN}=2,4")], "serving_default", SERVED),
    "batch": ([("batch", "2")], "serving_default", SERVED),
    "dtype": ([("dtype", f"{GIVEN}=float64")], "serving_default", SERVED),
    "signature": (
        [("signature", f"mine: x={GIVEN} -> y={CALL}"), ("drop-signature", "serving_default")],
        "mine",
        SERVED,
    ),
    "extract": ([("extract", f"{GIVEN}->{CALL}")], "serving_default", SERVED),
    "cleanup": ([("cleanup", "")], "serving_default", SERVED),
    "merge": ([("merge", "two=MODEL")], "two_serving_default", SERVED),
    "bind": ([("merge", "two=MODEL"), ("bind", f"two/{GIVEN}={GIVEN}")], "two_serving_default", None),
}


@pytest.mark.parametrize("step", MODERN_STEPS)
def test_tensorflow_2_loads_what_was_edited(modern: Path, tmp_path: Path, step: str) -> None:
    """``tf.saved_model.load`` computes what the edited graph does, not what functions of objects did before."""
    texts, signature, expected = MODERN_STEPS[step]
    edited = graphscope.edit(modern, [(kind, text.replace("MODEL", str(modern))) for kind, text in texts])
    loaded = tf.saved_model.load(edited.save(f"{tmp_path}/out/").path)
    assert ("serving_default" in loaded.signatures) is (step != "signature")
    serve = loaded.signatures[signature]
    given = {name: tf.cast(X, spec.dtype) for name, spec in serve.structured_input_signature[1].items()}
    if expected is not None:
        np.testing.assert_allclose(serve(**given)["y"], expected, rtol=1e-5, atol=1e-6)
    has_objects = step in ("rename", "prefix", "device")
    assert edited.model.meta.HasField("object_graph_def") is has_objects


class Told(graphscope.Listener):
    """Keeps the notes."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str | graphscope.Advice) -> None:
        """Keeps ``text``."""
        self.notes.append(str(text))


def test_objects_that_are_left_out_are_told(modern: Path) -> None:
    listener = Told()
    graphscope.edit(modern, [("insert", f"Neg@{CALL}"), ("cleanup", "")], listener=listener)
    assert [text for text in listener.notes if "objects" in text] == [
        "the Python objects of the TensorFlow 2 SavedModel are dropped: tf.saved_model.load returns only the signatures"
    ]


def test_values_follow_a_renamed_variable(models: dict[str, Path], tmp_path: Path) -> None:
    for kind in KINDS:
        edited = graphscope.edit(models[kind], [("rename", "^weights=net/kernel")])
        assert edited.names["weights:0"] == "net/kernel:0"
        again = graphscope.load(saved(edited, tmp_path / kind.replace(" ", "_"), kind).rstrip("/"))
        np.testing.assert_array_equal(np.asarray(again["net/kernel"]), WEIGHTS)
        keys = {variable.key for variable in again.variables}
        assert "net/kernel" in keys
        assert "weights" not in keys


def test_partitions_of_a_renamed_variable_stay_one_value(tmp_path: Path) -> None:
    model = graphscope.load(FIXTURES / "partitioned")
    edited = graphscope.edit(model, [("rename", "^inference/=model/")])
    assert edited.verify(atol=1e-4, rtol=1e-3).is_within
    edited.save(tmp_path / "out.ckpt")
    again = graphscope.load(tmp_path / "out.ckpt")
    assert not [v.name for v in again.variables if v.is_missing]
    assert graphscope.verify(model, again, atol=1e-4, rtol=1e-3).is_within


@pytest.mark.parametrize("name", ["lenet5/frozen.pb", "batchnorm", "rnn", "lenet5/saved_model"])
def test_renaming_and_back_gives_the_same_model(name: str, tmp_path: Path) -> None:
    model = graphscope.load(FIXTURES / name)
    there = graphscope.edit(model, [("prefix", "outer")])
    back = graphscope.edit(there.model, [("rename", "^outer/=")])
    assert graphscope.diff(model, back.model, weights="exact").is_equal
    assert [n.proto.SerializeToString(deterministic=True) for n in back.model.graph] == [
        n.proto.SerializeToString(deterministic=True) for n in model.graph
    ]
    if name.endswith(".pb"):
        back.save(tmp_path / "back.pb")
        assert (tmp_path / "back.pb").read_bytes() == (FIXTURES / name).read_bytes()


def fixed_batch() -> None:
    x = t.placeholder(t.float32, [128, 4], "x")
    flat = t.reshape(t.reshape(x, [128, 2, 2]), [128, 4])
    t.nn.softmax(t.matmul(flat, np.arange(12, dtype=np.float32).reshape(4, 3)), name="y")


def test_a_batch_of_128_becomes_any(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        fixed_batch()
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    edited = graphscope.edit(tmp_path / "m.pb", [("batch", "?")])
    edited.save(tmp_path / "any.pb")
    rows = np.random.default_rng(3).random((128, 4), np.float32)
    whole = graphscope.run(tmp_path / "m.pb", {"x": rows}, outputs="y")["y:0"]
    for count in (1, 7):
        found = graphscope.run(tmp_path / "any.pb", {"x": rows[:count]}, outputs="y")["y:0"]
        np.testing.assert_allclose(found, whole[:count], rtol=1e-5)


def test_two_models_in_one_graph(models: dict[str, Path], tmp_path: Path) -> None:
    """The second takes what the first gives; both bring their values."""
    first = graphscope.edit(models["checkpoint"], [("insert", "Softsign@y,name=z"), ("extract", "z")]).model
    with tf.Graph().as_default() as graph:
        small = t.placeholder(t.float32, [None, 3], "x")
        t.identity(small * 10.0, "y")
    (tmp_path / "times_ten.pb").write_bytes(graph.as_graph_def().SerializeToString())
    steps = [("merge", f"{tmp_path / 'times_ten.pb'}"), ("bind", "times_ten/x=z")]
    edited = graphscope.edit(first, steps)
    alone = graphscope.run(first, {"x": X}, outputs="z")["z:0"]
    edited.save(tmp_path / "both.ckpt")
    np.testing.assert_allclose(opened(str(tmp_path / "both.ckpt"), {"x:0": X}, "times_ten/y:0"), alone * 10, rtol=1e-6)


def test_two_checkpoints_side_by_side(models: dict[str, Path], tmp_path: Path) -> None:
    edited = graphscope.edit(models["v1 loop"], [("merge", f"other={models['checkpoint']}")])
    edited.save(tmp_path / "both.ckpt")
    path = str(tmp_path / "both.ckpt")
    for fetch, feed, kind in (("y:0", "x:0", "v1 loop"), ("other/y:0", "other/x:0", "checkpoint")):
        found = opened(path, {feed: X}, fetch)
        np.testing.assert_allclose(found, opened(str(models[kind]), FEEDS, "y:0"), rtol=1e-6)


def test_cleanup_takes_out_what_is_there_twice(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        x = t.placeholder(t.float32, [None, 600], "x")
        weights = [t.constant(np.arange(1800, dtype=np.float32).reshape(600, 3), name=f"w{i}") for i in range(2)]
        one, two = (t.nn.relu(t.matmul(x, t.identity(w))) for w in weights)
        t.identity(t.random_uniform([]) + t.random_uniform([]), "random")
        t.exp(x, "dead")
        t.add(one, two, name="y")
        t.add(t.random_normal([]), t.random_normal([]), name="noise")
    (tmp_path / "m.pb").write_bytes(graph.as_graph_def().SerializeToString())
    edited = graphscope.edit(tmp_path / "m.pb", [("cleanup", "")], outputs=["y", "noise"])
    assert sum(n.op == "Const" and bool(n.payloads) for n in edited.model.graph) == 1
    assert edited.model.graph.ops.count("MatMul") == 1
    assert edited.model.graph.ops.count("RandomStandardNormal") == 2
    assert "dead" not in edited.model.graph
    feed = {"x": np.ones((2, 600), np.float32)}
    before, after = (graphscope.run(m, feed, outputs="y")["y:0"] for m in (tmp_path / "m.pb", edited.model))
    np.testing.assert_allclose(before, after, rtol=1e-6)


# What cannot be


@pytest.mark.parametrize(
    ("steps", "error", "message"),
    [
        ([("rename", "^nothing$=x")], UnknownNameError, "rename"),
        ([("rename", "(=x")], ArgumentError, "not a regular expression"),
        ([("rename", "weights")], ArgumentError, "REGEX=NEW"),
        ([("rename", "^(product|hidden)$=same")], GraphscopeError, "two nodes would be called same"),
        ([("rename", "hidden=\\7")], GraphscopeError, "is not a valid replacement"),
        ([("remove", "x")], GraphscopeError, "has no input"),
        ([("rewire", "y=x")], ArgumentError, "number of the input"),
        ([("insert", "Neg")], ArgumentError, "OP@TENSOR"),
        ([("replace", "hidden=word")], GraphscopeError, "replace hidden=word"),
        ([("bind", "hidden=x")], GraphscopeError, "hidden is not an input"),
        ([("batch", "many")], ArgumentError, "batch many: many is neither a number of examples nor ?"),
        ([("batch", "0")], ArgumentError, "batch 0: 0 is neither a number of examples nor ?"),
        ([("batch", str(2**63))], ArgumentError, "is neither a number of examples nor ?"),
        ([("batch", "1" * 5000)], ArgumentError, "is neither a number of examples nor ?"),
        ([("prefix", "\ud800")], GraphscopeError, "surrogates not allowed"),
        ([("rename", "a{99999999999999}=x")], ArgumentError, "not a regular expression"),
        ([Reshape(batch=0)], ArgumentError, "0 is neither a number of examples nor ?"),
        ([("dtype", "x=float33")], UnknownNameError, "float33"),
        ([("merge", "nowhere.pb")], GraphscopeError, "nowhere.pb"),
        ([("drop-signature", "serving")], UnknownNameError, "serving"),
        ([("signature", "a b")], ArgumentError, "NAME: argument=TENSOR"),
        ([("paint", "red")], ArgumentError, "there is no step 'paint'"),
    ],
)
def test_steps_that_cannot_be_made(
    models: dict[str, Path], steps: list[tuple[str, str]], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        graphscope.edit(models["checkpoint"], steps)
    assert message in str(getattr(caught.value, "message", caught.value))


def test_a_signature_must_not_name_what_is_gone(models: dict[str, Path]) -> None:
    with pytest.raises(GraphscopeError, match="the argument y of signature serving_default is y:0, which was removed"):
        graphscope.edit(models["SavedModel with tables"], [("remove", "y")])
    edited = graphscope.edit(models["SavedModel with tables"], [("remove", "y"), ("drop-signature", "serving_default")])
    assert "serving_default" not in edited.model.signatures


def test_a_changed_model_is_not_verified(models: dict[str, Path], tmp_path: Path) -> None:
    edited = graphscope.edit(models["checkpoint"], [("insert", "Neg@hidden")], outputs="y")
    with pytest.raises(GraphscopeError, match="computes different values"):
        edited.save(tmp_path / "out.ckpt", verify=True)
    assert list(tmp_path.iterdir()) == []
    renamed = graphscope.edit(models["checkpoint"], [("prefix", "net")], outputs="y")
    found = renamed.save(tmp_path / "out.ckpt", verify=True, atol=1e-4, rtol=1e-3).verification
    assert found is not None
    assert [output.tensor for output in found.outputs] == ["net/y:0"]


def test_the_source_stays_as_it_was(models: dict[str, Path]) -> None:
    model: Model = graphscope.load(models["checkpoint"])
    before = [node.proto.SerializeToString() for node in model.graph]
    graphscope.edit(model, [("prefix", "a"), ("cleanup", ""), ("batch", "3"), ("device", ".*=/cpu:0")])
    assert [node.proto.SerializeToString() for node in model.graph] == before
