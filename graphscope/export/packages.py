"""Packages of other runtimes: each is an extra, and each complains in its own way."""

from __future__ import annotations

import importlib
from typing import Any

from graphscope.errors import MissingDependencyError


def import_package(package: str, what: str, extra: str) -> Any:
    """A package of another runtime.

    Args:
        what: requires it, as an error begins.
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
    """What a runtime says, without what follows."""
    return str(error).strip().partition("\n")[0]
