"""Features by several processes: the same bytes whoever computed them, whatever happens to one of them."""

from __future__ import annotations

import os
import pickle
import re
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.api.features import _Opened, _opened, _Request, _Worker
from graphscope.cluster.share import Share
from graphscope.errors import ArgumentError, GraphscopeError
from graphscope.formats.io.places import beside, create
from graphscope.runtime.config import SessionOptions
from graphscope.runtime.tensorflow import can_fork
from graphscope.training.data import DataOptions
from graphscope.training.features import by_workers, compute, store, turns
from graphscope.training.features.by_workers import worker_session
from graphscope.training.features.compute import Kept
from graphscope.training.features.store import Layout, publish_layout
from tests.support.data_files import cache, random
from tests.support.fixture_files import FIXTURES
from tests.support.fresh import Fresh, fresh
from tests.support.running import tf

__all__ = ["cache", "fresh"]

pytestmark = pytest.mark.slow

v1 = tf.compat.v1
LENET = str(FIXTURES / "lenet5")
AT = ["fc1/relu:0", "conv2/relu:0"]
COUNT, BATCH = 200, 16
ONE_THREAD = SessionOptions(intra_threads=1, inter_threads=1)


@pytest.fixture
def data(tmp_path: Path) -> str:
    np.savez(tmp_path / "d.npz", x=random(COUNT, 784), y=np.arange(COUNT) % 10)
    return str(tmp_path / "d.npz")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "SHARD_ROWS", 2 * BATCH)


def request(data: str, place: Path) -> _Request:
    return _Request(LENET, data, tuple(AT), (), {}, BATCH, DataOptions(cache=place), None, (), False)


def kept(opened: _Opened) -> Kept:
    return compute.kept_features(opened.base, opened.source, opened.directory)


def content(place: Path) -> dict[str, bytes]:
    """Every file of a cache."""
    return {str(p.relative_to(place)): p.read_bytes() for p in sorted(place.rglob("*")) if p.is_file()}


def alone(data: str, place: Path) -> dict[str, bytes]:
    """What one process writes with one thread."""
    opened = _opened(request(data, place))
    compute.cached_features(opened.model, opened.base, opened.source, kept(opened), batch=BATCH, session=ONE_THREAD)
    return content(place)


def by_itself(data: str, place: str) -> None:
    """As :func:`alone`, in a process of its own: with the kernels that the workers have."""
    store.SHARD_ROWS = 2 * BATCH
    alone(data, Path(place))


def by_processes(data: str, place: str, count: int, number: int) -> dict[str, Any]:
    """In a process of its own. Whoever has the second shard, worker 1 unless that is late, gets the signal ``number`` in it."""
    store.SHARD_ROWS = 2 * BATCH
    by_workers.GRACE_S = turns.STALE_S = 1.0
    write, key = compute.write_part, compute.feature_key  # type: ignore[attr-defined]

    def counted(*about: Any) -> str:
        with (Path(place) / "keys").open("a") as file:
            file.write("k")
        return str(key(*about))

    assert can_fork()

    def writing(path: Path, chunks: Any) -> None:
        def watched() -> Any:
            for chunk in chunks:
                yield chunk
                if number and path.name == "000000000032.rows" and not (Path(place) / "killed").exists():
                    (Path(place) / "killed").touch()
                    os.kill(os.getpid(), number)

        write(path, watched())

    compute.write_part, compute.feature_key = writing, counted  # type: ignore[attr-defined]
    by_workers.usable_processors = lambda: count
    told: list[int] = []

    class Listener(graphscope.Listener):
        warnings: list[str] = []

        def warning(self, text: Any) -> None:
            self.warnings.append(str(text))

        def computing(self, what: str, total: int) -> Any:
            return _Adding(told)

    found = graphscope.features(
        LENET, data, at=AT, batch=BATCH, workers=count, reading=DataOptions(cache=Path(place)), listener=Listener()
    )
    return {
        "computed": found.store.computed,
        "told": sum(told),
        "warnings": Listener.warnings,
        "can fork": can_fork(),
    }


class _Adding:
    def __init__(self, told: list[int]) -> None:
        self.told = told

    def __enter__(self) -> Any:
        return self.told.append

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.parametrize(
    ("count", "number", "warned"),
    [
        (3, 0, []),
        (2, signal.SIGKILL, ["was killed by SIGKILL; the others take over its part"]),
        (2, signal.SIGSTOP, ["does not answer; the others took over its part"]),
    ],
    ids=["three", "one of two is killed", "one of two is stopped"],
)
def test_workers_write_the_same_bytes_as_one_process(
    data: str, tmp_path: Path, fresh: Fresh, count: int, number: int, warned: list[str]
) -> None:
    place = tmp_path / "together"
    place.mkdir()
    value = fresh.value(by_processes, data, place, count, int(number))
    keys = place / "keys"
    assert keys.read_text() == "k", "a worker computed the key again"
    keys.unlink()
    (place / "killed").unlink(missing_ok=True)
    for left in (place / "features").rglob(".*"):
        left.unlink()
    fresh.value(by_itself, data, tmp_path / "alone")
    assert content(place) == content(tmp_path / "alone")
    assert value["computed"] == COUNT
    assert value["can fork"], "the launcher opened a session"
    assert value["told"] == COUNT
    warnings = [re.sub(r"^worker [01] ", "", text) for text in value["warnings"]]
    assert warnings == warned


def failing(data: str, place: str) -> str:
    store.SHARD_ROWS = 2 * BATCH

    def refuse(*_: object) -> None:
        raise GraphscopeError("out of luck", hint="another day")

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    errors = []
    for compute.write_part in (refuse, die):  # type: ignore[attr-defined]
        with pytest.raises(GraphscopeError) as caught:
            graphscope.features(LENET, data, at=AT, workers=2, reading=DataOptions(cache=Path(place)))
        errors.append(f"{caught.value.message}; {caught.value.hint}")
    return "\n".join(errors)


def test_workers_that_fail(data: str, tmp_path: Path, fresh: Fresh) -> None:
    refused, lost = fresh.value(failing, data, tmp_path / "c").splitlines()
    assert refused == "out of luck; another day"
    assert lost.startswith("no worker is left: worker ")
    assert "was killed by SIGKILL; the kernel kills processes when memory runs out" in lost


# The parts of a cluster, one after the other in this process


class Clock:
    """Time passes only where somebody sleeps."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _: float) -> None:
        self.now += turns.STALE_S / 3


def test_each_task_of_a_cluster_does_its_part(data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Task 0 waits for a shard that somebody else writes, and writes what nobody does."""
    (tmp_path / "c.yml").write_text("worker: [a:1, b:1, c:1]")
    place = tmp_path / "shared"
    expected = alone(data, tmp_path / "alone")
    opened = _opened(request(data, place))
    order: list[int] = []
    write = compute.write_part  # type: ignore[attr-defined]

    def writing(path: Path, chunks: Any) -> None:
        write(path, chunks)
        order.append(int(path.stem) // 32)

    monkeypatch.setattr(compute, "write_part", writing)
    monkeypatch.setattr(turns, "time", Clock())
    options: dict[str, Any] = {"batch": BATCH, "session": ONE_THREAD, "share": Share(1, 3)}
    shards = kept(opened).place
    shards.mkdir(parents=True)
    dead = create(beside(shards / "000000000064.rows"), shards / "none")  # its host is gone, its lock is not
    told: list[int] = []
    compute.cached_features(opened.model, opened.base, opened.source, kept(opened), progress=told.append, **options)
    dead.close()
    assert order == [1, 4, 3, 5, 6, 0, 2], "its own, those of others from another place on, what another seems to write"
    assert sum(told) == COUNT
    Path(dead.name).unlink()
    assert content(place) == expected
    for task, is_writer in ((1, False), (0, True)):
        found = graphscope.features(
            LENET,
            data,
            out=tmp_path / "f.npz",
            at=AT,
            batch=BATCH,
            reading=DataOptions(cache=place),
            cluster=tmp_path / "c.yml",
            task=task,
        )
        assert (found.path is not None) == is_writer == (tmp_path / "f.npz").exists()


def test_a_part_that_others_write_is_not_computed(data: str, tmp_path: Path) -> None:
    """Whoever is second finds the manifest of the first, and shards of it."""
    alone(data, tmp_path / "c")
    opened = _opened(request(data, tmp_path / "c"))
    [place] = opened.directory.iterdir()
    there = store.read_layout(place)
    assert there is not None
    other = Layout(there.specs, there.count, 16)
    assert publish_layout(place, other) == there
    assert sorted(p.name for p in place.iterdir() if p.name.startswith(".")) == []
    found = compute.cached_features(opened.model, opened.base, opened.source, kept(opened), share=Share(2, 3))
    assert found.computed == 0


def test_a_worker_can_be_started_anew(data: str, tmp_path: Path) -> None:
    """As a pickle it is the request alone."""
    place = tmp_path / "c"
    opened = _opened(request(data, place))
    worker = _Worker(request(data, place), 1, kept(opened), opened)
    again = pickle.loads(pickle.dumps(worker))
    assert again.opened is None
    told: list[int] = []
    launcher: Any = type("Launcher", (), {"tell": staticmethod(told.append)})
    again(0, launcher)
    assert sum(told) == COUNT
    assert content(place)


def test_threads_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_workers, "usable_processors", lambda: 8)
    assert [worker_session(n).intra_threads for n in (1, 2, 3, 100)] == [8, 4, 2, 1]


def test_what_makes_no_sense(data: str, tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text("worker: [a:1]\nps: [b:1]")
    file = tmp_path / "c.yml"
    for options, message in (
        ({"workers": 2, "cluster": file, "task": 0}, "cannot be combined"),
        ({"task": 0}, "job and task need a cluster file"),
        ({"cluster": file, "job": "ps", "task": 0}, "ps 0 computes no features"),
    ):
        with pytest.raises(ArgumentError, match=message):
            graphscope.features(LENET, data, at=AT, **options)
    with v1.Session(graph=tf.Graph()):
        assert not can_fork()
    with pytest.raises(GraphscopeError, match="workers must open the model themselves"):
        graphscope.features(graphscope.load(LENET), data, at=AT, workers=2)
