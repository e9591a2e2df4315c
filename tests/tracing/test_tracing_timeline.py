"""Timelines keep the Trace Event Format, and agree with TensorFlow's own on the same traces."""

from __future__ import annotations

import bisect
import json
import math
from collections import Counter, defaultdict
from typing import Any

import pytest

from graphscope.formats import load
from graphscope.protos import RunMetadata
from graphscope.runtime.config import SessionOptions
from graphscope.runtime.profile import trace as traced
from graphscope.tracing.chrome import chrome_trace
from graphscope.tracing.profile import report
from graphscope.tracing.timeline_times import timeline_times
from graphscope.tracing.trace import Trace
from tests.support.fixture_files import FIXTURES
from tests.support.traces import CPU0, CPU1, graph, metadata, stat, trace

pytestmark = pytest.mark.tensorflow

Event = dict[str, Any]


def events_of(found: Trace) -> list[Event]:
    content = json.loads(b"".join(chrome_trace(found)))
    assert content["otherData"]["model"] == found.path
    events: list[Event] = content["traceEvents"]
    return events


def test_a_timeline_tells_the_times_of_the_report() -> None:
    """Two devices, a node that runs twice in a step, and one that runs in one step of three alone."""
    steps = [
        metadata(
            {
                CPU0: [("a", "Relu", (), 100 * n, 3), ("a", "Relu", (), 100 * n + 4, 2 + n)],
                CPU1: [("b", "Neg", ("a",), 100 * n + 7, 1.5 * n)],
            }
        )
        for n in (1, 2, 4)
    ]
    steps[1].step_stats.dev_stats[0].node_stats.add().CopyFrom(stat("c", "Abs", (), 220, 9))
    found = trace(steps, graph(("a", "Relu", ()), ("b", "Neg", ("a",)), ("c", "Abs", ())))
    expected = {cost.name: cost.times.wall_us for cost in report(found).nodes}
    assert timeline_times(b"".join(chrome_trace(found))) == pytest.approx(expected)
    assert expected == {"a": 7.0, "b": 3.0, "c": 0.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "Expecting value"),
        (b"[1]", "not a timeline"),
        (b"{}", "not a timeline"),
        (b'{"traceEvents": 3}', "not a timeline"),
        (b'{"traceEvents": []}', "without steps"),
        (b"[" * 100_000, "not a timeline"),
    ],
    ids=["nothing", "list", "object", "number", "empty", "deep"],
)
def test_what_is_no_timeline_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        timeline_times(text)


def of_kind(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event["ph"] == kind]


def assert_well_formed(events: list[Event]) -> None:
    """What Chrome's viewer and Perfetto ask for."""
    processes = {e["pid"] for e in of_kind(events, "M") if e["name"] == "process_name"}
    threads = {(e["pid"], e["tid"]) for e in of_kind(events, "M") if e["name"] == "thread_name"}
    timed = [e for e in events if e["ph"] != "M"]
    assert {e["ph"] for e in events} <= set("MXsfC")
    assert [e["ts"] for e in timed] == sorted(e["ts"] for e in timed)
    assert all(math.isfinite(e["ts"]) and e["ts"] >= 0 and e["pid"] in processes for e in timed)
    spans = of_kind(events, "X")
    assert all(e["dur"] >= 0 for e in spans)
    assert all((e["pid"], e["tid"]) in threads for e in spans if e["cat"] == "op")
    assert_flows_bind(events, spans)
    assert_rows_do_not_overlap(spans)


def assert_flows_bind(events: list[Event], spans: list[Event]) -> None:
    """Each arrow has one start and one end, in this order, each within a span of its row."""
    starts = {e["id"]: e for e in of_kind(events, "s")}
    ends = {e["id"]: e for e in of_kind(events, "f")}
    assert starts.keys() == ends.keys()
    assert len(starts) == len(of_kind(events, "s")) == len(of_kind(events, "f"))
    rows = defaultdict(list)
    for span in spans:
        rows[span["pid"], span["tid"]].append((span["ts"], span["ts"] + span["dur"]))
    for event in (*starts.values(), *ends.values()):
        row = rows[event["pid"], event["tid"]]
        near = row[max(0, bisect.bisect_right(row, (event["ts"], math.inf)) - 3) :][:3]
        assert any(a <= event["ts"] <= b + 1e-6 for a, b in near), event
    assert all(starts[i]["ts"] <= ends[i]["ts"] and ends[i]["bp"] == "e" for i in starts)
    assert all(starts[i]["name"] == ends[i]["name"] and starts[i]["cat"] == ends[i]["cat"] for i in starts)


def assert_rows_do_not_overlap(spans: list[Event]) -> None:
    free: dict[tuple[int, int], float] = {}
    for span in spans:
        row = span["pid"], span["tid"]
        assert span["ts"] >= free.get(row, 0) - 1e-6
        free[row] = span["ts"] + span["dur"]


def by_hand(start: float) -> RunMetadata:
    return metadata(
        {
            CPU0: [
                *(("x", "_Arg", (), start, 2), ("a", "Mul", ["x"], start + 5, 20), ("b", "Mul", ["x"], start + 8, 3)),
                ("c", "Add", ["a", "b"], start + 30, 1),
            ],
            CPU1: [("d", "Neg", ["c/_3"], start + 40, 2)],
        }
    )


HAND = [by_hand(0), by_hand(1000)]
HAND_GRAPH = graph(*((name, "Op", ()) for name in "xabcd"))


def test_rows_arrows_and_arguments() -> None:
    events = events_of(trace(HAND, HAND_GRAPH))
    rows = [e["args"]["name"] for e in of_kind(events, "M") if e["name"] == "thread_name"]
    assert rows == ["row 1", "row 2", "row 1"]  # b ran beside a
    assert [e["name"] for e in of_kind(events, "X") if e["cat"] == "step"] == ["step 0001", "step 0002"]
    [first] = [e for e in of_kind(events, "X") if e["ts"] == 5 and e["cat"] == "op"][:1]
    assert (first["name"], first["dur"], first["args"]["node"], first["args"]["inputs"]) == ("Mul", 20, "a", "x")
    arrows = Counter((e["name"], e["ts"]) for e in of_kind(events, "f"))
    assert {name for name, _ in arrows} == {"x", "a", "b", "c"}


def test_memory_over_time() -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 9), ("b", "B", (), 1, 2)]})
    for node, size in zip(step.step_stats.dev_stats[0].node_stats, (100, 30)):
        memory = node.memory.add(allocator_name="cpu")
        memory.allocation_records.add(alloc_micros=node.all_start_micros, alloc_bytes=size)
        memory.allocation_records.add(alloc_micros=node.all_start_micros + 5, alloc_bytes=-size)
    counters = of_kind(events_of(trace([step])), "C")
    assert [(e["ts"], e["args"]["bytes"]) for e in counters] == [(0, 100), (1, 130), (5, 30), (6, 0)]


def test_threads_where_the_trace_tells_them() -> None:
    step = metadata({CPU0: [("a", "A", (), 0, 9), ("b", "B", (), 1, 2)]})
    for number, node in enumerate(step.step_stats.dev_stats[0].node_stats, 7):
        node.thread_id = number
    names = [e["args"]["name"] for e in of_kind(events_of(trace([step])), "M") if e["name"] == "thread_name"]
    assert names == ["thread 7", "thread 8"]


def test_hand_made_traces_are_well_formed() -> None:
    """One of whole microseconds in which an op ends after what waited for it has started."""
    rounded = metadata({CPU0: [("a", "A", (), 0, 10), ("b", "B", ["a"], 9.5, 0), ("e", "E", (), 3, 0)]})
    for found in (trace(HAND, HAND_GRAPH), trace([rounded]), trace([RunMetadata()])):
        assert_well_formed(events_of(found))


# Beside TensorFlow's


@pytest.fixture(scope="module", params=["lenet5", "towers", "rnn"])
def real(request: pytest.FixtureRequest) -> Trace:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    output = {"lenet5": "train/Adam", "towers": "prediction", "rnn": "probs"}[request.param]
    two = SessionOptions(devices={"CPU": 2})
    return traced(load(FIXTURES / request.param), [output], steps=2, warmup=1, batch=16, options=two)


def test_a_real_trace_is_well_formed(real: Trace) -> None:
    events = events_of(real)
    assert_well_formed(events)
    assert of_kind(events, "s")
    assert of_kind(events, "C")


def test_ops_and_flows_are_those_of_tensorflows_timeline(real: Trace) -> None:
    from tensorflow.core.framework.step_stats_pb2 import StepStats as TensorFlows
    from tensorflow.python.client.timeline import Timeline

    stats = TensorFlows.FromString(real.metadata[0].step_stats.SerializeToString())
    theirs = json.loads(Timeline(stats).generate_chrome_trace_format(show_memory=False))["traceEvents"]
    alone = Trace(real.path, real.metadata[:1], [1], real.graph)
    ours = events_of(alone)
    start = alone.steps[0].start_ns / 1000
    ops = [e for e in of_kind(ours, "X") if e["cat"] == "op"]
    # Half a microsecond for the precision of a float of 1.8e15 microseconds.
    expected = sorted((e["args"]["name"], e["name"], e["ts"], e["dur"]) for e in of_kind(theirs, "X"))
    actual = sorted((e["args"]["name"], e["name"], e["ts"] + start, e["dur"]) for e in ops)
    assert [row[:2] for row in actual] == [row[:2] for row in expected]
    assert all(-0.5 <= a[2] - b[2] <= 1.5 and abs(a[3] - b[3]) <= 1 for a, b in zip(actual, expected))

    given = {e["id"]: e["ts"] for e in of_kind(theirs, "s")}
    # In a loop its arrows start at the last run of a node, even where that is yet to come.
    read = {(e["name"].partition(":")[0], e["ts"]) for e in of_kind(theirs, "t") if given[e["id"]] <= e["ts"]}
    assert (
        len(of_kind(ours, "f")) > 5
    )  # theirs may lack arrows: whether a node's label tells its inputs is up to TensorFlow
    base = alone.steps[0].start_ns
    assert read <= {(e["name"], (round(e["ts"] * 1000) + base) // 1000) for e in of_kind(ours, "f")}
