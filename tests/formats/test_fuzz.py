"""Small files cut off at every byte and changed at random ones: our errors or the right answer, soon and in little memory.

The right answer is what protobuf parses of the same bytes; for checkpoints, whose blocks have checksums, what was saved.
``GRAPHSCOPE_FUZZ_EXAMPLES`` says how many changed files each test looks at.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphscope
from graphscope.analysis.listing import Listing, list_nodes
from graphscope.errors import GraphscopeError
from tests.support.broken import BOUND_BYTES, NAMES, GraphDef, examine, look, memory, subjects, trained
from tests.support.saving import save_v2, tf
from tests.support.tables import varint

pytestmark = pytest.mark.slow

COUNT = int(os.environ.get("GRAPHSCOPE_FUZZ_EXAMPLES", "100"))
SECONDS = max(60, COUNT)
EXAMPLES = settings(
    max_examples=COUNT,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """No test hangs."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return

    def expired(*_: Any) -> None:
        pytest.fail(f"still busy after {SECONDS} seconds")

    old = signal.signal(signal.SIGALRM, expired)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)


@pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory is bounded where Linux tells how much there is"
)
def test_the_bound_bounds() -> None:
    with pytest.raises(MemoryError), memory(BOUND_BYTES):
        np.zeros(2 * BOUND_BYTES, np.uint8)
    np.zeros(2 * BOUND_BYTES, np.uint8)


@pytest.mark.parametrize("name", NAMES)
def test_the_good_file(tmp_path: Path, name: str) -> None:
    subject = subjects()[name]
    assert examine(subject, subject.content, tmp_path)
    assert len(subject.content) < 16_000


@pytest.mark.parametrize("name", NAMES)
def test_cut_off_anywhere(tmp_path: Path, name: str) -> None:
    subject = subjects()[name]
    size = len(subject.content)
    step = 1 if size < 2048 else size // 700
    opened = [n for n in range(0, size, step) if examine(subject, subject.content[:n], tmp_path)]
    if subject.kind is None and name != "state":
        assert not opened
    if name in ("graph", "payloads"):  # exactly where a node ends; an unfinished name leaves nothing to tell it by
        message, ends = subject.kind(), []
        for node in subject.kind.FromString(subject.content).node:
            message.node.append(node)
            ends.append(message.ByteSize())
        assert {end for end in ends if end % step == 0 and end < size} <= set(opened)
        assert len(opened) <= len(ends) + 2


Change = tuple[int, int]


def changes(size: int) -> st.SearchStrategy[list[Change]]:
    return st.lists(st.tuples(st.integers(0, size - 1), st.integers(1, 255)), min_size=1, max_size=4)


def changed(content: bytes, places: list[Change]) -> bytes:
    data = bytearray(content)
    for at, bits in places:
        data[at] ^= bits
    return bytes(data)


@pytest.mark.parametrize("name", NAMES)
def test_flipped_anywhere(tmp_path: Path, name: str) -> None:
    subject = subjects()[name]
    results = []

    @EXAMPLES
    @given(changes(len(subject.content)))
    def run(places: list[Change]) -> None:
        results.append(examine(subject, changed(subject.content, places), tmp_path))

    run()
    assert True in results or subject.kind is None
    assert False in results


@pytest.mark.parametrize("name", NAMES)
def test_bytes_lost_and_found(tmp_path: Path, name: str) -> None:
    subject = subjects()[name]
    content = subject.content

    @EXAMPLES
    @given(st.integers(0, len(content)), st.integers(0, 9), st.binary(max_size=9))
    def run(at: int, lost: int, found: bytes) -> None:
        examine(subject, content[:at] + found + content[at + lost :], tmp_path)

    run()


@EXAMPLES
@given(content=st.binary(min_size=0, max_size=200))
def test_anything(tmp_path: Path, content: bytes) -> None:
    for name in ("x.pb", "x.meta", "y.index", "x.pbtxt", "saved_model.pb", "checkpoint", "x"):
        directory = tmp_path / name
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        (directory / name).write_bytes(content)
        look(directory / name)


# Numbers that would cost memory or time, if they were believed


def node(name: str, op: str, *inputs: str) -> Any:
    graph = GraphDef()
    return graph.node.add(name=name, op=op, input=inputs)


@pytest.mark.parametrize("index", [2, 999_999_999, 10**30])
def test_an_input_of_a_high_number(tmp_path: Path, index: int) -> None:
    graph = GraphDef()
    graph.node.extend([node("a", "NobodyKnowsThis"), node("b", "Identity", f"a:{index}")])
    (tmp_path / "g.pb").write_bytes(graph.SerializeToString())
    with memory(BOUND_BYTES):
        model, _ = look(tmp_path / "g.pb")
    assert model is not None
    rows = list(list_nodes(model, Listing()))
    assert len(rows[0].outputs) == min(index + 1, 65_536) if index < 10**9 else 1


@pytest.mark.parametrize("number", [3, 2**62, -1])
def test_a_high_number_of_outputs(tmp_path: Path, number: int) -> None:
    graph = GraphDef()
    graph.node.add(name="s", op="Split").attr["num_split"].i = number
    (tmp_path / "g.pb").write_bytes(graph.SerializeToString())
    with memory(BOUND_BYTES):
        model, _ = look(tmp_path / "g.pb")
    assert model is not None
    [row] = list_nodes(model, Listing())
    assert len(row.outputs) == max(0, min(number, 65_536))


def test_deep_nesting(tmp_path: Path) -> None:
    """Protobuf stops at 100 levels; so does the text."""
    value = b""
    for _ in range(2000):  # AttrValue.func, NameAttrList.attr, and the value of that
        value = field(10, field(2, field(1, b"k") + field(2, value)))
    deep = field(1, b"a") + field(2, b"B") + field(5, field(1, b"k") + field(2, value))
    (tmp_path / "g.pb").write_bytes(field(1, deep))
    (tmp_path / "g.pbtxt").write_text('node { name: "a" op: "B" attr { key: "k" value { ' + "list { func { " * 20_000)
    for name in ("g.pb", "g.pbtxt"):
        with pytest.raises(GraphscopeError):
            graphscope.load(tmp_path / name)


def field(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def test_cycles(tmp_path: Path) -> None:
    """No walk of an invalid graph goes round for ever."""
    graph = GraphDef()
    graph.node.extend([node("a", "Identity", "b"), node("b", "Identity", "a"), node("c", "Add", "c", "c:0", "^c")])
    graph.node.extend([node("x", "Placeholder"), node("m", "MatMul", "x", "m"), node("m", "Softmax", "m", "gone:3")])
    (tmp_path / "g.pb").write_bytes(graph.SerializeToString())
    with memory(BOUND_BYTES):
        model, _ = look(tmp_path / "g.pb")
    assert model is not None
    assert set(model.graph.ancestors(["a"])) == {"a", "b"}


def test_the_checkpoints_here_are_good(tmp_path: Path) -> None:
    """What :func:`assert_as_saved` expects is what TensorFlow reads."""
    _, values = trained()
    for name, content in values:
        (tmp_path / name).write_bytes(content)
    reader = tf.train.load_checkpoint(str(tmp_path / "m"))
    assert reader.get_tensor("w").tolist() == [[1.0], [2.0]]
    save_v2(str(tmp_path / "again"), {"w": tf.constant([[1.0], [2.0]])})
    [found] = graphscope.load(tmp_path / "again").variables
    assert found.shape == (2, 1)
