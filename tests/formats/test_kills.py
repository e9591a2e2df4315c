"""A writer that is killed at any of its file operations leaves the old model or the new one, never a mixture."""

from __future__ import annotations

import builtins
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphscope
from graphscope.core.values.payload import ArrayPayload
from graphscope.formats.checkpoint.writer import write_checkpoint, write_state_file
from graphscope.formats.io import exchange, staging
from graphscope.formats.lazy.pieces import flow, meta_graph_pieces
from graphscope.formats.savedmodel.writer import write_saved_model
from tests.support.fixture_files import FIXTURES

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="optional: no fork on this system")]

OPERATIONS = ("open", "rename", "replace", "unlink", "rmdir", "mkdir", "link", "fsync", "chmod", "close")


@pytest.fixture(params=["exchange", "journal"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With an exchange of directories in one step, and without. A kill does not need what is flushed to be on the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    if request.param == "journal":
        monkeypatch.setattr(staging, "exchange", lambda *_: False)
    return str(request.param)


def is_killed(work: Callable[[], None], at: int) -> bool:
    """Does ``work`` in a child that kills itself before its file operation number ``at``; False: it came to its end."""
    child = os.fork()
    if child == 0:
        left = iter(range(at))

        def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **options: Any) -> Any:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **options)

            return call

        try:
            for name in OPERATIONS:
                setattr(os, name, deadly(getattr(os, name)))
            builtins.open = deadly(open)  # type: ignore[assignment]
            setattr(staging, "exchange", deadly(exchange.exchange))  # noqa: B010
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def model(value: float) -> graphscope.Model:
    """A model whose values and graph tell one generation from another."""
    found = graphscope.load(FIXTURES / "softmax" / "model.ckpt-6000")
    found.meta.meta_info_def.tags.append(str(value))
    return found


def write_set(directory: Path, value: float) -> None:
    """A checkpoint of a generation: data, index, meta and state file."""
    source = model(value)
    assert source.store is not None
    write_checkpoint(
        str(directory / "model"),
        [
            (key, ArrayPayload(np.full(source.store.payload(key).shape, value, np.float32)))
            for key in source.store.entries
        ],
        meta=flow(meta_graph_pieces(source.meta, source.graph)),
        overwrite=True,
    )
    write_state_file(directory, "model", overwrite=True)


def write_saved(directory: Path, value: float) -> None:
    """A SavedModel of a generation, its tag included."""
    other = directory.parent / f"source-{value}"
    write_saved_model(
        graphscope.load(other), directory / "saved", inputs=[], outputs=[], tags=[str(value)], overwrite=True
    )


def generation(place: Path) -> tuple[set[str], set[float]]:
    """What the graph and the values at ``place`` say; both empty where nothing is."""
    try:
        found = graphscope.load(place)
    except graphscope.GraphscopeError:
        return set(), set()
    assert found.store is not None
    arrays = [found.store.payload(key).numpy() for key in found.store.entries]
    return set(found.meta.meta_info_def.tags), {float(x) for array in arrays for x in array.reshape(-1)}


WRITERS = {"set": (write_set, ""), "saved": (write_saved, "saved")}
WHOLE = ({"1.0"}, {1.0}), ({"2.0"}, {2.0})


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("is_there", [False, True], ids=["anew", "replaced"])
def test_killed_at_every_operation(kind: str, is_there: bool, system: str, tmp_path: Path) -> None:
    write, name = WRITERS[kind]
    for value in (1.0, 2.0):
        (tmp_path / f"source-{value}").mkdir()
        write_set(tmp_path / f"source-{value}", value)
    old = WHOLE[0] if is_there else (set(), set())
    seen, at, is_alive = [], 0, True
    while is_alive:
        place = tmp_path / str(at)
        place.mkdir()
        if is_there:
            write(place, 1.0)
        whole = sorted(path.name for path in place.rglob("*"))
        is_alive = is_killed(lambda: write(place, 2.0), at)  # noqa: B023 - called at once
        found = generation(place / name)
        assert found in (old, WHOLE[1]), f"killed before operation {at}"
        seen.append(found)
        write(place, 2.0)
        assert generation(place / name) == WHOLE[1]
        if is_there:
            assert sorted(path.name for path in place.rglob("*")) == whole, f"killed before operation {at}"
        assert not [path for path in place.rglob("*") if ".graphscope" in path.name]
        at += 1
    assert seen == sorted(seen, key=lambda found: found == WHOLE[1])  # once new, always new
    assert seen[0] == old
    assert at > 25  # 200 in all
