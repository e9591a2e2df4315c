"""Which file of a directory is meant: checkpoints by step and by time, graphs, event files, what lies below."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from graphscope.cli.terminal.wording import to_words
from graphscope.errors import FileError
from graphscope.formats.detect.locate import CheckpointPrefix, EventFiles, GraphFile, SavedModelDirectory, locate
from graphscope.formats.io.records import record
from tests.support.graph_bytes import field
from tests.support.tables import write_table

GRAPH = field(1, field(1, b"n") + field(2, b"Const"))


def made(directory: Path, *names: str) -> Path:
    """``directory`` with files of the right kind for their names, each a second younger than the one before."""
    for age, name in enumerate(names):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if "tfevents" in name:
            path.write_bytes(record(b"\x1a\x0dbrain.Event:2"))
        elif name.endswith((".pb", ".pbtxt")):
            path.write_bytes(b"versions { }" if name.endswith("txt") else GRAPH)
        elif "." in name:
            path.write_bytes(b"")
        else:
            write_table(path, {b"": b""})
        os.utime(path, (1000 + age, 1000 + age))
    return directory


def prefix_in(directory: Path) -> tuple[str, tuple[str, ...]]:
    found = locate(directory)
    assert isinstance(found, CheckpointPrefix)
    return os.path.relpath(found.prefix, directory), found.notes


@pytest.mark.parametrize(
    ("names", "chosen", "count"),
    [
        (["m.meta"], "m", 1),
        (["m.meta", "m.index", "m.data-00000-of-00001"], "m", 1),
        (["m-10.index", "m-9.index"], "m-10", 2),
        (["m-9.index", "m.index"], "m-9", 2),
        (["m-0.index", "m.index"], "m-0", 2),
        (["a.index", "b.index"], "b", 2),
        (["b.index", "a.index"], "a", 2),
        (["a-5.index", "b-5.index", "a-5.meta"], "a-5", 2),
        (["a-5.meta", "b-5.index", "a-4.index"], "b-5", 3),
        (["a", "b"], "b", 2),
        (["a-00000-of-00002", "a-00001-of-00002"], "a", 1),
        (["old", "m.index"], "m", 1),
        (["m-5x.index", "m-4.index"], "m-4", 2),
    ],
)
def test_the_latest_checkpoint(names: list[str], chosen: str, count: int, tmp_path: Path) -> None:
    found, notes = prefix_in(made(tmp_path / "d", *names))
    assert found == chosen
    place = tmp_path / "d"
    assert notes == ((f"{count} checkpoints in {place}: using the latest, {place / chosen}",) if count > 1 else ())


def test_graphs_and_event_files(tmp_path: Path) -> None:
    one = locate(made(tmp_path / "one", "g.pb", "events.out.tfevents.1", "notes.txt"))
    assert isinstance(one, GraphFile)
    assert one.source.path.name == "g.pb"
    events = locate(
        made(tmp_path / "events", "events.out.tfevents.2", "events.out.tfevents.1", "projector_config.pbtxt")
    )
    assert isinstance(events, EventFiles)
    assert [path.name for path in events.files] == ["events.out.tfevents.1", "events.out.tfevents.2"]
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "model.json").write_text('{"format": "graph-model"}')
    web = locate(tmp_path / "web")
    assert isinstance(web, GraphFile)
    assert web.source.path.name == "model.json"
    saved = locate(made(tmp_path / "saved", "m.index", "saved_model.pb"))
    assert isinstance(saved, SavedModelDirectory)
    assert saved.file.name == "saved_model.pb"


@pytest.mark.parametrize("count", [2, 8, 9])
def test_several_graphs(count: int, tmp_path: Path) -> None:
    names = [f"g{i}.pb" for i in range(count)]
    with pytest.raises(FileError) as error:
        locate(made(tmp_path / "d", *names, "events.out.tfevents.1"))
    listed = ", ".join(names[:8])
    assert error.value.message == f"{tmp_path / 'd'}: {count} graph files, but no checkpoint: {listed}"
    assert error.value.hint == "name one of them"


@pytest.mark.parametrize(
    ("below", "latest"),
    [
        (["9/saved_model.pb", "10/saved_model.pb"], "10"),
        (["z/checkpoint", "1/saved_model.pbtxt"], "1"),
        (["a/checkpoint", "b/events.out.tfevents.1"], "b"),
        (["b/events.out.tfevents.1", "a/checkpoint", "c/g.pb"], "b"),
        (["07/saved_model.pb", "7/saved_model.pb"], "7"),
    ],
)
def test_models_below(below: list[str], latest: str, tmp_path: Path) -> None:
    for name in below:
        (tmp_path / "d" / name).parent.mkdir(parents=True)
        (tmp_path / "d" / name).write_bytes(GRAPH)
    with pytest.raises(FileError, match="no model here, but 2 below it") as error:
        locate(tmp_path / "d")
    assert to_words(error.value.hint) == f"graphscope info {tmp_path / 'd' / latest}"


def test_nothing_at_all(tmp_path: Path) -> None:
    made(tmp_path, "model.index", "notes.txt")
    with pytest.raises(FileError, match="no model in this directory: no checkpoint, graph or SavedModel"):
        locate(made(tmp_path / "empty", "notes.txt"))
    with pytest.raises(FileError, match=r"no such file, directory or checkpoint prefix$") as error:
        locate(tmp_path / "modl.index")
    assert to_words(error.value.hint) == f"closest: {tmp_path / 'model.index'}"
    with pytest.raises(FileError) as error:
        locate(tmp_path / "qqqq")
    assert to_words(error.value.hint) == f"ls {tmp_path}"
    with pytest.raises(FileError, match="there is no directory"):
        locate(tmp_path / "gone" / "x")


def state(directory: Path, *prefixes: Path | str) -> Path:
    lines = [f'model_checkpoint_path: "{prefixes[0]}"', *(f'all_model_checkpoint_paths: "{p}"' for p in prefixes[::-1])]
    directory.mkdir(exist_ok=True)
    (directory / "checkpoint").write_text("\n".join(lines))
    return directory


def test_what_a_state_file_names(tmp_path: Path) -> None:
    place = made(state(tmp_path / "d", "m-3", "m-2", "m-1", "m-0"), "m-1.index", "m-2.index")
    assert prefix_in(place) == ("m-2", (f"using the latest of m-3, m-2, m-1 that exists: {place / 'm-2'}",))
    made(place, "m-3.index")
    assert prefix_in(place) == ("m-3", ())
    assert prefix_in(state(place, "C:\\\\train\\\\m-3")) == ("m-3", ())
    found, notes = prefix_in(state(place, "n-7", "n-6"))
    missing = (
        f"{place / 'checkpoint'} names n-7, n-6, which is missing; using the latest in the directory, {place / 'm-3'}"
    )
    assert (found, notes) == ("m-3", (missing,))
    with pytest.raises(FileError, match="none of the checkpoints that it names exists: n-7"):
        locate(state(tmp_path / "other", "n-7"))


def test_files_outside_the_directory_of_a_state_file(tmp_path: Path) -> None:
    elsewhere = made(tmp_path / "else", "m.index", "m.meta", "m.data-00000-of-00001", "n.index")
    for base, more in (("m", " and 2 more"), ("n", "")):
        found = locate(state(tmp_path / "d", elsewhere / base))
        assert isinstance(found, CheckpointPrefix)
        first = elsewhere / (f"{base}.meta" if more else f"{base}.index")
        assert found.warnings == (f"{tmp_path / 'd' / 'checkpoint'} leads outside its directory: {first}{more} opened",)
    made(tmp_path / "d", "m.index")
    found = locate(state(tmp_path / "d", elsewhere / "m"))
    assert isinstance(found, CheckpointPrefix)
    assert (found.prefix, found.warnings) == (str(tmp_path / "d" / "m"), ())
