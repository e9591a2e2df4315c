"""Where the trained models are, and how they are described; importing this makes `trainer` (their maker) importable."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures"

if str(FIXTURES) not in sys.path:
    sys.path.append(str(FIXTURES))

from trainer import data  # noqa: E402  the line above makes it importable

needs_mnist = pytest.mark.skipif(data.find() is None, reason="MNIST is in none of its usual places")


def manifest() -> dict[str, Any]:
    """The contents of `fixtures/MANIFEST.json`: "digits" and, by name, "models" and "tutorials"."""
    contents: dict[str, Any] = json.loads((FIXTURES / "MANIFEST.json").read_text("utf-8"))
    return contents


def committed_models() -> dict[str, dict[str, Any]]:
    """The manifest's entries of the models whose files are in the repository, by name."""
    return {name: entry for name, entry in manifest()["models"].items() if entry["committed"]}
