"""Freezes every checkpoint below a directory and verifies each result: ``python freeze_all.py MODELS OUT``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import graphscope


@dataclass(frozen=True)
class Row:
    """One model: how its graph shrank, and how far the results are apart."""

    name: str
    nodes_before: int
    nodes_after: int
    max_difference: float


def checkpoints(directory: Path) -> Iterator[Path]:
    """The directories that hold a TensorFlow 1 checkpoint."""
    return (path.parent for path in sorted(directory.rglob("checkpoint")))


def freeze(path: Path, out: Path) -> Row:
    """Freeze one model to ``out``; training switches are set for inference."""
    model = graphscope.load(path)
    switches = graphscope.freeze(model).open_switches
    frozen = graphscope.freeze(model, set=switches)
    saved = frozen.save(out / f"{path.name}.pb", verify=True)
    assert saved.verification is not None
    return Row(path.name, len(model.graph), len(frozen.model.graph), saved.verification.max_abs)


def main(models: str, out: str) -> int:
    """Freeze all models, print a line for each, and return how many could not be frozen."""
    failures = 0
    Path(out).mkdir(parents=True, exist_ok=True)
    for path in checkpoints(Path(models)):
        try:
            row = freeze(path, Path(out))
        except graphscope.GraphscopeError as error:
            print(f"error: {path.name}: {error.message.splitlines()[0]}", file=sys.stderr)
            failures += 1
        else:
            print(
                f"{row.name:20} {row.nodes_before:4} nodes -> {row.nodes_after:3}  max difference {row.max_difference:g}"
            )
    return failures


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
