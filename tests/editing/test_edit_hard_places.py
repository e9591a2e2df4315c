"""Steps inside loops, branches and library functions, and on models with partitions, tables and assets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.errors import GraphscopeError
from tests.support.running import tf

t = tf.compat.v1
X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
WORDS = np.array([b"a", b"c"], object)


def looping(x: Any) -> Any:
    scale = t.get_variable("scale", initializer=np.float32(0.5))
    body = lambda i, v: (i + 1, t.tanh(t.multiply(v, scale, name="scaled"), name="bent"))  # noqa: E731
    return t.while_loop(lambda i, _: i < 3, body, (0, x), name="loop")[1]


def branching(x: Any) -> Any:
    t.get_variable("unused", initializer=0.0)
    up = t.placeholder_with_default(False, [], "up")
    return t.cond(up, lambda: t.nn.relu(x, name="one"), lambda: t.tanh(x, name="other"), name="cond")


def calling(x: Any) -> Any:
    t.get_variable("unused", initializer=0.0)

    @tf.function
    def inner(a: Any) -> Any:
        return tf.tanh(a, name="bent") - a

    return inner(x)


def partitioned(x: Any) -> Any:
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    with t.variable_scope("part", partitioner=t.fixed_size_partitioner(2)):
        weights = t.get_variable("w", [4, 3], initializer=lambda shape, **rest: values[: shape[0]])
    return t.matmul(x, t.convert_to_tensor(weights))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[Any], Any]], Path]:
    known: dict[str, Path] = {}

    def write(build: Callable[[Any], Any]) -> Path:
        if build.__name__ not in known:
            path = tmp_path_factory.mktemp(build.__name__) / "m.ckpt"
            modern = t.control_flow_v2_enabled()
            t.disable_control_flow_v2()
            with tf.Graph().as_default() as graph, t.Session(graph=graph) as session:
                t.identity(build(t.placeholder(t.float32, [None, 4], "x")), "y")
                session.run(t.global_variables_initializer())
                t.train.Saver().save(session, str(path))
            if modern:
                t.enable_control_flow_v2()
            known[build.__name__] = path
        return known[build.__name__]

    return write


def run(path: Path | str, fetch: str = "y:0", **feeds: Any) -> Any:
    with tf.Graph().as_default() as graph, t.Session(graph=graph) as session:
        t.train.import_meta_graph(f"{path}.meta").restore(session, str(path))
        return session.run(fetch, {"x:0": X, **{f"{name}:0": value for name, value in feeds.items()}})


def edited(model: Path, tmp_path: Path, *steps: tuple[str, str]) -> str:
    tmp_path.mkdir(exist_ok=True)
    return str(graphscope.edit(model, steps).save(tmp_path / "out.ckpt").path)


def inner_of(model: Path) -> str:
    return next(iter(graphscope.load(model).graph.functions))


Written = Callable[[Callable[[Any], Any]], Path]


def test_programs_can_import_a_loop_that_lost_nodes(written: Written, tmp_path: Path) -> None:
    result = edited(written(looping), tmp_path, ("remove", "loop/bent"))
    np.testing.assert_allclose(run(result), X / 8, rtol=1e-6)


def test_a_constant_in_a_loop_or_branch_runs_when_its_node_did(written: Written, tmp_path: Path) -> None:
    constant = [[1.0, 2.0, 3.0, 4.0]] * 2
    result = edited(written(looping), tmp_path / "loop", ("replace", f"loop/bent={constant}"))
    np.testing.assert_array_equal(run(result), constant)
    result = edited(written(branching), tmp_path / "cond", ("replace", f"cond/other={constant}"))
    np.testing.assert_array_equal(run(result, up=False), constant)
    np.testing.assert_array_equal(run(result, up=True), np.maximum(X, 0))


@pytest.mark.parametrize("step", [("signature", "s: x -> loop/bent"), ("extract", "x->loop/bent")])
def test_no_model_gives_a_tensor_of_a_loop(written: Written, step: tuple[str, str]) -> None:
    with pytest.raises(GraphscopeError, match=r"loop/bent(:0)? is inside the loop loop/while_context"):
        graphscope.edit(written(looping), [step])


def test_a_graph_is_not_cut_open_inside_a_loop(written: Written) -> None:
    with pytest.raises(GraphscopeError, match="from outside all loops"):
        graphscope.edit(written(looping), [("extract", "loop/Identity_1->y")])


INNER: dict[str, tuple[tuple[str, str], Any]] = {
    "rename": (("rename", "/bent$=/curved"), np.tanh(X) - X),
    "rename by its whole name": (("rename", "^F/bent$=F/curved"), np.tanh(X) - X),
    "insert": (("insert", "Neg@F/bent"), -np.tanh(X) - X),
    "insert, with a number": (("insert", "Neg@F/bent:0"), -np.tanh(X) - X),
    "insert after an argument": (("insert", "Neg@F/a"), X - np.tanh(X)),
    "rewire": (("rewire", "F/sub:1=F/bent"), np.zeros_like(X)),
    "rewire to an argument": (("rewire", "F/sub:0=F/a"), np.zeros_like(X)),
    "replace": (("replace", "F/bent=0.5"), 0.5 - X),
}


@pytest.mark.parametrize("name", INNER)
def test_steps_in_a_library_function(written: Written, tmp_path: Path, name: str) -> None:
    (kind, text), expected = INNER[name]
    model = written(calling)
    result = edited(model, tmp_path, (kind, text.replace("F/", f"{inner_of(model)}/")))
    np.testing.assert_allclose(run(result), expected, rtol=1e-5, atol=1e-6)


def test_an_output_that_a_node_of_a_function_lacks(written: Written) -> None:
    model = written(calling)
    with pytest.raises(GraphscopeError, match=r"bent .* has no output 1"):
        graphscope.edit(model, [("insert", f"Neg@{inner_of(model)}/bent:1")])


def test_partitioned_variables_of_merged_models(written: Written, tmp_path: Path) -> None:
    model = written(partitioned)
    result = edited(model, tmp_path, ("merge", f"m={model}"), ("bind", "m/x=x"))
    np.testing.assert_array_equal(run(result, "m/y:0"), run(model))
    assert all(variable.key == variable.name for variable in graphscope.load(result).variables)


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        (("rename", "^y$=a b"), "'a b' is not a valid name"),
        (("rename", "^y$=a:0"), "'a:0' is not a valid name"),
        (("prefix", "/n"), "'/n/.*' is not a valid name"),
        (("insert", "Neg@y,name=^z"), "'\\^z' is not a valid name"),
        (("merge", "a b=MODEL"), "'a b' is not a name"),
        (("device", "y=rubbish"), "'rubbish' is not the name of a device"),
        (("dtype", "x=string"), "no Cast takes or gives string"),
    ],
)
def test_what_tensorflow_would_not_import_is_refused(written: Written, step: tuple[str, str], complaint: str) -> None:
    model = written(looping)
    with pytest.raises(GraphscopeError, match=complaint):
        graphscope.edit(model, [(step[0], step[1].replace("MODEL", str(model)))])


def test_nodes_that_do_not_fit_are_refused(written: Written) -> None:
    with pytest.raises(GraphscopeError, match="node MatMul: dimensions must be equal"):
        graphscope.edit(written(partitioned), [("rewire", "MatMul:0=part/w")])


def test_shapes_that_no_longer_hold_are_not_stated(written: Written, tmp_path: Path) -> None:
    """TensorFlow refuses a node whose stated shape is another than the one that it infers."""
    result = edited(written(partitioned), tmp_path, ("rewire", "y:0=x"))
    np.testing.assert_array_equal(run(result), X)


def test_errors_in_a_recipe_name_the_step(written: Written, tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("- cleanup\n- remove: nowhere\n")
    with pytest.raises(GraphscopeError) as caught:
        graphscope.edit(written(calling), recipe=tmp_path / "r.yaml")
    assert caught.value.message == f"{tmp_path / 'r.yaml'}: step 2: no node is named 'nowhere'"


# Tables that a file fills


def with_vocabulary(directory: Path, words: str) -> Path:
    directory.mkdir()
    (directory / "words.txt").write_text(words)
    with tf.Graph().as_default() as graph, t.Session(graph=graph) as session:
        source = t.lookup.TextFileInitializer(
            str(directory / "words.txt"),
            t.string,
            t.lookup.TextFileIndex.WHOLE_LINE,
            t.int64,
            t.lookup.TextFileIndex.LINE_NUMBER,
        )
        given = t.placeholder(t.string, [None], "words")
        found = t.identity(t.lookup.StaticHashTable(source, -1).lookup(given), "ids")
        t.get_variable("unused", initializer=0.0)
        session.run([t.global_variables_initializer(), t.tables_initializer()])
        info = t.saved_model.signature_def_utils.predict_signature_def({"words": given}, {"ids": found})
        builder = t.saved_model.Builder(str(directory / "m"))
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": info},
            assets_collection=t.get_collection(t.GraphKeys.ASSET_FILEPATHS),
            main_op=t.tables_initializer(),
        )
        builder.save()
    return directory / "m"


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_vocabulary(tmp_path_factory.mktemp("vocabulary") / "one", "a\nb\nc\n")


def look_up(path: str, fetch: str = "ids:0", fed: str = "words:0") -> list[int]:
    with tf.Graph().as_default() as graph, t.Session(graph=graph) as session:
        t.saved_model.load(session, ["serve"], path)
        return list(session.run(fetch, {fed: WORDS}))


@pytest.mark.parametrize(
    ("steps", "fetch", "fed"),
    [
        ([("prefix", "all")], "all/ids:0", "all/words:0"),
        ([("extract", "words->ids")], "ids:0", "words:0"),
        ([("merge", "two=MODEL"), ("bind", "two/words=words")], "two/ids:0", "words:0"),
    ],
)
def test_tables_are_still_filled(
    vocabulary: Path, tmp_path: Path, steps: list[tuple[str, str]], fetch: str, fed: str
) -> None:
    written = [(kind, text.replace("MODEL", str(vocabulary))) for kind, text in steps]
    result = graphscope.edit(vocabulary, written).save(f"{tmp_path}/out/")
    assert look_up(str(result.path), fetch, fed) == [0, 2]


def test_different_files_of_one_name_are_not_merged(vocabulary: Path, tmp_path: Path) -> None:
    other = with_vocabulary(tmp_path / "other", "c\nb\na\n")
    with pytest.raises(GraphscopeError, match=r"different files called words\.txt"):
        graphscope.edit(vocabulary, [("merge", f"two={other}")])


def test_constants_among_the_objects_follow_their_nodes(tmp_path: Path) -> None:
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(["a", "b"], [0, 1]), -1)
    module.look = tf.function(
        lambda words: {"ids": module.table.lookup(words)}, [tf.TensorSpec([None], tf.string, "w")]
    )
    tf.saved_model.save(module, str(tmp_path / "m"), module.look)
    graphscope.edit(tmp_path / "m", [("prefix", "all")]).save(f"{tmp_path}/out/")
    result = tf.saved_model.load(str(tmp_path / "out")).signatures["serving_default"]
    assert list(result(tf.constant(["b", "z"]))["ids"].numpy()) == [1, -1]


def test_what_was_extracted_is_what_a_saved_model_gives(vocabulary: Path, tmp_path: Path) -> None:
    """Not one of the likely outputs, of which there may be several."""
    steps = [("insert", "Neg@ids,name=lower"), ("insert", "Neg@ids,name=upper"), ("extract", "ids->lower,upper")]
    graphscope.edit(vocabulary, steps).save(f"{tmp_path}/out/")
    [signature] = [s for name, s in graphscope.load(tmp_path / "out").signatures.items() if name == "serving_default"]
    assert sorted(spec.name for specs in signature.outputs.values() for spec in specs) == ["lower:0", "upper:0"]
