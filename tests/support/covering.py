"""Which tests run which lines, found by running them once and kept in ``.pytest_cache``."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.support.mutator import Mutant
from tests.support.tree import ROOT, Tree

CACHE = ROOT / ".pytest_cache" / "mutants"
LONGEST = 1800.0
"""Seconds that one file of tests may take while it is followed."""

LEFT_OUT = ("test_browser", "test_fuzz", "test_mutants", "test_launcher")
"""Files of tests that take too long, or say nothing of single modules."""


def test_files() -> list[str]:
    """All files of tests that may be asked."""
    return sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests").rglob("test_*.py") if p.stem not in LEFT_OUT)


class Covering:
    """Tests by the lines that they run."""

    def __init__(self) -> None:
        self.tests: dict[str, dict[str, Any]] = {}
        self._digests: dict[str, dict[str, str]] = {}

    def follow(self, tree: Tree, files: Sequence[str]) -> None:
        """Note what the tests of some files run; files that have not changed since are read from the cache."""
        CACHE.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(files, 1):
            kept = CACHE / f"{name.removesuffix('.py').replace('/', '.')}.json"
            digest = _digest(tree.root / name)
            if not kept.exists() or json.loads(kept.read_text())["digest"] != digest:
                print(f"following {name} ({number} of {len(files)})", file=sys.stderr, flush=True)
                trace = tree.place / "trace.json"
                trace.unlink(missing_ok=True)
                tree.run([name], LONGEST, trace)
                tests = json.loads(trace.read_text()) if trace.exists() else {}
                modules = {module for test in tests.values() for module in test["lines"]}
                digests = {
                    module: _digest(tree.root / module) for module in sorted(modules) if (tree.root / module).exists()
                }
                kept.write_text(json.dumps({"digest": digest, "modules": digests, "tests": tests}))
            content = json.loads(kept.read_text())
            for test, noted in content["tests"].items():
                self.tests[test] = noted
                self._digests[test] = content["modules"]

    def of(self, module: str, mutant: Mutant) -> list[str]:
        """The tests that run a changed line, the quickest first.

        For a line that runs when the module is imported: all tests that run something of the module.
        """
        digest = _digest(ROOT / module)
        changed = set(range(mutant.line, mutant.last + 1))
        touching = {test for test, noted in self.tests.items() if noted["lines"].get(module)}
        known = {test for test in touching if self._digests[test].get(module) == digest}
        if any(changed.intersection(self.tests[test]["lines"][module]) for test in known):
            touching -= {test for test in known if not changed.intersection(self.tests[test]["lines"][module])}
        elif known and mutant.inside:
            touching -= known
        return sorted(touching, key=self.seconds)

    def seconds(self, test: str) -> float:
        """How long a test took."""
        return float(self.tests[test]["seconds"])

    def within(self, tests: Iterable[str], budget: float) -> list[str]:
        """As many tests as take no longer than ``budget`` seconds together."""
        result, total = [], 0.0
        for test in tests:
            total += self.seconds(test)
            if total > budget and result:
                break
            result.append(test)
        return result


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
