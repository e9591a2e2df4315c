"""What all tests share: where something they need must not be missing, a skipped test is a failure."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from graphscope.errors import MissingDependencyError
from graphscope.runtime.tensorflow import tensorflow

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # so shells start what runs in the background, and children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
os.environ.setdefault(ONEDNN, "0")
"""The kernels are the same on every processor, in this process and in those that it starts: 0, or 1 where that is asked for."""
if os.environ[ONEDNN] == "0":
    # The first session decides the threads of all that follow, and with two threads convolutions round differently.
    # oneDNN keeps its own number: with one thread, it may give other bits when it runs again.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")


def pytest_configure(config: pytest.Config) -> None:
    """Files in their order: what takes long and has few tests came last, when the other worker had nothing left to do."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_sessionstart() -> None:
    """Which test starts TensorFlow first decides nothing."""
    if os.environ[ONEDNN] == "1":
        with contextlib.suppress(MissingDependencyError):
            tensorflow(native=True)


MARKS = {"tensorflow": {"tf"}, "zoo": {"needs_zoo", "needs_zoo2", "zoo_files"}, "browser": {"needs_chromium"}}
"""Marker -> names that a module has if its tests need what the marker says."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests by what their modules use: ``-m tensorflow`` runs what executes TensorFlow."""
    for item in items:
        names = vars(item.module) if isinstance(item, pytest.Function) else {}
        for mark, signs in MARKS.items():
            if not signs.isdisjoint(names):
                item.add_marker(mark)


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
