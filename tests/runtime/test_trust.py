"""Graphs that touch files, the network or processes: found by reading, refused before TensorFlow starts, run if trusted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from graphscope import load
from graphscope.analysis.effects import NodeEffect, Origin, PathSource, find_effects
from graphscope.api.graft import graft
from graphscope.cli.app import app
from graphscope.core.ops.effects import OP_EFFECTS, Effect, read_at_import
from graphscope.core.ops.table import registered_ops
from graphscope.errors import UntrustedError
from graphscope.protos import GraphDef
from graphscope.runtime.run import run
from graphscope.runtime.shapes import infer_shapes
from tests.project.test_light import POISON, with_tensorflow
from tests.support.running import parsed, tf

tf1 = tf.compat.v1
raw = tf.raw_ops
FLOAT = tf.float32

NAMES_A_PLACE = {
    "filename", "filenames", "file_name", "pattern", "patterns", "path", "prefix", "directory", "logdir", "address",
    "server_address", "db_uri", "data_source_name", "file_pattern", "ckpt_path", "snapshot_path", "chunk_file", "shard_dir",
    "new_vocab_file", "destination_prefix", "vocab_file", "log_dir_path", "output_file_path", "memory_region_name",
    "debug_urls", "output_stream", "target_name", "call_target_name",
}  # fmt: skip
HARMLESS = {
    "RegexFullMatch",
    "RegexReplace",
    "StaticRegexFullMatch",
    "StaticRegexReplace",
}  # patterns of texts, not files


def test_every_op_that_names_a_file_or_an_address_is_in_the_table() -> None:
    for name, op in registered_ops().items():
        named = {a.name for a in op.input_arg} | {a.name for a in op.attr}
        if named & NAMES_A_PLACE and name not in HARMLESS:
            assert name in OP_EFFECTS, name


@pytest.mark.parametrize("op", sorted(OP_EFFECTS))
def test_the_table_names_arguments_that_the_op_has(op: str) -> None:
    definition, row = registered_ops()[op], OP_EFFECTS[op]
    names = [arg.name for arg in definition.input_arg]
    if row.argument:
        before = definition.input_arg[: names.index(row.argument)]
        assert not any(arg.number_attr or arg.type_list_attr for arg in before)
    if row.attribute:
        assert row.attribute in {a.name for a in definition.attr}


def effects_of(build: Callable[[], Any], fed: set[str] = frozenset(), own: set[str] = frozenset()) -> list[NodeEffect]:  # type: ignore[assignment]
    with tf.Graph().as_default() as graph:
        build()
    return find_effects(parsed(graph.as_graph_def().SerializeToString()), fed, own)


def text(value: str, name: str | None = None) -> Any:
    return tf1.constant(value, name=name)


def called(body: Callable[[Any], Any], *arguments: Any) -> Any:
    return tf.function(body, autograph=False)(*arguments)


def restored(prefix: str) -> Any:
    return raw.RestoreV2(prefix=text(prefix), tensor_names=["v"], shape_and_slices=[""], dtypes=[FLOAT])


def saved(prefix: str) -> Any:
    return raw.SaveV2(prefix=text(prefix), tensor_names=["v"], shape_and_slices=[""], tensors=[1.0])


def empty() -> Any:
    return tf.data.Dataset.range(3)._variant_tensor


def variable_with(value: Any) -> Any:
    handle = raw.VarHandleOp(dtype=tf.string, shape=[], shared_name="v")
    with tf.control_dependencies([raw.AssignVariableOp(resource=handle, value=value)]):
        return raw.ReadVariableOp(resource=handle, dtype=tf.string)


CASES: dict[str, tuple[Callable[[], Any], str, str]] = {
    "read": (lambda: raw.ReadFile(filename=text("/etc/hosts")), "ReadFile", "/etc/hosts"),
    "write": (lambda: raw.WriteFile(filename=text("/tmp/x"), contents=text("x")), "WriteFile", "/tmp/x"),
    "list": (lambda: raw.MatchingFiles(pattern=text("/home/*")), "MatchingFiles", "/home/*"),
    "map": (
        lambda: raw.ImmutableConst(dtype=FLOAT, shape=[1], memory_region_name="/etc/x"),
        "ImmutableConst",
        "/etc/x",
    ),
    "abort": (lambda: raw.Abort(error_msg="bye"), "Abort", ""),
    "python": (lambda: tf1.py_func(lambda x: x, [1.0], FLOAT), "PyFunc", ""),
    "restore": (lambda: restored("/a/b"), "RestoreV2", "/a/b"),
    "save": (lambda: saved("/a/b"), "SaveV2", "/a/b"),
    "records": (lambda: tf.data.TFRecordDataset("/a")._variant_tensor, "TFRecordDataset", ""),
    "cache": (lambda: tf.data.Dataset.range(3).cache("/c/ache")._variant_tensor, "CacheDataset", "/c/ache"),
    "print": (lambda: raw.PrintV2(input=text("x"), output_stream="file:///p"), "PrintV2", "file:///p"),
    "debug": (lambda: raw.DebugIdentityV2(input=1.0, debug_urls=["file:///d"]), "DebugIdentityV2", "file:///d"),
    "reader": (lambda: raw.WholeFileReaderV2(), "WholeFileReaderV2", ""),
    "service": (
        lambda: raw.RegisterDataset(dataset=empty(), address=text("evil:80"), protocol=text("grpc"), external_state_policy=0),
        "RegisterDataset",
        "evil:80",
    ),
    "summary": (
        lambda: raw.CreateSummaryFileWriter(
            writer=raw.SummaryWriter(), logdir=text("/logs"), max_queue=1, flush_millis=1, filename_suffix=text("s")
        ),
        "CreateSummaryFileWriter",
        "/logs",
    ),
    "passed on": (lambda: raw.ReadFile(filename=tf.identity(tf.reshape(text("/p"), []))), "ReadFile", "/p"),
    "in a function": (lambda: called(lambda: raw.ReadFile(filename="/f")), "ReadFile", "/f"),
    "handed to a function": (lambda: called(lambda p: raw.ReadFile(filename=p), text("/h")), "ReadFile", "/h"),
    "nested": (lambda: called(lambda p: called(lambda q: raw.ReadFile(filename=q), p), text("/n")), "ReadFile", "/n"),
    "in a branch": (
        lambda: tf.cond(tf1.placeholder(tf.bool), lambda: raw.ReadFile(filename="/b"), lambda: text("")),
        "ReadFile",
        "/b",
    ),
    "mapped": (
        lambda: tf.data.Dataset.range(3).map(lambda i: raw.ReadFile(filename="/m"))._variant_tensor,
        "ReadFile",
        "/m",
    ),
    "computed": (lambda: raw.ReadFile(filename=tf.strings.upper(text("/c"))), "ReadFile", ""),
    "kept in a variable": (lambda: raw.ReadFile(filename=variable_with(text("/v"))), "ReadFile", "/v"),
    "beside what is fed": (
        lambda: raw.ReadFile(filename=tf.strings.join([tf1.placeholder(tf.string, [], "fed"), "/../../etc"])),
        "ReadFile",
        "",
    ),
    "before what is fed": (
        lambda: raw.ReadFile(filename=tf.strings.join(["/etc/", tf1.placeholder(tf.string, [], "fed")])),
        "ReadFile",
        "",
    ),
    "in place of what is fed": (
        lambda: raw.ReadFile(filename=tf.where(True, "/w", tf1.placeholder(tf.string, [], "fed"))),
        "ReadFile",
        "/w",
    ),
    "in a later round": (
        lambda: called(
            lambda p: tf.while_loop(
                lambda i, q, c: i < 2,
                lambda i, q, c: (i + 1, text("/later"), raw.ReadFile(filename=q)),
                [0, p, text("")],
            ),
            tf1.placeholder(tf.string, [], "fed"),
        ),
        "ReadFile",
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_a_graph_touches_is_found(case: str) -> None:
    build, op, target = CASES[case]
    [found] = effects_of(build, {"fed"})
    assert (found.op, found.target.text) == (op, target)
    assert found.target.source > PathSource.FED


QUIET: dict[str, Callable[[], Any]] = {
    "a fed path": lambda: raw.ReadFile(filename=tf.identity(tf1.placeholder(tf.string, [], "fed"))),
    "a fed path in a function": lambda: called(
        lambda p: raw.ReadFile(filename=p), tf1.placeholder(tf.string, [], "fed")
    ),
    "what a saver adds": lambda: raw.ReadFile(
        filename=tf.strings.join([tf1.placeholder(tf.string, [], "fed"), "_temp_1/part"])
    ),
    "an own file": lambda: raw.ReadFile(filename=text("/own/file", "own")),
    "an own file kept in a variable": lambda: raw.ReadFile(filename=variable_with(text("/own/file", "own"))),
    "print": lambda: raw.PrintV2(input=text("x"), output_stream="stdout"),
    "a cache in memory": lambda: tf.data.Dataset.range(3).cache()._variant_tensor,
    "debugging to nowhere": lambda: raw.DebugIdentityV2(input=1.0, debug_urls=[]),
    "a sampler": lambda: raw.FixedUnigramCandidateSampler(
        true_classes=np.zeros([1, 1], np.int64), num_true=1, num_sampled=1, unique=True, range_max=2, unigrams=[0.5, 0.5]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", QUIET)
def test_what_a_person_vouches_for_is_not_reported(case: str) -> None:
    assert [e for e in effects_of(QUIET[case], {"fed"}, {"own"}) if e.target.source > PathSource.FED] == []


def test_a_variable_that_a_checkpoint_fills_may_name_anything() -> None:
    with tf.Graph().as_default() as graph:
        raw.ReadFile(filename=variable_with(text("/own", "own")))
    read = parsed(graph.as_graph_def().SerializeToString())
    [found] = find_effects(read, own={"own"}, stored={"VarHandleOp"})
    assert found.target.source is PathSource.COMPUTED


def test_the_real_saver_of_a_meta_graph_is_vouched_for_by_its_fed_prefix() -> None:
    def build() -> None:
        tf1.train.Saver([tf1.get_variable("v", [2], use_resource=False)], sharded=True)

    assert {e.op for e in effects_of(build)} == {"SaveV2", "RestoreV2", "MergeV2Checkpoints"}
    assert [e for e in effects_of(build, {"save/filename", "save/Const"}) if e.target.source > PathSource.FED] == []


def test_a_function_that_nobody_calls_does_nothing() -> None:
    def build() -> None:
        tf1.placeholder(FLOAT, [], "x")
        tf.function(lambda: raw.ReadFile(filename="/dead")).get_concrete_function().add_to_graph()

    assert effects_of(build) == []


def test_functions_that_call_one_another_are_looked_at_a_bounded_number_of_times() -> None:
    """Each level calls the next one twice, with other paths each time: 2^30 calls, 30 functions."""
    proto = GraphDef()
    for level in range(30):
        function = proto.library.function.add()
        function.signature.name = f"f{level}"
        function.signature.input_arg.add(name="p", type=7)
        for side in "ab":
            value = function.node_def.add(name=side, op="Const")
            value.attr["value"].tensor.dtype = value.attr["dtype"].type = 7
            value.attr["value"].tensor.string_val.append(f"/{level}{side}".encode())
            value.attr["value"].tensor.tensor_shape.SetInParent()
            call = function.node_def.add(name=f"call_{side}", op="StatefulPartitionedCall", input=[f"{side}:output:0"])
            call.attr["f"].func.name = f"f{level + 1}" if level < 29 else "f0"
        function.node_def.add(name="read", op="ReadFile", input=["p"])
    proto.node.add(name="call", op="f0", input=["p"])
    proto.node.add(name="p", op="Placeholder").attr["dtype"].type = 7
    found = find_effects(parsed(proto.SerializeToString()), {"p"})
    assert {e.function for e in found} == {f"f{level}" for level in range(30)}
    assert len(found) <= 5_000


# What runs


def written(path: Path, build: Callable[[], Any]) -> Path:
    with tf.Graph().as_default() as graph:
        build()
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def invoke(*words: object) -> Result:
    result = CliRunner().invoke(app, [*map(str, words)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def reading(place: Path) -> Callable[[], Any]:
    """A dense layer on four numbers, beside what a file holds."""

    def build() -> None:
        x = tf1.placeholder(FLOAT, [None, 4], "x")
        length = tf.cast(tf.strings.length(raw.ReadFile(filename=text(str(place)), name="peek")), FLOAT)
        tf.add(tf.matmul(x, np.ones([4, 2], np.float32)), length, name="y")

    return build


def test_run_refuses_names_and_runs_if_trusted(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("12345")
    model = written(tmp_path / "m.pb", reading(secret))
    result = invoke("run", model, "--feed", "x=zeros", "--output", "y")
    assert result.exit_code == 1
    assert f"peek (ReadFile) reads the file {secret}" in result.stderr
    assert "--trust" in result.stderr
    assert invoke("run", model, "--feed", "x=zeros", "--output", "y", "--trust").exit_code == 0
    cut = invoke("run", model, "--feed", "x=zeros", "--feed", "peek=text", "--output", "y")
    assert cut.exit_code == 0, cut.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["profile", "M", "--output", "y", "--steps", "1"],
        ["freeze", "M", "-o", "F", "--output", "y", "--verify"],
        ["graft", "M", "-o", "G/model", "--at", "y", "--head", "dense:2"],
        ["features", "M", "--data", "D", "-o", "F.npz", "--at", "y"],
    ],
    ids=lambda words: words[0],
)
def test_every_command_that_runs_a_graph_refuses(words: list[str], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("12345")
    model = written(tmp_path / "m.pb", reading(secret))
    np.savez(tmp_path / "d.npz", x=np.zeros([3, 4], np.float32), y=np.array([0, 1, 0]))
    places = {"M": model, "F": tmp_path / "f.pb", "D": tmp_path / "d.npz", "F.npz": tmp_path / "f.npz"}
    places["G/model"] = tmp_path / "g" / "model"
    typed = [places.get(word, word) for word in words]
    if words[0] == "features":
        typed += ["--cache", tmp_path / "cache"]
    result = invoke(*typed)
    assert result.exit_code == 1
    assert f"reads the file {secret}" in result.stderr
    assert not any(places[name].exists() for name in ("F", "F.npz"))
    trusted = invoke(*typed, "--trust")
    assert trusted.exit_code == 0, trusted.stderr


def test_freezing_reads_no_file_that_the_graph_names(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("12345")
    model = written(tmp_path / "m.pb", reading(secret))
    assert invoke("freeze", model, "-o", tmp_path / "f.pb", "--output", "y").exit_code == 0
    assert "ReadFile" in load(tmp_path / "f.pb").graph.ops


@pytest.mark.parametrize("is_in_function", [False, True])
def test_shape_inference_reads_no_file(is_in_function: bool, tmp_path: Path) -> None:
    """TensorFlow computes small tensors while it imports a graph, and reads the file then."""
    (tmp_path / "secret").write_text("12345")

    def sized() -> Any:
        length = tf.strings.length(raw.ReadFile(filename=text(str(tmp_path / "secret"))))
        return raw.Fill(dims=tf.reshape(length, [1]), value=1.0)

    model = load(written(tmp_path / "m.pb", lambda: tf.identity(called(sized) if is_in_function else sized(), "y")))
    content = Path(model.path).read_bytes()
    with tf.Graph().as_default() as imported:
        tf1.import_graph_def(tf1.GraphDef.FromString(content.replace(b"_output_shapes", b"_output_shapex")), name="")
    assert imported.get_tensor_by_name("y:0").shape.as_list() == [5]  # so TensorFlow has read it
    assert infer_shapes(model).shapes.get("y:0", (None,)) == (None,)


def test_ops_that_tensorflow_may_run_while_it_imports() -> None:
    assert {"ReadFile", "MatchingFiles", "ImmutableConst"} <= read_at_import()
    assert "WriteFile" not in read_at_import()


def test_nothing_starts_before_the_refusal(tmp_path: Path) -> None:
    model = written(tmp_path / "m.pb", reading(tmp_path / "secret"))
    environment = with_tensorflow(tmp_path, POISON)
    for command in ("run", "profile"):
        words = [sys.executable, "-m", "graphscope", command, str(model), "--output", "y", "--feed", "x=[[1,2,3,4]]"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == 1, done.stderr
        assert "peek (ReadFile) reads the file" in done.stderr


def test_a_python_user_gets_the_nodes(tmp_path: Path) -> None:
    model = load(written(tmp_path / "m.pb", lambda: raw.Abort(error_msg="bye", name="bomb")))
    with pytest.raises(UntrustedError, match=r"bomb \(Abort\) ends the process") as caught:
        run(model, ["bomb"])
    [effect] = caught.value.effects
    assert isinstance(effect, NodeEffect)
    assert effect.does.effect is Effect.PROCESS


def test_a_grafted_model_is_asked_about_again_when_it_trains(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("12345")
    model = written(tmp_path / "m.pb", reading(tmp_path / "secret"))
    graft(model, at="y", head="dense:2", classes=2, trust=True, out=tmp_path / "g" / "model")
    np.savez(tmp_path / "d.npz", x=np.zeros([20, 4], np.float32), y=np.arange(20) % 2)
    words = ["tune", tmp_path / "g" / "model", "--data", tmp_path / "d.npz", "--epochs", 1, "--cache", tmp_path / "c"]
    for extra in ([], ["--no-cache"]):
        result = invoke(*words, *extra)
        assert result.exit_code == 1
        assert "reads the file" in result.stderr
    assert invoke(*words, "--trust").exit_code == 0


def test_a_placeholder_is_fed_by_whoever_runs_it_and_a_default_is_not(tmp_path: Path) -> None:
    def build(default: str = "") -> None:
        path = tf1.placeholder_with_default(default, []) if default else tf1.placeholder(tf.string, [], "path")
        raw.ReadFile(filename=path)

    assert effects_of(build)[0].target.source is PathSource.FED
    assert effects_of(lambda: build("/etc/hosts"))[0].target == Origin(
        PathSource.CONSTANT, "/etc/hosts", leads_out=True
    )
