"""A pytest plugin that notes which lines of the package each test runs, and how long it takes."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

OFTEN = 60
"""After how many calls of one function by one test that ran no new line it is followed no longer."""


class Tracer:
    """Records, for each test that passes, its seconds and the lines that it ran."""

    def __init__(self, root: Path) -> None:
        self.prefix = f"{root}/"
        self.tests: dict[str, dict[str, Any]] = {}
        self._calls: dict[CodeType, int] = {}
        self._lines: dict[str, set[int]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Follow one test, its fixtures included."""
        self._calls, self._lines, begun = {}, {}, time.perf_counter()
        sys.settrace(self._called)
        threading.settrace(self._called)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            lines = {name.removeprefix(self.prefix): sorted(found) for name, found in self._lines.items()}
            self.tests[item.nodeid] = {"seconds": round(time.perf_counter() - begun, 3), "lines": lines}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Forget what does not pass here: it could not tell a mutant from the module as it is."""
        if report.outcome != "passed":
            self.tests.setdefault(report.nodeid, {})["failed"] = True

    def passed(self) -> dict[str, dict[str, Any]]:
        """What was noted of the tests that passed."""
        return {name: test for name, test in self.tests.items() if "failed" not in test}

    def _called(self, frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(f"{self.prefix}graphscope/"):
            return None
        calls = self._calls[code] = self._calls.get(code, 0) + 1
        if calls > OFTEN:
            return None
        lines = self._lines.setdefault(code.co_filename, set())
        if code.co_name != "<module>":
            lines.add(frame.f_lineno)

        def follow(frame: FrameType, event: str, argument: object) -> Any:
            if event == "line" and frame.f_lineno not in lines and code.co_name != "<module>":
                lines.add(frame.f_lineno)
                self._calls[code] = 0
            return follow

        return follow
