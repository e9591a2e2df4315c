"""Processes that each do a part of a job, and never outlive it.

They are forked, so that what was imported and opened before is there at once; if that is not safe, they are started anew and
get their work as a pickle. Ctrl-C reaches the launcher alone, which then ends them. It also ends one that is stopped, or hangs.
GPUs are given out in turn.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, Pipe, wait
from types import TracebackType
from typing import Any

from graphscope.advice import Advice
from graphscope.cluster.gpus import gpu_environment
from graphscope.cluster.lifeline import Lifeline
from graphscope.cluster.private_network import PrivateNetwork
from graphscope.errors import GraphscopeError

Work = Callable[[int, "Launcher"], Any]
"""Takes the number of the process, from 0, and its launcher; returns the result, which can be pickled."""

LIMIT_S = 60.0
"""How long a process may be stopped, or send nothing."""

_POLL_S = 0.2
_BEAT_S = 1.0

_LEAST_S = 3 * _BEAT_S
"""A process that goes on together with its launcher may be the later of the two."""

_LATE_S = 10.0
"""How long a process that is not stopped may send nothing at least: on a busy machine it may be late."""


class Launcher:
    """The launcher, as seen by a process that it started."""

    def __init__(self, channel: Connection, lifeline: Lifeline) -> None:
        self._channel = channel
        self._lifeline = lifeline
        self._lock = threading.Lock()
        threading.Thread(target=self._beat, daemon=True).start()

    def tell(self, message: object) -> None:
        """Sends a picklable message; messages arrive in order."""
        self.send("told", message)

    def send(self, kind: str, content: object) -> None:
        """Sends one thing at a time."""
        with self._lock:
            self._channel.send((kind, content))

    def _beat(self) -> None:
        """Lets the launcher know that this process is not stopped."""
        with contextlib.suppress(OSError):
            while True:
                self.send("beat", None)
                time.sleep(_BEAT_S)

    def is_asked_to_stop(self) -> bool:
        """Whether :meth:`Processes.ask_to_stop` was called."""
        return self._lifeline.is_asked


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a process.

    Attributes:
        number: of the process.
        result: the result of its work.
        error: the intended error of its work.
        death: how it ended without a result or an error: ``was killed by SIGKILL``, ``did not respond within 60 s``; otherwise
            empty.
    """

    number: int
    result: Any = None
    error: GraphscopeError | None = None
    death: str = ""


@dataclass(slots=True)
class _Child:
    """One process, as its launcher sees it."""

    pid: int
    channel: Connection
    lifeline: int
    said: tuple[str, Any] | None = None
    silence_s: float = 0.0
    fault: str = ""

    def close(self) -> None:
        self.channel.close()
        os.close(self.lifeline)


class Processes:
    """Running processes. A context manager: none of them outlives the block."""

    def __init__(
        self,
        count: int,
        work: Work,
        *,
        anew: bool = False,
        network: PrivateNetwork | None = None,
        limit_s: float = LIMIT_S,
    ) -> None:
        """Processes start when the block begins.

        Args:
            count: how many.
            work: what each does; where they are started anew, it must be possible to pickle it.
            anew: start new interpreters and do not fork.
            network: what forked processes have in place of this one's.
            limit_s: a process that is stopped, or hangs, for longer than so many seconds (at least 3) is ended. The time for
                which this process is stopped as well, for example by Ctrl-Z, does not count.
        """
        self._limit_s = max(limit_s, _LEAST_S)
        self._count = count
        self._work = partial(_work_on_gpu, count, work)
        self._start = _spawn if anew else partial(_fork, network)
        self._children: dict[int, _Child] = {}

    def __enter__(self) -> Processes:
        try:
            for number in range(self._count):
                self._children[number] = self._start(number, self._work, list(self._children.values()))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def start_again(self, number: int) -> None:
        """Restarts the process with this number, which has ended."""
        self._children[number] = self._start(number, self._work, list(self._children.values()))

    @property
    def pids(self) -> dict[int, int]:
        """Number of a process that has not ended yet -> its process number in the operating system."""
        return {number: child.pid for number, child in self._children.items()}

    def ask_to_stop(self) -> None:
        """Asks every process to end."""
        for child in self._children.values():
            with contextlib.suppress(OSError):
                os.write(child.lifeline, b"s")

    def endings(self, hear: Callable[[int, Any], None], goes_on: Callable[[], bool] = lambda: True) -> Iterator[Ending]:
        """The end of each process, as soon as it is there.

        Args:
            hear: is given what processes tell, with their number.
            goes_on: is asked several times a second; without it, the rest is not waited for.
        """
        since = time.monotonic()
        while self._children and goes_on():
            now = time.monotonic()
            passed_s, since = min(now - since, _BEAT_S), now  # this process may have been stopped as well
            for child in self._children.values():
                self._count_silence(child, passed_s)
            numbers = {child.channel: number for number, child in self._children.items()}
            for channel in wait(list(numbers), _POLL_S):
                assert isinstance(channel, Connection)
                ending = self._read(numbers[channel], hear)
                if ending is not None:
                    yield ending

    def _count_silence(self, child: _Child, passed_s: float) -> None:
        """Ends a process that has been silent for too long."""
        child.silence_s += passed_s
        if child.fault or child.silence_s <= self._limit_s:
            return
        if stop := _stop_signal(child.pid):
            child.fault = f"was stopped by {stop} and did not continue within {self._limit_s:g} s"
        elif child.silence_s > _LATE_S:
            child.fault = f"did not respond within {max(self._limit_s, _LATE_S):g} s"
        if child.fault:
            _kill(child)

    def _read(self, number: int, hear: Callable[[int, Any], None]) -> Ending | None:
        """Takes one message; the end, where there will be no other."""
        child = self._children[number]
        try:
            kind, content = child.channel.recv()
        except (EOFError, OSError):
            del self._children[number]
            return _ending(number, child)
        child.silence_s = 0.0
        if kind == "told":
            hear(number, content)
        elif kind != "beat":
            child.said = kind, content
        return None

    def _end(self) -> None:
        for child in self._children.values():
            _kill(child)
        for number in list(self._children):
            child = self._children.pop(number)
            _status(child.pid)
            child.close()


def _kill(child: _Child) -> None:
    """Ends a process, which may be stopped."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)


def _ending(number: int, child: _Child) -> Ending:
    status = _status(child.pid)
    child.close()
    if child.said is None:
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        return Ending(number, death=child.fault or how)
    kind, content = child.said
    return Ending(number, error=_error_of(*content)) if kind == "failed" else Ending(number, content)


def _stop_signal(pid: int) -> str:
    """The name of the signal that has stopped a process; empty if it is not stopped, or the system cannot tell."""
    if not hasattr(os, "waitid"):
        return ""
    with contextlib.suppress(ChildProcessError):
        stopped = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT)  # leaves its end to be waited for
        if stopped is not None:
            return signal.Signals(stopped.si_status).name
    return ""


def _status(pid: int) -> int:
    """The exit code of a process that ends; below 0, the number of a signal."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:  # someone else has asked for it
        return 1


def _error_of(kind: type[GraphscopeError], message: str, hint: str | Advice | None) -> GraphscopeError:
    """An error of that kind; the details that only some kinds have are left behind."""
    error = kind.__new__(kind)
    GraphscopeError.__init__(error, message, hint=hint)
    return error


def _work_on_gpu(count: int, work: Work, number: int, launcher: Launcher) -> Any:
    """Before anything has used a GPU there."""
    os.environ.update(gpu_environment(number, count))
    return work(number, launcher)


@contextlib.contextmanager
def _interrupts_wait() -> Iterator[None]:
    """Ctrl-C waits, also in a process that starts within: it would run its launcher's handlers, or print a traceback."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _fork(network: PrivateNetwork | None, number: int, work: Work, others: Sequence[_Child]) -> _Child:
    mine, theirs, lifeline, held = *Pipe(duplex=False), *os.pipe()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    launcher = os.getpid()
    with _interrupts_wait():
        pid = os.fork()
        if pid == 0:
            for other in others:
                other.close()
            mine.close()
            os.close(held)
            _run(number, work, theirs, lifeline, launcher, network)
    theirs.close()
    os.close(lifeline)
    return _Child(pid, mine, held)


_NEW = "import sys; from graphscope.cluster.processes import run_pickled; run_pickled(*map(int, sys.argv[1:]))"


def _spawn(number: int, work: Work, others: Sequence[_Child]) -> _Child:  # noqa: ARG001 - descriptors are not inherited
    content = pickle.dumps(work)
    mine, theirs, lifeline, held = *Pipe(duplex=False), *os.pipe()
    words = [sys.executable, "-c", _NEW, str(number), str(theirs.fileno()), str(lifeline), str(os.getpid())]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
    try:
        with _interrupts_wait():
            child = subprocess.Popen(
                words, stdin=subprocess.PIPE, pass_fds=(theirs.fileno(), lifeline), env=environment, close_fds=True
            )
    finally:
        theirs.close()
        os.close(lifeline)
    assert child.stdin is not None
    with contextlib.suppress(BrokenPipeError), child.stdin as pipe:
        pipe.write(content)
    child.returncode = 0  # it is waited for here, by its number
    return _Child(child.pid, mine, held)


def run_pickled(number: int, channel: int, lifeline: int, launcher: int) -> None:
    """In a process that was started anew: does what stdin holds as a pickle."""
    work = pickle.load(sys.stdin.buffer)
    _run(number, work, Connection(channel, readable=False), lifeline, launcher)


def _run(
    number: int,
    work: Work,
    channel: Connection,
    lifeline: int,
    launcher: int,
    network: PrivateNetwork | None = None,
) -> None:
    """Does the work, says how it ended, and ends the process."""
    status = 1
    try:
        if network is not None:
            network.enter()  # before there is a second thread
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        link = Launcher(channel, Lifeline(launcher, lifeline))
        link.send(*_outcome(number, work, link))
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(status)


def _outcome(number: int, work: Work, launcher: Launcher) -> tuple[str, Any]:
    try:
        return "done", work(number, launcher)
    except GraphscopeError as error:
        return "failed", (type(error), error.message, error.hint)
    except MemoryError:
        return "failed", (GraphscopeError, "not enough memory", None)
