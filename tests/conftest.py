"""What all tests share: where something they need must not be missing, a skipped test is a failure."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import pytest

from graphscope.errors import MissingDependencyError
from graphscope.runtime.tensorflow import tensorflow

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # so shells start what runs in the background, and children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
os.environ.setdefault(ONEDNN, "0")
"""The kernels are the same on every processor, in this process and in those that it starts: 0, or 1 where that is asked for."""


def pytest_sessionstart() -> None:
    """Which test starts TensorFlow first decides nothing."""
    if os.environ[ONEDNN] == "1":
        with contextlib.suppress(MissingDependencyError):
            tensorflow(native=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``-m tensorflow`` runs what executes TensorFlow."""
    for item in items:
        if hasattr(getattr(item, "module", None), "tf"):
            item.add_marker("tensorflow")


ALLOWED_REASONS = ("GPU", "root may", "optional:")


def refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """With ``GRAPHSCOPE_NOTHING_SKIPPED`` set, as in CI, a skip fails unless nothing there could mend its reason."""
    if report.skipped and os.environ.get("GRAPHSCOPE_NOTHING_SKIPPED"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(allowed in reason for allowed in ALLOWED_REASONS):
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid} was skipped where nothing may be: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    report = yield
    refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Iterator[None]:
    report = yield
    refuse_skip(report)
    return report
