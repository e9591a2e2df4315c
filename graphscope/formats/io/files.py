"""File information without opening the file."""

from __future__ import annotations

import os
from pathlib import Path

from graphscope.core.model import ModelFile


def model_file(path: Path, role: str) -> ModelFile:
    """Information about ``path`` without opening it."""
    try:
        size = os.stat(path).st_size
    except OSError:
        return ModelFile(str(path), role, None)
    return ModelFile(str(path), role, size)
