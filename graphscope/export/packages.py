"""Packages of other runtimes: each is an extra, with its own style of errors."""

from __future__ import annotations

import importlib
from typing import Any

from graphscope.errors import MissingDependencyError


def import_package(package: str, what: str, extra: str) -> Any:
    """A package of another runtime.

    Args:
        what: the feature that requires it, as the subject of the error message.
        extra: of this distribution, which brings it.

    Raises:
        MissingDependencyError: it is not installed, or cannot be imported here; the hint is the pip command.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingDependencyError(
            f"{what} requires the package {package}, which cannot be imported: {error}",
            hint=f"pip install 'tf-graphscope[{extra}]'",
        ) from error


def first_line(error: Exception) -> str:
    """The first part of a runtime's error message."""
    return str(error).strip().partition("\n")[0]
