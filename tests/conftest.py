"""What all tests share: where something they need must not be missing, a skipped test is a failure."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # so shells start what runs in the background, and children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

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
