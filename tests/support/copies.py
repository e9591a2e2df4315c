"""Copies of a checkpoint under other names, and what comes of opening them."""

from __future__ import annotations

import shutil
from pathlib import Path

import graphscope
from graphscope.core.model import ModelKind
from tests.support.fixture_files import FIXTURES

SOFTMAX = FIXTURES / "softmax"
MEMBERS = (".meta", ".index", ".data-00000-of-00001")
NAMES = ["inference/biases", "inference/weights"]


def checkpoint(prefix: Path | str, step: int = 6000, members: tuple[str, ...] = MEMBERS) -> str:
    """A copy of a checkpoint under another prefix; steps 6000, 5700 and 5400 exist."""
    for suffix in members:
        shutil.copyfile(SOFTMAX / f"model.ckpt-{step}{suffix}", f"{prefix}{suffix}")
    return str(prefix)


def opened(path: Path | str) -> tuple[str, ModelKind, str, list[str]]:
    """What there is to compare of the model at ``path``."""
    model = graphscope.load(path)
    return model.path, model.kind, model.store_version, sorted(v.name for v in model.variables if v.entry)


def state(directory: Path, *named: str) -> Path:
    """A state file that names ``named``, the latest first, spelled as TensorFlow does."""
    lines = [f'model_checkpoint_path: "{_escaped(named[0])}"'] if named else []
    lines += [f'all_model_checkpoint_paths: "{_escaped(path)}"' for path in reversed(named)]
    path = directory / "checkpoint"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
