"""Runs commands as whole processes and reads the operating system's account of each: wall time, peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
"""Python may keep its compiled modules, as in any installation."""


@dataclass(frozen=True)
class Measured:
    """Median wall time and time of all processors, in seconds, and the largest peak of resident memory in megabytes."""

    seconds: float
    peak_mb: float
    cpu_seconds: float

    def against(self, other: Measured) -> str:
        """How many times ``other`` takes of the time and of the memory."""
        return f"{other.seconds / self.seconds:.1f} x time, {other.peak_mb / self.peak_mb:.1f} x memory"


def measure(command: Sequence[str], runs: int = 5, stdout: int = subprocess.DEVNULL) -> Measured:
    """Runs ``command`` once to warm the page cache, then ``runs`` times.

    Raises:
        SystemExit: a run fails.
    """
    results = [_run(command, stdout) for _ in range(runs + 1)][1:]
    return Measured(
        statistics.median(r.seconds for r in results),
        max(r.peak_mb for r in results),
        statistics.median(r.cpu_seconds for r in results),
    )


def once(command: Sequence[str], stdout: int = subprocess.DEVNULL) -> Measured:
    """A single run, for what takes minutes. Raises as :func:`measure`."""
    return _run(command, stdout)


def _run(command: Sequence[str], stdout: int) -> Measured:
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, env=ENVIRONMENT)
    error = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{error.decode()}")
    peak = usage.ru_maxrss / (1000 if sys.platform == "linux" else 1_000_000)
    return Measured(seconds, peak, usage.ru_utime + usage.ru_stime)


def graphscope(*arguments: str) -> list[str]:
    """The command line of this interpreter's graphscope."""
    return [sys.executable, "-m", "graphscope", *arguments]


def python(code: str, *arguments: str) -> list[str]:
    """A command that runs ``code``."""
    return [sys.executable, "-c", code, *arguments]
