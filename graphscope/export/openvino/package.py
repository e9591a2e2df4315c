"""The package ``openvino``: imported with telemetry off, its errors in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from graphscope.export.packages import first_line, import_package

_TELEMETRY = "openvino_telemetry"


def openvino_package() -> Any:
    """OpenVINO. Importing it normally sends telemetry; here, nothing is sent.

    Raises:
        MissingDependencyError: it is not installed, or cannot be imported here.
    """
    with _without_telemetry():
        return import_package("openvino", "OpenVINO", "openvino")


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """OpenVINO works without the telemetry package if that cannot be imported."""
    if _TELEMETRY in sys.modules:
        yield
        return
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # importing it then raises ImportError
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]


def complaint(error: Exception) -> str:
    """The unknown ops, or otherwise the first line that is not a source location."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    unknown = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    said = [line for line in lines if not line.startswith(("Exception from", "Check '")) and ".cpp:" not in line]
    return (unknown or said or [first_line(error)])[0]
