"""What workers that train together agree on, without any: notices and clocks made by hand, and one server in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from graphscope.cluster.hosts import Task
from graphscope.cluster.processes import Ending
from graphscope.cluster.share import Share
from graphscope.core.changes.build import make_node
from graphscope.core.graph import Graph
from graphscope.core.values.dtypes import DataType
from graphscope.core.variables.variables import Role, Variable
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.protos import GraphDef
from graphscope.training.together import kinds, launch, launch_async, member, membership
from graphscope.training.together.collective import TOLD
from graphscope.training.together.kinds import Kind, wait_for_same_kind
from graphscope.training.together.ledger import NONE, Ledger, Row
from graphscope.training.together.member import Together
from graphscope.training.together.membership import Notice, agree_on_members, find_leader
from graphscope.training.together.relay import Done, Relay, Teller
from graphscope.training.together.servers import ROW, TICKET_THERE, _groups
from graphscope.training.tune.loop import Interrupted
from graphscope.training.tune.stepping import Judged
from graphscope.training.tune.trained_variables import SessionVariables
from graphscope.training.tune.tune import OutputLocation
from tests.support.running import tf

v1 = tf.compat.v1

# Who goes on

CLUSTER: Any = SimpleNamespace(workers=["a:1", "b:1", "c:1", "d:1"], path="cluster.json")
TIMEOUT_S = 10.0

Notices = Mapping[int, Notice | None]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Sets the notices that are read before and after a moment; gives what is written, and the clock's last time."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    written: list[Any] = [clock]

    def tell(first: Notices, later: Notices | None = None, at_s: float = 0.0) -> list[Any]:
        def read(_: Any, rank: int) -> Notice | None:
            own = dict(written[1:]).get(rank)
            return own or (first if clock[0] < at_s or later is None else later).get(rank)

        monkeypatch.setattr(membership, "_read_notice", read)
        monkeypatch.setattr(membership, "write_notice", lambda _, rank, notice: written.append((rank, notice)))
        return written

    return tell


@pytest.mark.parametrize(
    ("rank", "notices", "leader", "waited_s"),
    [
        (0, {}, 0, 0),
        (0, {1: Notice(1)}, 0, 0),  # it may still be told that it comes too late
        (2, {1: Notice(1)}, 1, 0),
        (2, {1: Notice(0)}, 0, 0),
        (3, {1: Notice(1), 2: Notice(1)}, 1, 0),
        (3, {2: Notice(0)}, 0, 0),
        (3, {1: Notice(1), 2: Notice(2)}, 1, 0),
        (2, {1: Notice(1, [1, 2])}, 1, 0),
        (1, {}, 1, TIMEOUT_S),
        (1, {2: Notice(2)}, 1, TIMEOUT_S),
        (3, {}, 3, 3 * TIMEOUT_S),
    ],
)
def test_the_first_that_is_there_leads(
    told: Callable[..., list[Any]], rank: int, notices: Notices, leader: int, waited_s: float
) -> None:
    [clock] = told(notices)
    assert find_leader(CLUSTER, rank, TIMEOUT_S) == leader
    assert waited_s <= clock[0] <= waited_s + 0.5


def test_a_leader_that_comes_while_others_wait(told: Callable[..., list[Any]]) -> None:
    [clock] = told({}, {0: Notice(0)}, at_s=5)
    assert find_leader(CLUSTER, 2, TIMEOUT_S) == 0
    assert 5 <= clock[0] < 5.5


@pytest.mark.parametrize(("rank", "by"), [(0, 3), (1, 2), (2, 0)])
def test_who_comes_too_late(told: Callable[..., list[Any]], rank: int, by: int) -> None:
    told({by: Notice(by, [other for other in range(4) if other != rank])})
    with pytest.raises(GraphscopeError, match=f"others continued without worker {rank}, which did not answer in time"):
        find_leader(CLUSTER, rank, TIMEOUT_S)


@pytest.mark.parametrize(
    ("leader", "first", "later", "members", "waited_s"),
    [
        (0, {1: Notice(0), 2: Notice(0), 3: Notice(0)}, None, [0, 1, 2, 3], 0),
        (0, {}, {1: Notice(0), 2: Notice(0), 3: Notice(0)}, [0, 1, 2, 3], 5),
        (0, {2: Notice(0)}, None, [0, 2], TIMEOUT_S),
        (1, {0: Notice(0), 3: Notice(1)}, {2: Notice(1), 3: Notice(1)}, [1, 2, 3], 5),
        (3, {}, None, [3], 0),
        (1, {2: Notice(0), 3: Notice(1)}, None, [1, 3], TIMEOUT_S),
    ],
)
def test_the_leader_waits_for_those_after_it(
    told: Callable[..., list[Any]],
    leader: int,
    first: Notices,
    later: Notices | None,
    members: list[int],
    waited_s: float,
) -> None:
    written = told(first, later, at_s=5)
    assert agree_on_members(CLUSTER, leader, leader, TIMEOUT_S) == members
    assert written[1:] == [(leader, Notice(leader)), (leader, Notice(leader, members))]
    assert waited_s <= written[0][0] <= waited_s + 0.5


def test_a_leader_that_others_no_longer_wait_for(told: Callable[..., list[Any]]) -> None:
    told({3: Notice(2)})
    with pytest.raises(GraphscopeError, match="others continued without worker 1"):
        agree_on_members(CLUSTER, 1, 1, TIMEOUT_S)


def test_others_hear_from_the_leader(told: Callable[..., list[Any]]) -> None:
    written = told({0: Notice(0)}, {0: Notice(0, [0, 2])}, at_s=15)
    assert agree_on_members(CLUSTER, 2, 0, TIMEOUT_S) == [0, 2]
    assert written[1:] == [(2, Notice(0)), (2, Notice(0, [0, 2]))]
    assert 15 <= written[0][0] < 15.5
    with pytest.raises(GraphscopeError, match="others continued without worker 1"):
        agree_on_members(CLUSTER, 1, 0, TIMEOUT_S)


def test_a_leader_that_says_nothing(told: Callable[..., list[Any]]) -> None:
    written = told({0: Notice(0)})
    with pytest.raises(GraphscopeError, match="worker 0 did not announce within 20 s which workers continue"):
        agree_on_members(CLUSTER, 2, 0, TIMEOUT_S)
    assert 20 <= written[0][0] < 20.5


# Who trains otherwise

SAME = Kind(asynchronous=False, elastic=False, workers=4)


@pytest.mark.parametrize(
    ("first", "later", "message", "waited_s"),
    [
        ({1: SAME, 2: SAME, 3: SAME}, None, None, 0),
        ({1: SAME}, {1: SAME, 2: SAME, 3: SAME}, None, 5),
        (
            {1: SAME, 3: replace(SAME, elastic=True)},
            None,
            "worker 3 trains with different .* than worker 0: elastic",
            3,
        ),
        ({}, {2: replace(SAME, asynchronous=True, workers=5)}, "worker 2 .* worker 0: asynchronous, workers", 8),
        ({1: SAME, 3: SAME}, None, "worker 2 at c:1 does not answer within 10 s: it does not train", TIMEOUT_S),
    ],
)
def test_workers_that_train_otherwise(
    told: Callable[..., list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    first: Mapping[int, Kind],
    later: Mapping[int, Kind] | None,
    message: str | None,
    waited_s: float,
) -> None:
    [clock] = told({})
    tasks = [Task("worker", rank) for rank in range(4)]

    def read(_: Any, task: Task) -> Kind | None:
        return (first if clock[0] < 5 or later is None else later).get(task.index)

    monkeypatch.setattr(kinds, "_read", read)
    cluster: Any = SimpleNamespace(path="cluster.json", addresses=dict(zip(tasks, CLUSTER.workers)))
    with nullcontext() if message is None else pytest.raises(GraphscopeError, match=message):
        wait_for_same_kind(cluster, tasks[0], tasks[1:], SAME, TIMEOUT_S)
    assert waited_s <= clock[0] <= waited_s + 0.5


# Who does which step


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Any, Any]]:
    server = tf.distribute.Server({"ps": ["localhost:0"]}, job_name="ps", task_index=0)
    graph = tf.Graph()
    with graph.as_default():
        v1.placeholder(tf.float32, [4], name=ROW.removesuffix(":0"))
        v1.placeholder(tf.int64, [], name=TICKET_THERE.removesuffix(":0"))
    with v1.Session(server.target, graph=graph) as session:
        yield graph, session


def test_tickets_of_segments(served: tuple[Any, Any]) -> None:
    graph, session = served
    ledger = Ledger(graph, session.run, "cluster.json")
    assert not ledger.is_ready()
    ledger.withdraw()
    ledger.reset({"batch": "1f"}, workers=2, processes=3)
    assert not ledger.is_ready()
    assert ledger.settings() == {"batch": "1f"}
    assert (ledger.segment(), ledger.held().tolist(), ledger.rows(0)) == ((NONE, NONE), [NONE, NONE], [])
    assert ledger.take(0) is None
    ledger.admit()
    assert ledger.is_ready()
    ledger.open(10, 13)
    assert (ledger.segment(), ledger.rows(0)) == ((10, 13), [Row(0, 0, 0, 0)] * 3)
    assert [ledger.take(worker) for worker in (0, 1, 0, 1)] == [10, 11, 12, None]
    assert ledger.held().tolist() == [12, 11]
    assert ledger.close() == 3
    ledger.open(13, 17)
    assert (ledger.take(1), ledger.close(), ledger.close(), ledger.take(0)) == (13, 1, 1, None)
    ledger.reopen()
    ledger.reopen()
    assert (ledger.take(0), ledger.held().tolist()) == (14, [14, 13])
    record = ledger.record([], 0)
    session.run(record, {ROW: [1, 2, 3, 0.5], TICKET_THERE: 14})
    assert ledger.rows(0) == [Row(0, 0, 0, 0), Row(1, 2, 3, 0.5), Row(0, 0, 0, 0), Row(0, 0, 0, 0)]
    assert ledger.rows(1) == ledger.rows(0)[1:]
    assert ledger.held().tolist() == [NONE, 13]
    ledger.hand(13, 0)
    assert ledger.held().tolist() == [13, NONE]
    ledger.hand(15, 1)
    assert ledger.held().tolist() == [13, 15]
    assert (ledger.close(), ledger.ended()) == (2, {})
    ledger.end({"why": "done"})
    assert ledger.ended() == {"why": "done"}
    assert not ledger.have_left([1])
    ledger.leave(1)
    assert [ledger.have_left(who) for who in ([1], [0, 1], [2, 1], [])] == [True, False, False, True]
    ledger.withdraw()
    assert not ledger.is_ready()


def test_of_a_ticket_that_somebody_else_takes_meanwhile(served: tuple[Any, Any]) -> None:
    """There was one a moment ago."""
    graph, session = served
    ledger = Ledger(graph, session.run, "cluster.json")
    ledger.reset({}, workers=2, processes=2)
    ledger.open(0, 1)
    other = Ledger(graph, session.run, "cluster.json")

    def run(wanted: Any, feeds: Any = None) -> Any:
        found = session.run(wanted, feeds)
        other.take(1)
        return found

    assert Ledger(graph, run, "cluster.json").take(0) is None
    assert ledger.held().tolist() == [NONE, 0]


def test_servers_that_do_not_answer(served: tuple[Any, Any]) -> None:
    def run(*_: Any) -> Any:
        raise tf.errors.UnavailableError(None, None, "gone")

    ledger = Ledger(served[0], run, "cluster.json")
    for call in (lambda: ledger.take(0), ledger.held, ledger.is_ready, ledger.admit, lambda: ledger.leave(0)):
        with pytest.raises(GraphscopeError, match=r"cluster\.json: the parameter servers do not answer"):
            call()


# What each tells the others


class Hall:
    """A session in which everybody hears what is told here, and ``others`` besides."""

    def __init__(self, others: Any = 0) -> None:
        self.others = others
        self.told: list[Any] = []

    def run(self, _: Any, feeds: Mapping[str, Any]) -> list[Any]:
        told = feeds[TOLD]
        self.told.append(told)
        return [told + np.asarray(self.others, np.float32).reshape(-1)]


def together(hall: Hall, rank: int, *, batch: int = 2, stops: bool = False) -> Together:
    job: Any = SimpleNamespace(recipe=None, options=SimpleNamespace(batch=batch))
    session: Any = hall
    return Together(session, job, Share(rank, 2), lambda: stops)


@pytest.mark.parametrize("rank", [0, 1])
def test_batches_go_round(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five examples in batches of two: the second process has nothing to do in the last turn, but hears of it."""

    def judged(_: Any, __: Any, ___: Any, indices: Any) -> Judged:
        return Judged(float(indices[0]), len(indices) / 8, np.stack([indices, -indices], 1).astype("f4"), indices)

    monkeypatch.setattr(member, "judge", judged)
    examples: Any = SimpleNamespace(indices=np.arange(10, 15))
    hall = Hall()
    found = list(together(hall, rank, stops=True).judge(examples))
    assert [one.indices.tolist() for one in found] == [[10, 11], [12, 13], [14]]
    slots = [told.reshape(2, -1) for told in hall.told]
    assert [slot.shape for slot in slots] == [(2, 3 + 4), (2, 3 + 2)]
    expected = [[[10, 0.25, 1, 10, -10, 11, -11], [12, 0.25, 1, 12, -12, 13, -13]], [[14, 0.125, 1, 14, -14], [0] * 5]]
    for slot, rows in zip(slots, expected, strict=True):
        assert slot[rank].tolist() == rows[rank]
        assert not slot[1 - rank].any()
    hall.others = 0
    mine = [one for one in found if one.loss]
    assert [one.indices.tolist() for one in mine] == ([[10, 11], [14]] if rank == 0 else [[12, 13]])
    for one in mine:
        assert one.predictions.tolist() == [[index, -index] for index in one.indices.tolist()]
        assert (one.loss, one.metric) == (one.indices[0], len(one.indices) / 8)


@pytest.mark.parametrize(("here", "there", "stops"), [(False, 0, False), (True, 0, True), (False, 1, True)])
def test_all_stop_where_one_is_asked_to(here: bool, there: int, stops: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member, "judge", lambda *rest: Judged(0.0, 0.0, np.zeros((2, 1), "f4"), rest[-1]))
    others = np.zeros((2, 5), np.float32)
    others[1, 2] = there
    stepping = together(Hall(others), 0, stops=here)
    examples: Any = SimpleNamespace(indices=np.arange(4))
    assert not stepping.is_asked_to_stop()
    assert len(list(stepping.judge(examples))) == 2
    assert stepping.is_asked_to_stop() is stops


# What the launcher hears


class Watching:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def on_begin(self, job: Any, run: Any) -> None:
        self.heard.append(("begin", job, run))

    def on_step(self, step: Any) -> None:
        self.heard.append(step.step)

    def on_epoch(self, epoch: Any, evaluation: Any) -> None:
        self.heard.append((epoch, evaluation))


def test_watchers_hear_each_step_once() -> None:
    """After a loss, steps are done again, and the training begins once more."""
    watching, job = Watching(), object()
    relay: Any = Relay([watching], job)  # type: ignore[arg-type,list-item]
    run = SimpleNamespace(epoch=0)
    assert not relay.has_begun
    teller: Any = Teller(lambda message: relay.hear(0, message))
    other: Any = Teller(lambda message: relay.hear(1, message))
    for told in (other, teller):
        told.on_begin(job, run)
    assert relay.has_begun
    for step in (1, 2):
        teller.on_step(SimpleNamespace(step=step))
        other.on_step(SimpleNamespace(step=7))
    teller.on_begin(job, SimpleNamespace(epoch=5))
    for step in (1, 2, 3):
        teller.on_step(SimpleNamespace(step=step))
    teller.on_epoch("epoch", "evaluation")
    assert watching.heard == [("begin", job, run), 1, 2, 3, ("epoch", "evaluation")]
    assert run.epoch == 5, "how far it has come"


def test_how_a_training_ended() -> None:
    report: Any = object()
    assert Done(report, 3, "p").result() is report
    with pytest.raises(Interrupted) as caught:
        Done(None, 3, "p").result()
    assert (caught.value.step, caught.value.prefix) == (3, "p")


# Generations


class Generations:
    """What becomes of each generation of processes: a report, or the number of those that were lost and the step saved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ends: Sequence[tuple[int, int | None] | None]) -> None:
        self.ends = iter(ends)
        self.begun: list[tuple[bool, bool, bool, int]] = []
        self.slept: list[float] = []
        self.step: int | None = None
        for name, replacement in {
            "_Generation": self.begin,
            "output_prefix": lambda *_: Path("out/model"),
            "found_run": lambda *_: None,
            "Relay": lambda *_: SimpleNamespace(has_begun=True),
            "exists": lambda _: self.step is not None,
            "read_run": lambda _: SimpleNamespace(kept=["model-1"], step=self.step),
        }.items():
            monkeypatch.setattr(launch, name, replacement)
        monkeypatch.setattr(time, "sleep", self.slept.append)

    def begin(self, training: Any, *_: Any, is_first: bool) -> Any:
        self.begun.append((is_first, training.place.overwrite, training.place.resume, training.count))
        end = next(self.ends)
        if end is None:
            return SimpleNamespace(run=lambda: "report")
        lost, step = end
        self.step = self.step if step is None else step
        return SimpleNamespace(run=lambda: None, lost=lost, reason="worker 1 was killed")


def trained(*, resume: bool = False, **more: Any) -> tuple[Any, list[str]]:
    model, anything, said = SimpleNamespace(path="m"), SimpleNamespace(), list[str]()
    where: Any = OutputLocation("out", resume=resume)
    training = launch.Training(model, anything, where, "", 3, anything, **more)  # type: ignore[arg-type]
    return launch.train_by_workers(training, warn=said.append), said


FIRST, BEFORE_ANY, AGAIN = (True, True, False, 3), (False, True, False, 3), (False, False, True, 3)


@pytest.mark.parametrize(
    ("ends", "begun"),
    [
        ([None], [FIRST]),
        ([(1, 5), None], [FIRST, AGAIN]),
        ([(1, None), (1, 5), None], [FIRST, BEFORE_ANY, AGAIN]),
        ([(1, None)] * launch.TRIES + [None], [FIRST] + [BEFORE_ANY] * launch.TRIES),
        ([(1, 5)] * launch.TRIES + [None], [FIRST] + [AGAIN] * launch.TRIES),
        ([(1, None)] + [(1, 5)] * launch.TRIES + [None], [FIRST, BEFORE_ANY] + [AGAIN] * launch.TRIES),
        ([(1, step) for step in range(1, 9)] + [None], [FIRST] + [AGAIN] * 8),
    ],
)
def test_a_new_generation_goes_on_from_the_last_checkpoint(
    ends: list[Any], begun: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    generations = Generations(monkeypatch, ends)
    report, said = trained()
    assert report == "report"
    assert generations.begun == begun
    assert said == ["worker 1 was killed; all workers continue from the last checkpoint"] * (len(ends) - 1)
    assert generations.slept == []


@pytest.mark.parametrize("step", [None, 5])
def test_generations_that_come_to_nothing_end(step: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    generations = Generations(monkeypatch, [(1, step)] * 20)
    with pytest.raises(
        GraphscopeError, match=f"worker 1 was killed; {launch.TRIES + 1} times in a row without another"
    ):
        trained()
    assert len(generations.begun) == launch.TRIES + 1


def test_a_run_that_is_resumed_has_had_its_first_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    generations = Generations(monkeypatch, [(1, None), None])
    trained(resume=True)
    assert generations.begun == [(False, False, True, 3)] * 2


def test_elastic_generations_get_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    generations = Generations(monkeypatch, [(1, 5), (0, 6), (4, 7), None])
    _, said = trained(elastic=True)
    assert [count for *_, count in generations.begun] == [3, 2, 2, 1]
    assert said[0] == "worker 1 was killed; all remaining workers continue from the last checkpoint"
    generations = Generations(monkeypatch, [(1, 5), None])
    trained(elastic=True, cluster=CLUSTER)
    assert [count for *_, count in generations.begun] == [3, 3]
    assert generations.slept == [launch.GRACE_S]


def test_why_a_generation_ended() -> None:
    killed = Ending(1, None, None, "was killed by SIGKILL")
    said = Ending(0, "/job:worker/task:3 is gone", None, "")
    reason = launch._reason
    assert reason([said, killed], [0], range(4, 6)) == "worker 5 was killed by SIGKILL"
    assert reason([said], [1, 2], range(4, 7)) == "worker 5 does not answer"
    assert reason([Ending(1, Done(None), None, ""), said], [], range(2)) == "/job:worker/task:3 is gone"


def crew(warn: Callable[[str], None] = lambda _: None) -> Any:
    """The processes of asynchronous training, none of which has started."""
    model, anything = SimpleNamespace(path="m"), SimpleNamespace()
    place: Any = OutputLocation("out", resume=False)
    training = launch.Training(model, anything, place, "", 3, anything)  # type: ignore[arg-type]
    return launch_async._Crew(training, Relay([], object(), warn), lambda: False)  # type: ignore[arg-type]


def test_workers_that_are_lost_again_and_again_end_the_training() -> None:
    said: list[str] = []
    lost = crew(said.append)
    lost._reason = "worker 1 was killed"
    for _ in range(launch.TRIES):
        lost._lose("it is restarted")
    assert said == ["worker 1 was killed; it is restarted"] * launch.TRIES
    with pytest.raises(GraphscopeError, match="worker 1 was killed; 4 times in a row without another checkpoint"):
        lost._lose("it is restarted")


def test_what_one_node_writes_is_on_one_server() -> None:
    names = ("w", "m", "v", "lone")
    handles = [make_node(name, "VarHandleOp", (), {}) for name in names]
    graph = Graph(GraphDef(), [*handles, make_node("adam", "ResourceApplyAdam", ["w", "m", "v"], {})])
    written = [Variable(name, DataType.FLOAT, (2,), name, True, True, Role.MODEL) for name in names]
    assert sorted(map(sorted, _groups(graph, written).values())) == [["lone"], ["m", "v", "w"]]


def test_a_step_that_training_does_not_count_is_named() -> None:
    values: Any = SimpleNamespace(values=lambda: {"global_step": np.array(7)})
    assert SessionVariables.step(values, "global_step:0") == 7
    with pytest.raises(
        UnknownNameError, match="no variable that training changes is named 'step'; closest: global_step"
    ):
        SessionVariables.step(values, "step:0")
