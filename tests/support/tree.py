"""A copy of the tree in which modules may be changed and tests run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.following import START

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = (".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "dist", "build", "*.egg-info")


class Tree:
    """A temporary copy, with a process that runs tests in it."""

    def __init__(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="mutants-"))
        self.root = self.place / "tree"
        shutil.copytree(ROOT, self.root, symlinks=True, ignore=shutil.ignore_patterns(*LEFT_OUT))
        if (ROOT.parent / "shared").exists():
            (self.place / "shared").symlink_to((ROOT.parent / "shared").resolve())
        (self.root / "sitecustomize.py").write_text(START)
        self.log = self.place / "log"
        environment = os.environ | {
            "PYTHONPATH": str(self.root),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "TF_ENABLE_ONEDNN_OPTS": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "0"),
        }
        subprocess.run([sys.executable, "-m", "compileall", "-q", "graphscope", "tests"], cwd=self.root, check=True)
        self._worker = subprocess.Popen(
            [sys.executable, "-m", "tests.support.worker"],
            cwd=self.root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.run(["--collect-only", "tests"], 600, warm=True)

    def __enter__(self) -> Tree:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._worker.kill()
        self._worker.communicate()
        shutil.rmtree(self.place, ignore_errors=True)

    def write(self, module: str, text: str) -> None:
        """Put ``text`` in the place of a module; its compiled form must not hide it."""
        path = self.root / module
        path.write_text(text, encoding="utf-8", newline="")
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()

    def run(self, tests: Sequence[str], seconds: float, trace: Path | None = None, *, warm: bool = False) -> int | None:
        """The exit status of pytest, None where it was killed after ``seconds``.

        Args:
            tests: their names.
            seconds: how long they may take.
            trace: the file that gets what :class:`~tests.support.tracer.Tracer` notes.
            warm: keep compiled modules.
        """
        request = {
            "tests": list(tests),
            "seconds": seconds,
            "trace": str(trace) if trace else None,
            "warm": warm,
            "log": str(self.log),
            "scratch": str(self.place / "scratch"),
        }
        assert self._worker.stdin is not None
        assert self._worker.stdout is not None
        self._worker.stdin.write(json.dumps(request) + "\n")
        self._worker.stdin.flush()
        answer: dict[str, Any] = json.loads(self._worker.stdout.readline())
        status: int | None = answer["status"]
        return status
