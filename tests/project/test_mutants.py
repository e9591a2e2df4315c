"""The maker of mutants: each is valid, different, and drawn by the seed alone."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.following import PLACE, START
from tests.support.mutants import EQUIVALENT, Planned, known, parsed, plan
from tests.support.mutator import candidates, mutants
from tests.support.tree import ROOT

pytestmark = pytest.mark.slow

SOURCE = '''
"""Docstring with a 1."""
from functools import cache
LIMIT: int = 3

@cache
def find(rows: list[int], *, deep: bool = False) -> int:
    """Not 2."""
    total = "é" * 2
    for i, row in enumerate(rows):
        if row < 0 or not deep:
            raise ValueError(f"{row + 1} is negative")
        if row == LIMIT and i not in rows:
            continue
        rows.append(min(row, i - 1))
        total += 1
    return total[1:]
'''

MADE = {
    "negated condition": ["not (row < 0 or not deep)", "not (row == LIMIT and i not in rows)"],
    "swapped comparison": ["row <= 0", "row != LIMIT", "i in rows"],
    "off by one": ["LIMIT: int = 4", "row < 1", "row < (-1)", "i - 2", "i - 0", "total[2:]", '"é" * 3'],
    "changed constant": ["deep: bool = True"],
    "dropped guard": ["        pass\n        if row == LIMIT", "        pass\n        rows.append"],
    "and/or swapped": ["row < 0 and not deep", "row == LIMIT or i not in rows"],
    "removed not": ["or (deep)"],
    "swapped operator": ["i + 1"],
    "dropped statement": ["            continue\n        pass\n", "        pass\n    return"],
    "break/continue swapped": ["            break\n"],
    "opposite function": ["max(row, i - 1)"],
}


@pytest.mark.parametrize("kind", MADE)
def test_each_kind_changes_one_place(kind: str) -> None:
    changed = [m.apply(SOURCE) for m in mutants(SOURCE) if m.kind == kind]
    for text in MADE[kind]:
        assert any(text in one for one in changed), text
    for one in changed:
        assert ast.dump(ast.parse(one)) != ast.dump(ast.parse(SOURCE))
        assert '"""Docstring with a 1."""' in one
        assert "@cache" in one
        assert "{row + 1} is negative" in one or kind == "dropped guard"


CHILDREN = """
import os, sys, subprocess
from graphscope import m
from tests.support.following import Following
following = Following(sys.argv[1])
following.begin()
if os.fork() == 0:
    m.forked()
    os._exit(0)
os.wait()
subprocess.run([sys.executable, "-c", "from graphscope import m; m.started()"], check=True)
m.here()
print({name.rpartition("/")[2]: sorted(lines) for name, lines in following.end().items() if lines})
"""


def test_children_are_followed(tmp_path: Path) -> None:
    """A fork, and a new interpreter, as tests of the command line and of several workers start them."""
    (tmp_path / "graphscope").mkdir()
    (tmp_path / "graphscope" / "m.py").write_text(
        "def forked():\n    return 2\ndef started():\n    return 4\ndef here():\n    return 6\ndef never():\n    return 8\n"
    )
    (tmp_path / "graphscope" / "__init__.py").touch()
    (tmp_path / "sitecustomize.py").write_text(START)
    (tmp_path / "lines").mkdir()
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    words = [
        sys.executable,
        "-c",
        f"import os; os.environ[{PLACE!r}] = {str(tmp_path / 'lines')!r}\n{CHILDREN}",
        str(tmp_path),
    ]
    found = subprocess.run(words, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout
    assert ast.literal_eval(found) == {"m.py": [1, 2, 3, 4, 5, 6]}


def test_the_seed_draws_and_nothing_else() -> None:
    paths = ["graphscope/core/values"]
    first, again, other = (plan(paths, parsed(["--seed", seed, "--count", "25", *paths])) for seed in ("3", "3", "4"))
    assert first == again != other
    assert len(first) == len(set(first)) == 25
    assert all(planned.mutant.line <= planned.mutant.last for planned in first)


def _line(source: str, at: int) -> str:
    return source[source.rfind("\n", 0, at) + 1 :].partition("\n")[0].strip()


def test_known_mutants_are_still_made() -> None:
    """Who changes the line of a mutant that changes nothing takes it off the list, or finds it killed."""
    listed = known(EQUIVALENT)
    modules = sorted({module for module, _ in listed})
    removed = {(module, line.removeprefix("- ")) for module, lines in listed for line in lines.splitlines()}
    sources = {module: (ROOT / module).read_text(encoding="utf-8") for module in modules}
    made = {
        (module, Planned(module, mutant, 0).diff())
        for module, source in sources.items()
        for mutant in candidates(source)
        if (module, _line(source, mutant.start)) in removed
    }
    assert [f"{module}\n{lines}" for module, lines in listed if (module, lines) not in made] == []
    assert all(reason for reason in listed.values())
    assert (ROOT / "graphscope").is_dir()
