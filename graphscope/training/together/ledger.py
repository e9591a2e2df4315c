"""What the workers of an asynchronous training share on the first parameter server: who does which step, and what came of it.

Batches have numbers, *tickets*, counted from the beginning of the training run. Worker 0 opens a segment of them, as far as the
next checkpoint. Every worker takes the next ticket, and the server notes who has it in hand; with the step itself, the server
writes a row into the log of the segment. So every batch of a segment is trained on once, whoever ends in the middle of it: a
ticket without a row is done by the worker's successor, or by worker 0 if there is none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.named_tuple import NamedTuple
from graphscope.runtime.importing import tensorflow_errors
from graphscope.runtime.tensorflow import tensorflow
from graphscope.training.together.servers import FIRST, ROW, SCOPE, TICKET_THERE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NONE = -1
"""In place of a ticket."""

_COLUMNS = 4
"""Of the log: loss, metric, number of examples and learning rate. A step that is not done has no examples."""

_CLOSED = 1 << 40
"""Added to the count of remaining tickets so that no worker can take another one."""

_VARIABLES = {
    "ready": "int64",  # 1 while a worker may join
    "settings": "string",  # what all workers must share, as JSON
    "ended": "string",  # how the training run ended, as JSON; empty before
    "segment": "int64",  # its first ticket, and the one after its last
    "remaining": "int64",  # minus the number of tickets not yet taken
    "held": "int64",  # by worker
    "log": "float32",  # a row for each ticket of the segment
    "left": "int64",  # by process: 1 once it knows that the training run has ended
}


class Row(NamedTuple):
    """What a step says of itself: means over its examples, their number, the learning rate."""

    loss: float
    metric: float
    examples: int
    rate: float


class Ledger:
    """The shared variables, as one process reads and writes them.

    Every method raises GraphscopeError where a server does not answer, or has lost its variables.
    """

    def __init__(self, graph: Any, run: Callable[..., Any], path: str) -> None:
        """Adds nodes to ``graph``, a ``tf.Graph``; ``run`` is that of a session, ``path`` what errors begin with."""
        self._graph = graph
        self._session_run = run
        self._path = path
        self._tf = tensorflow()
        with graph.as_default(), self._tf.device(FIRST):
            self._nodes = _Nodes(self._tf)

    def is_ready(self) -> bool:
        """Whether a worker may join: everything else is there."""
        return bool(self._run(self._nodes.exists)) and bool(self._run(self._nodes.reads["ready"]))

    def settings(self) -> dict[str, str]:
        """What all workers must share: name -> digest."""
        found: dict[str, str] = json.loads(self._run(self._nodes.reads["settings"]))
        return found

    def withdraw(self) -> None:
        """Nobody may join."""
        import numpy as np

        self._write(ready=np.array(0))

    def admit(self) -> None:
        """Workers may join."""
        import numpy as np

        self._write(ready=np.array(1))

    def reset(self, settings: Mapping[str, str], workers: int, processes: int) -> None:
        """No segment yet; no worker has a ticket or has left."""
        import numpy as np

        self._write(
            settings=json.dumps(settings).encode(),
            ended=b"",
            segment=np.array([NONE, NONE]),
            remaining=np.array(0),
            log=np.zeros((0, _COLUMNS), np.float32),
            held=np.full(workers, NONE),
            left=np.zeros(processes, np.int64),
        )

    def segment(self) -> tuple[int, int]:
        """Its first ticket, and the one after its last; both :data:`NONE` before the first segment."""
        first, last = self._run(self._nodes.reads["segment"])
        return int(first), int(last)

    def open(self, first: int, last: int) -> None:
        """Lets workers take the tickets from ``first`` to before ``last``; the segment before must be done."""
        import numpy as np

        self._write(segment=np.array([first, last]), log=np.zeros((last - first, _COLUMNS), np.float32))
        self._write(remaining=np.array(first - last))

    def close(self) -> int:
        """Stops handing out tickets; returns how many of the segment have been taken."""
        remaining = int(self._run(self._nodes.reads["remaining"]))
        if remaining < _CLOSED // 2:
            self._run(self._nodes.close)
            remaining = int(self._run(self._nodes.reads["remaining"]))
        first, last = self.segment()
        return last - first + min(remaining - _CLOSED, 0)

    def reopen(self) -> None:
        """Takes :meth:`close` back, if someone ended after it."""
        if int(self._run(self._nodes.reads["remaining"])) >= _CLOSED // 2:
            self._run(self._nodes.reopen)

    def held(self) -> NDArray[np.int64]:
        """What each worker has in hand: int64 (workers,)."""
        found: NDArray[np.int64] = self._run(self._nodes.reads["held"])
        return found

    def take(self, worker: int) -> int | None:
        """A ticket that ``worker`` now has in hand; ``None`` if none is left."""
        if int(self._run(self._nodes.reads["remaining"])) >= 0:
            return None
        try:
            return int(self._session_run(self._nodes.taken, {self._nodes.worker: worker}))
        except self._tf.errors.OutOfRangeError:
            return None
        except self._tf.errors.OpError:
            with tensorflow_errors(self._what):
                raise

    def hand(self, ticket: int, worker: int) -> None:
        """Gives ``worker`` a ticket that another had; only ``worker`` may write its step from then on."""
        for other in (self.held() == ticket).nonzero()[0]:
            self._run(self._nodes.hand, {self._nodes.worker: int(other), self._nodes.ticket: NONE})
        self._run(self._nodes.hand, {self._nodes.worker: worker, self._nodes.ticket: ticket})

    def rows(self, begin: int) -> list[Row]:
        """The log of the segment from row ``begin``."""
        found = self._run(self._nodes.rows, {self._nodes.begin: begin})
        return [Row(float(loss), float(metric), int(count), float(rate)) for loss, metric, count, rate in found]

    def record(self, counting: Sequence[str], worker: int) -> Any:
        """The op that writes a step into the log, once it is counted by the nodes ``counting``."""
        with self._graph.as_default(), self._tf.device(FIRST):
            counted = [self._graph.get_operation_by_name(name) for name in counting]
            row, ticket = (self._graph.get_tensor_by_name(name) for name in (ROW, TICKET_THERE))
            with self._tf.control_dependencies(counted):
                return self._nodes.record(row, ticket, worker)

    def end(self, how: Mapping[str, Any]) -> None:
        """Lets everybody know that the training run has ended."""
        self._write(ended=json.dumps(how).encode())

    def ended(self) -> dict[str, Any]:
        """How the training run ended; empty before."""
        content = self._run(self._nodes.reads["ended"])
        return json.loads(content) if content else {}

    def leave(self, process: int) -> None:
        """Notes that a process knows that the training run has ended."""
        self._run(self._nodes.leave, {self._nodes.worker: process})

    def have_left(self, processes: Sequence[int]) -> bool:
        """Whether all of ``processes`` know."""
        return bool(self._run(self._nodes.reads["left"])[list(processes)].all())

    @property
    def _what(self) -> str:
        return f"{self._path}: the parameter servers do not answer"

    def _run(self, wanted: Any, feeds: Mapping[Any, Any] | None = None) -> Any:
        with tensorflow_errors(self._what):
            return self._session_run(wanted, feeds)

    def _write(self, **values: Any) -> None:
        feeds = {self._nodes.feeds[name]: value for name, value in values.items()}
        self._run([self._nodes.writes[name] for name in values], feeds)


class _Nodes:
    """What a :class:`Ledger` runs; made in the default graph, on the first server."""

    def __init__(self, tf: Any) -> None:
        self._tf = tf
        self._raw = tf.raw_ops
        v1 = tf.compat.v1
        self._handles = {
            name: self._raw.VarHandleOp(dtype=dtype, shape=None, shared_name=f"{SCOPE}/{name}")
            for name, dtype in _VARIABLES.items()
        }
        self.exists = self._raw.VarIsInitializedOp(resource=self._handles["ready"])
        self.reads = {name: self._read(name) for name in _VARIABLES}
        self.feeds = {name: v1.placeholder(dtype) for name, dtype in _VARIABLES.items()}
        self.writes = {
            name: self._raw.AssignVariableOp(resource=handle, value=self.feeds[name])
            for name, handle in self._handles.items()
        }
        self.worker, self.ticket, self.begin = (v1.placeholder(tf.int64, []) for _ in range(3))
        self.taken = self._take()
        self.hand = self._put("held", self.worker, self.ticket)
        self.leave = self._put("left", self.worker, tf.constant(1, tf.int64))
        self.rows = self._read("log")[self.begin :]
        self.close, self.reopen = (self._add("remaining", number) for number in (_CLOSED, -_CLOSED))

    def record(self, row: Any, ticket: Any, worker: int) -> Any:
        """The row is there before the ticket is out of hand."""
        written = self._put("log", ticket - self.reads["segment"][0], row)
        with self._tf.control_dependencies([written]):
            return self._put("held", self._tf.constant(worker, self._tf.int64), self._tf.constant(NONE, self._tf.int64))

    def _take(self) -> Any:
        """One run of the server, which nothing from elsewhere can stop in the middle."""
        with self._tf.control_dependencies([self._tf.identity(self.worker)]):
            count = self._raw.ResourceCountUpTo(resource=self._handles["remaining"], limit=0, T=self._tf.int64)
        with self._tf.control_dependencies([count]):
            ticket = self._read("segment")[1] + count
            with self._tf.control_dependencies([self._put("held", self.worker, ticket)]):
                return self._tf.identity(ticket)

    def _read(self, name: str) -> Any:
        return self._raw.ReadVariableOp(resource=self._handles[name], dtype=_VARIABLES[name])

    def _put(self, name: str, index: Any, value: Any) -> Any:
        return self._raw.ResourceScatterUpdate(resource=self._handles[name], indices=index, updates=value)

    def _add(self, name: str, number: int) -> Any:
        value = self._tf.constant(number, _VARIABLES[name])
        return self._raw.AssignAddVariableOp(resource=self._handles[name], value=value)
