"""What is known of a file without opening it."""

from __future__ import annotations

import os
from pathlib import Path

from graphscope.core.model import ModelFile


def model_file(path: Path, role: str) -> ModelFile:
    """What is known of ``path`` without opening it."""
    try:
        size = os.stat(path).st_size
    except OSError:
        return ModelFile(str(path), role, None)
    return ModelFile(str(path), role, size)
