"""A pytest plugin that notes which lines of the package each test runs, and how long it takes."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.following import PLACE, Following


class Tracer:
    """Records, for each test that passes, its seconds and the lines that it ran, those of its child processes included."""

    def __init__(self, root: Path) -> None:
        self.tests: dict[str, dict[str, Any]] = {}
        self._following = Following(root)
        os.environ[PLACE] = tempfile.mkdtemp(prefix="lines-")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Follow one test, its fixtures included."""
        begun = time.perf_counter()
        self._following.begin()
        try:
            return (yield)
        finally:
            seconds, prefix = round(time.perf_counter() - begun, 3), self._following.prefix
            lines = {name.removeprefix(prefix): sorted(found) for name, found in self._following.end().items()}
            self.tests[item.nodeid] = {"seconds": seconds, "lines": lines}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Forget what does not pass here: it could not tell a mutant from the module as it is."""
        if report.outcome != "passed":
            self.tests.setdefault(report.nodeid, {})["failed"] = True

    def passed(self) -> dict[str, dict[str, Any]]:
        """What was noted of the tests that passed."""
        return {name: test for name, test in self.tests.items() if "failed" not in test}
