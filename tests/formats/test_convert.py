"""Writing checkpoints and text graphs: TensorFlow reads what was written, and nothing is ever half there."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from graphscope import load, save
from graphscope.core.changes.build import constant
from graphscope.core.graph import Function, Graph
from graphscope.core.model import Model, ModelKind
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.errors import CorruptFileError, FileError, IncompleteModelError, UnsupportedError
from graphscope.formats.checkpoint.upgrade import upgrade_checkpoint
from graphscope.formats.checkpoint.v2 import BundleStore
from graphscope.formats.checkpoint.writer import write_checkpoint, write_state_file
from graphscope.formats.io import staging
from graphscope.formats.io.sstable import Table
from graphscope.formats.io.sstable_writer import table_chunks
from graphscope.formats.io.wire import FileSource
from graphscope.formats.text.writer import write_pbtxt
from graphscope.protos import FunctionDef, GraphDef, TensorProto
from tests.formats.test_checkpoints import NUMERIC, values
from tests.support.converting import MODELS, Fixture, restored, session, tf1, variable_values
from tests.support.fixture_files import FIXTURES
from tests.support.payloads import BrokenPayload, LargePayload, contents, writers
from tests.support.saving import assert_as_tensorflow, assert_equal, save_v2, tensor, tf
from tests.support.zoo_files import ZOO, needs_zoo, zoo_files, zoo_id

MEMBERS = (".data-00000-of-00001", ".index")
SMALL: dict[str, Payload] = {"a": ArrayPayload(np.arange(6, dtype=np.float32))}


def assert_same_files(prefix: str, other: str) -> None:
    for suffix in MEMBERS:
        assert Path(prefix + suffix).read_bytes() == Path(other + suffix).read_bytes(), suffix


# Tables


def test_tables_are_read_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    words = [b"", *sorted({rng.bytes(rng.integers(1, 9)) for _ in range(900)} | {b"\xff" * n for n in range(1, 5)})]
    items = [(word, bytes(rng.integers(0, 300))) for word in words]
    for block_bytes in (1, 200, 1 << 20):
        path = tmp_path / str(block_bytes)
        path.write_bytes(b"".join(table_chunks(items, block_bytes)))
        table = Table(FileSource(path))
        assert [(key, bytes(value)) for key, value in table.items()] == items
        assert all(table.get(key) == value for key, value in items)
        assert table.get(b"not in it") is None


# Checkpoints


def test_every_type_as_tensorflow_writes_it(tmp_path: Path) -> None:
    arrays = {f"{t.label}/{n}": (t, values(t, s)) for t in NUMERIC for n, s in enumerate([(3, 5), (), (2, 0, 3)])}
    texts = {"one": [b""], "some": [[b"a", b"\0\xff"], [b"x" * 70_000, "Ж".encode()]], "none": np.empty((0, 2), object)}
    arrays |= {f"text/{n}": (DataType.STRING, np.array(a, object)) for n, a in texts.items()}
    arrays["text"] = (DataType.STRING, np.array(b"scalar", object))
    ours, theirs = str(tmp_path / "ours"), str(tmp_path / "theirs")
    size = write_checkpoint(ours, [(n, ArrayPayload(a, t)) for n, (t, a) in reversed(arrays.items())])
    save_v2(theirs, {n: tensor(a, t) for n, (t, a) in sorted(arrays.items())})
    assert_same_files(ours, theirs)
    assert size == sum(Path(ours + suffix).stat().st_size for suffix in MEMBERS)
    assert assert_as_tensorflow(BundleStore(ours), ours) == len(arrays)


def test_five_thousand_variables(tmp_path: Path) -> None:
    names = [f"tower_{i % 4}/layer_{i // 100:04d}/unit_{i % 100:02d}/weights" for i in range(5000)]
    arrays = {name: np.full((2, 2), i, np.float32) for i, name in enumerate(names)}
    ours, theirs = str(tmp_path / "ours"), str(tmp_path / "theirs")
    write_checkpoint(ours, [(name, ArrayPayload(array)) for name, array in arrays.items()])
    save_v2(theirs, dict(sorted(arrays.items())))
    assert_same_files(ours, theirs)
    found = tf.raw_ops.RestoreV2(
        prefix=ours, tensor_names=names, shape_and_slices=[""] * 5000, dtypes=[tf.float32] * 5000
    )
    assert all(np.array_equal(a, b) for a, b in zip(found, arrays.values(), strict=True))


@pytest.mark.parametrize("name", MODELS)
def test_fixtures_in_one_shard(tmp_path: Path, name: str) -> None:
    fixture, prefix = Fixture(name), str(tmp_path / "model")
    model = load(fixture.prefix)
    upgrade_checkpoint(model, prefix)
    expected, found = variable_values(fixture.prefix), variable_values(prefix)
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        assert_equal(found[key], array, key)
    assert all(entry.slices == 0 for entry in load(prefix).store.entries.values())  # type: ignore[union-attr]
    before = restored(fixture.prefix + ".meta", fixture.prefix, fixture.output, fixture.feeds)
    assert_equal(restored(prefix + ".meta", prefix, fixture.output, fixture.feeds), before, name)


@needs_zoo
@pytest.mark.parametrize("index", zoo_files("*.index", below="meta_ckpt")[:6], ids=zoo_id)
def test_checkpoints_of_the_zoo(tmp_path: Path, index: Path) -> None:
    source, prefix = str(index)[: -len(".index")], str(tmp_path / "model")
    store = BundleStore(source)
    write_checkpoint(prefix, [(key, store.payload(key)) for key in store.entries])
    expected, found = variable_values(source), variable_values(prefix)
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        assert_equal(found[key], array, key)


def test_state_file(tmp_path: Path) -> None:
    write_checkpoint(str(tmp_path / 'a "b"-7'), SMALL.items())
    write_state_file(tmp_path, 'a "b"-7')
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / 'a "b"-7')
    assert load(tmp_path).path == str(tmp_path / 'a "b"-7')
    with pytest.raises(FileError, match="exists"):
        write_state_file(tmp_path, "other")


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([("", SMALL["a"])], "no name"),
        ([*SMALL.items(), *SMALL.items()], "two tensors"),
        ([("r", ArrayPayload(np.zeros(1, object), DataType.RESOURCE))], "a checkpoint cannot hold resource"),
    ],
)
def test_what_no_checkpoint_holds(tmp_path: Path, tensors: list[tuple[str, Payload]], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        write_checkpoint(str(tmp_path / "model"), tensors)
    assert not list(tmp_path.iterdir())


# V1 to V2


def v1_models() -> list[Path]:
    zoo = [ZOO / "v1_ckpt" / "tegg89+SRCNN-Tensorflow/checkpoint/srcnn_21/SRCNN.model-2550000"]
    return [FIXTURES / "softmax" / "v1" / "model.ckpt-6000", *(path for path in zoo if path.exists())]


@pytest.mark.parametrize("path", v1_models(), ids=lambda path: path.name)
def test_v1_to_v2(tmp_path: Path, path: Path) -> None:
    model, prefix = load(path), str(tmp_path / "model")
    assert model.store_version == "V1"
    upgrade_checkpoint(model, prefix)
    assert load(prefix).store_version == "V2"
    names = [f"{v.name}:0" for v in model.variables]
    before = restored(f"{path}.meta", str(path), names)
    for name, old, new in zip(names, before, restored(prefix + ".meta", prefix, names), strict=True):
        assert_equal(new, old, name)


@pytest.mark.parametrize("path", v1_models(), ids=lambda path: path.name)
def test_v1_to_v2_trains_on(tmp_path: Path, path: Path) -> None:
    """What the converted graph's own saver writes, it reads."""
    prefix, later = str(tmp_path / "model"), str(tmp_path / "later")
    model = load(path)
    upgrade_checkpoint(model, prefix)
    variable = next(v.name for v in model.variables if v.dtype is DataType.FLOAT)
    with session() as running:
        saver = tf1.train.import_meta_graph(prefix + ".meta")
        saver.restore(running, prefix)
        reference = running.graph.get_tensor_by_name(f"{variable}:0")
        changed = running.run(tf1.assign_add(reference, tf1.ones_like(reference)))
        saver.save(running, later, write_meta_graph=False)
        saver.restore(running, prefix)
        saver.restore(running, later)
        assert_equal(running.run(reference), changed, variable)


@needs_zoo
def test_v1_in_shards(tmp_path: Path) -> None:
    directory = ZOO / "v1_ckpt/tensorflow+serving/tensorflow_serving/session_bundle/testdata/half_plus_two/00000123"
    prefix = str(tmp_path / "model")
    upgrade_checkpoint(load(directory / "export.meta"), prefix)
    expected = variable_values(str(directory / "export-00000-of-00001"))
    assert {k: v.tolist() for k, v in variable_values(prefix).items()} == {k: v.tolist() for k, v in expected.items()}


def test_nothing_to_convert(tmp_path: Path) -> None:
    with pytest.raises(IncompleteModelError, match="no checkpoint"):
        upgrade_checkpoint(load(FIXTURES / "softmax" / "frozen.pb"), str(tmp_path / "model"))


# Whole or not at all

WRITERS = list(writers(Path(), []))
OTHER: list[tuple[str, Payload]] = [("other", ArrayPayload(np.zeros(3, np.int64)))]


@pytest.mark.parametrize("kind", WRITERS)
def test_a_source_that_fails_midway(tmp_path: Path, kind: str) -> None:
    with pytest.raises(CorruptFileError, match="checksum"):
        writers(tmp_path, [*SMALL.items(), ("w", BrokenPayload())])[kind]()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", WRITERS)
def test_old_files_stand(tmp_path: Path, kind: str) -> None:
    size = writers(tmp_path, [*SMALL.items()])[kind]()
    before = contents(tmp_path)
    assert sum(map(len, before.values())) == size
    with pytest.raises(FileError, match="exists"):
        writers(tmp_path, OTHER)[kind]()
    with pytest.raises(CorruptFileError):
        writers(tmp_path, [("w", BrokenPayload())], overwrite=True)[kind]()
    assert contents(tmp_path) == before
    writers(tmp_path, OTHER, overwrite=True)[kind]()
    after = contents(tmp_path)
    assert after.keys() == before.keys()
    assert [name for name in before if after[name] == before[name]] == (["model.meta"] if kind == "checkpoint" else [])


STEPS = [*(("checkpoint", step) for step in range(3)), *(("SavedModel", step) for step in range(4))]
"""A checkpoint: three files. A SavedModel: its two variable files, the old directory put aside, the new one in place."""


@pytest.mark.parametrize(("kind", "refused"), STEPS)
def test_a_rename_that_fails_is_undone(
    tmp_path: Path, kind: str, refused: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers(tmp_path, [*SMALL.items()])[kind]()
    before = contents(tmp_path)
    rename, calls = os.rename, itertools.count()

    def refusing(source: Path, target: Path) -> None:
        if next(calls) == refused:
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(staging, "exchange", lambda *_: False)
    monkeypatch.setattr(os, "rename", refusing)
    write = writers(tmp_path, OTHER, overwrite=True)[kind]
    with pytest.raises(FileError, match="No space left"):
        write()
    assert contents(tmp_path) == before
    used = next(calls)
    write()
    assert contents(tmp_path) != before
    assert next(calls) - used - 1 == sum(k == kind for k, _ in STEPS)


def test_a_full_disk(tmp_path: Path) -> None:
    """In a process that may not write more than a megabyte to a file."""
    code = """
        import resource, sys
        from pathlib import Path
        from graphscope.errors import FileError
        from tests.support.payloads import LargePayload, writers
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        for write in writers(Path(sys.argv[1]), [("w", LargePayload(8 << 20))]).values():
            try:
                write()
            except FileError as error:
                print(error.message)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    found = run.stdout.splitlines()
    assert len(found) == len(WRITERS)
    assert all(line.startswith(f"{tmp_path}/") and "File too large" in line and ".tmp" not in line for line in found)
    assert not list(tmp_path.iterdir())


def test_a_broken_shard(tmp_path: Path) -> None:
    """The source's checksum is compared on the way, and the message says which tensor it is."""
    for path in (FIXTURES / "lenet5").glob("model.ckpt*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    [shard] = tmp_path.glob("*.data-*")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    before = contents(tmp_path)
    with pytest.raises(CorruptFileError, match=r"variable \S+: the content's checksum is wrong"):
        upgrade_checkpoint(load(tmp_path), str(tmp_path / "model"))
    assert contents(tmp_path) == before


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such directory"):
        write_checkpoint(str(tmp_path / "missing" / "model"), SMALL.items())


def test_permissions_are_those_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_checkpoint(str(tmp_path / "model"), SMALL.items())
    assert {path.stat().st_mode for path in tmp_path.iterdir()} == {(tmp_path / "plain").stat().st_mode}


@pytest.mark.parametrize("kind", WRITERS)
def test_memory_does_not_grow_with_the_weights(tmp_path: Path, kind: str) -> None:
    size = 32 << 20
    write = writers(tmp_path, [("w", LargePayload(size))])[kind]
    tracemalloc.start()
    try:
        assert write() > size
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_progress(tmp_path: Path) -> None:
    told: list[int] = []
    write_checkpoint(str(tmp_path / "model"), [("w", LargePayload(8 << 20))], progress=told.append)
    assert told == [1 << 20] * 8


# Text graphs


def binary(model: Model, path: Path) -> bytes:
    """The graph as one message, its weights inside, in a form that can be compared."""
    save(model, path, overwrite=True)
    return GraphDef.FromString(path.read_bytes()).SerializeToString(deterministic=True)


def text_models() -> list[Path]:
    fixtures = [FIXTURES / "lenet5" / "frozen.pb", FIXTURES / "softmax" / "graph.pbtxt", FIXTURES / "rnn"]
    return [
        *fixtures,
        *zoo_files("*.pb", below="frozen_pb")[2:6],
        *zoo_files("saved_model.pb", below="saved_model")[:4],
    ]


@pytest.mark.parametrize("path", text_models(), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_text_is_the_same_message(tmp_path: Path, path: Path) -> None:
    model, text = load(path), tmp_path / "out.pbtxt"
    assert write_pbtxt(model, text) == text.stat().st_size
    expected = binary(model, tmp_path / "a.pb")
    assert binary(load(text), tmp_path / "b.pb") == expected
    parsed = tf.compat.v1.GraphDef()
    text_format.Parse(text.read_text(), parsed)
    assert GraphDef.FromString(parsed.SerializeToString()).SerializeToString(deterministic=True) == expected


def test_every_byte_in_text(tmp_path: Path) -> None:
    """Also in a library function, where strings and typed fields are too."""
    content = np.frombuffer(bytes(range(256)) * 20, np.uint8)
    texts = np.array([bytes([b]) * 9 for b in range(256)], object)
    nodes = [constant("bytes", content), constant("texts", texts)]
    function = Function(FunctionDef(signature={"name": "f"}), [constant("inside", content)])
    header = GraphDef(versions={"producer": 7}, library={"gradient": [{"function_name": "f", "gradient_func": "g"}]})
    source = tmp_path / "source.pb"
    save(Model("m", ModelKind.GRAPH, "", (), Graph(header, nodes, [function])), source)
    message = GraphDef.FromString(source.read_bytes())
    typed = TensorProto(dtype=1, tensor_shape={"dim": [{"size": 500}]}, float_val=np.linspace(-1, 1, 500).tolist())
    node = message.node.add(name="typed", op="Const")
    node.attr["value"].tensor.CopyFrom(typed)
    node.attr["dtype"].type = typed.dtype
    source.write_bytes(message.SerializeToString())
    write_pbtxt(load(source), tmp_path / "out.pbtxt")
    parsed = text_format.Parse((tmp_path / "out.pbtxt").read_text(), GraphDef())
    assert parsed == message
