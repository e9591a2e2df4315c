"""How many small mistakes in the code would the tests notice?

Makes seeded mutants of modules (a negated condition, an index off by one, a dropped guard, and so on: ``mutator.py``), runs
for each of them the tests that run the changed line, the quickest first, and prints the mutants that all of them let pass::

    python -m tests.support.mutants --seed 7 --count 40 graphscope/formats
    python -m tests.support.mutants --seed 7 --count 20 graphscope/core/variables/restore.py graphscope/transforms/inlining.py
    python -m tests.support.mutants --count 0 --kind "dropped guard" graphscope/transforms/subgraph.py   # all of a kind

Mutants live in temporary copies of the tree, one for each job; the working tree is never touched, and should not be edited
meanwhile. The first time, the tests are run once to find out which lines each of them runs (about ten minutes for all;
``--tests`` names those to ask instead of all). What was found is kept in ``.pytest_cache/mutants`` until a file changes.
Child processes of tests are followed too.

A mutant that makes the tests hang is killed by a time limit and counts as noticed. Mutants that change nothing anybody could
see stand in ``equivalent.txt``, each with the reason, in the form in which survivors are printed; they are not run.
Exit code: 1 if less than ``--least`` per cent of the others are noticed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from tests.support.covering import Covering, test_files
from tests.support.mutator import Mutant, mutants
from tests.support.tree import ROOT, Tree

EQUIVALENT = Path(__file__).with_name("equivalent.txt")
SEEN, UNSEEN, UNRUN, SAME = "killed", "survived", "run by no test", "equivalent"
FAILED, STOPPED, BROKEN, NO_SUCH_TEST = 1, 2, 3, 4
"""What pytest answers where a test fails, a module cannot be imported, a plugin breaks, or a test is not there."""


@dataclass(frozen=True)
class Planned:
    """A mutant of a module, and how many seconds of tests it gets."""

    module: str
    mutant: Mutant
    budget: float

    def diff(self) -> str:
        """The lines that change, in the form of ``equivalent.txt``."""
        source = (ROOT / self.module).read_text(encoding="utf-8")
        old, new = source.splitlines(), self.mutant.apply(source).splitlines()
        first = source.count("\n", 0, self.mutant.start)
        rest = source.count("\n", self.mutant.end)
        last, changed = len(old) - rest + 1, len(new) - rest + 1
        rows = [f"- {line.strip()}" for line in old[first:last]] + [f"+ {line.strip()}" for line in new[first:changed]]
        return "\n".join(rows)


def plan(paths: Sequence[str], arguments: argparse.Namespace) -> list[Planned]:
    """``count`` mutants of each path, drawn by the seed; all where it is 0."""
    result: list[Planned] = []
    for path in paths:
        place = ROOT / path
        modules = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        every = [
            Planned(str(module.relative_to(ROOT)), mutant, arguments.budget)
            for module in modules
            for mutant in mutants(module.read_text(encoding="utf-8"))
            if arguments.kind in ("", mutant.kind)
        ]
        chosen = random.Random(arguments.seed).sample(every, min(arguments.count or len(every), len(every)))
        result += sorted(chosen, key=lambda planned: (planned.module, planned.mutant))
    return result


def known(path: Path = EQUIVALENT) -> dict[tuple[str, str], str]:
    """The reasons of mutants that change nothing, by module and changed lines."""
    result: dict[tuple[str, str], str] = {}
    module, rows = "", list[str]()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("graphscope/"):
            module = line
        elif line.startswith(("- ", "+ ")):
            rows.append(line)
        elif line.startswith("= "):
            result[module, "\n".join(rows)] = line[2:]
            rows = []
    return result


def judge(tree: Tree, planned: Planned, covering: Covering) -> str:
    """Whether the tests notice a mutant."""
    tests = covering.within(covering.of(planned.module, planned.mutant), planned.budget)
    if not tests:
        return UNRUN
    source = (ROOT / planned.module).read_text(encoding="utf-8")
    tree.write(planned.module, planned.mutant.apply(source))
    try:
        status = tree.run(tests, 60 + 4 * sum(map(covering.seconds, tests)))
    finally:
        tree.write(planned.module, source)
    if status == NO_SUCH_TEST and tree.run(["--collect-only", *tests], 600) == NO_SUCH_TEST:  # without the mutant too
        raise RuntimeError(f"the tests have changed since they were followed\n{tree.log.read_text()[-2000:]}")
    return SEEN if status is None or status < 0 or status in (FAILED, STOPPED, BROKEN, NO_SUCH_TEST) else UNSEEN


def judge_all(tree: Tree, plans: Sequence[Planned], covering: Covering, jobs: int) -> Iterator[tuple[Planned, str]]:
    """Each mutant with its verdict, in order."""
    same = known()
    free: SimpleQueue[Tree] = SimpleQueue()
    trees = [tree, *(Tree() for _ in range(jobs - 1))]
    for one in trees:
        free.put(one)

    def work(planned: Planned) -> str:
        if (planned.module, planned.diff()) in same:
            return SAME
        mine = free.get()
        try:
            return judge(mine, planned, covering)
        finally:
            free.put(mine)

    try:
        with ThreadPoolExecutor(jobs) as pool:
            yield from zip(plans, pool.map(work, plans))
    finally:
        for one in trees[1:]:
            one.__exit__(None, None, None)


def table(counts: dict[str, Counter[str]]) -> str:
    """The figures of each module."""
    width = max(map(len, counts), default=0)
    heads = ("mutants", SEEN, UNSEEN, UNRUN, SAME)
    rows = [f"{'':{width}}  " + "  ".join(heads)]
    for module, count in counts.items():
        numbers = [count.total(), *(count[verdict] for verdict in heads[1:])]
        rows.append(f"{module:{width}}  " + "  ".join(f"{number:{len(head)}}" for number, head in zip(numbers, heads)))
    return "\n".join(rows)


def share(count: Counter[str]) -> float:
    """The part of the mutants that are not equivalent that was noticed, in per cent."""
    return 100 * count[SEEN] / max(1, count.total() - count[SAME])


def parsed(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.mutants", description=__doc__.split("\n")[0])
    parser.add_argument("paths", nargs="*", metavar="PATH", help="modules or packages, from the root of the repository")
    parser.add_argument("--module", action="append", default=[], help="the same as PATH")
    parser.add_argument("--seed", type=int, default=0, help="draws the mutants (default: 0)")
    parser.add_argument("--count", type=int, default=20, help="how many of each path (default: 20; 0: all)")
    parser.add_argument("--kind", default="", help="only of this kind, for example 'dropped guard'")
    parser.add_argument("--tests", nargs="*", help="files of tests to ask (default: all that could help)")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of tests for each mutant (default: 60)")
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time (default: 1)")
    parser.add_argument("--least", type=float, default=85.0, help="per cent that must be noticed (default: 85)")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Print the survivors and the figures."""
    arguments = parsed(words)
    plans = plan([*arguments.paths, *arguments.module], arguments)
    covering, counts, begun = Covering(), defaultdict[str, Counter[str]](Counter), time.monotonic()
    with Tree() as tree:
        covering.follow(tree, arguments.tests or test_files())
        for planned, verdict in judge_all(tree, plans, covering, arguments.jobs):
            counts[planned.module][verdict] += 1
            if verdict in (UNSEEN, UNRUN):
                print(
                    f"{planned.module}:{planned.mutant.line}: {planned.mutant.kind}, {verdict}\n{planned.diff()}\n",
                    flush=True,
                )
    total = sum(counts.values(), Counter[str]())
    print(table({**dict(sorted(counts.items())), "total": total}))
    print(f"{share(total):.1f} % of those that are not equivalent were killed, in {time.monotonic() - begun:.0f} s")
    return int(share(total) < arguments.least)


if __name__ == "__main__":
    sys.exit(main())
