"""When an output counts as the one that a page shows, and what of a page is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.documents.blocks import steps_of
from tests.support.documents.matching import difference
from tests.support.documents.reader import Reader
from tests.support.documents.renewal import renewed

SAME = [
    ("a b", "a   b"),
    ("done in 0.2 s", "done in 17.25 s"),
    ("conv  1.2 ms  1.1-1.3  5 %  3.1 G", "conv  870 us  800-910  81 %  12 M"),
    ("mean 1.02e-07", "mean 1.05e-07"),
    ("difference 1.3e-07", "difference 3.58e-07"),
    ("a\n...\nd", "a\nb\nc\nd"),
    ("a\n...\nd", "a\nd"),
    ("...\nb\n...\nb", "a\nb\nb\nb"),
    ("events.out....host", "events.out.123.host"),
    ("a\n\n", "a"),
]
OTHER = [
    ("a b", "a c"),
    ("a", "a\nb"),
    ("a\n...\nd", "a\nb"),
    ("...\nb\n...\nb", "a\nb"),
    ("41 nodes", "42 nodes"),
    ("mean 0.5", "mean 0.6"),
    ("difference 1e-07", "difference 0.1"),
    ("difference 1e-03", "difference 2e-03"),
    ("3 nodes in 0.2 s", "4 nodes in 0.2 s"),
    ("12 ops, 7.46 ms", "13 ops, 7.46 ms"),
    ("1.2 ms untraced", "1.2 ms traced"),
    ("done in 0.2 s", "done"),
    ("x... y", "z y"),
]


@pytest.mark.parametrize(("shown", "output"), SAME)
def test_outputs_that_agree(shown: str, output: str) -> None:
    assert difference(shown.splitlines(), output.splitlines()) is None


@pytest.mark.parametrize(("shown", "output"), OTHER)
def test_outputs_that_differ(shown: str, output: str) -> None:
    assert difference(shown.splitlines(), output.splitlines()) is not None


RENEWED = [
    ("a 1\nb\nc", "a 2\nb\nc", "a 2\nb\nc"),
    ("in 1 s\nb", "in 2 s\nc", "in 1 s\nc"),
    ("a\nb\n...\nz", "a\nc\nd\ne\nz", "a\nc\n...\nz"),
    ("a\n...\nnext ...\nz", "a\nb\nnext step\ny", "a\n...\nnext ...\ny"),
    ("", "a\nb", "a\nb"),
    ("...", "a", "..."),
]


@pytest.mark.parametrize(("shown", "output", "expected"), RENEWED)
def test_what_the_author_left_out_stays_out(shown: str, output: str, expected: str) -> None:
    assert renewed(shown.splitlines(), output.splitlines()) == expected.splitlines()


PAGE = """\
```console
$ graphscope --version
graphscope ...
$ echo one \\
    two > file && cat file
one two
$ graphscope info missing.pb
error: missing.pb: ...
...
```

- In a list:

  ```python
  from pathlib import Path
  word = "three"
  print(Path("file").read_text().strip(), word)
  ```

  ```text
  one two three
  ```

```text
not compared
```

```python
assert word == "three"
```
"""


def complaints(text: str, directory: Path) -> list[int]:
    """The lines of the steps that a reader complains about."""
    page = directory / "page.md"
    page.write_text(text)
    reader = Reader(directory)
    return [step.line + 1 for step in steps_of(page) if reader.complaint(step)]


def test_a_page_is_followed_in_one_directory(tmp_path: Path) -> None:
    assert complaints(PAGE, tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("graphscope ...\n", "another ...\n", 2),
        ("cat file\none two", "cat file\none", 4),
        ("error: missing.pb: ...\n", "", 7),
        ("--version\ngraphscope ...", "--version\nerror: failed", 2),
        ("  one two three", "  one two four", 15),
    ],
)
def test_what_a_page_says_wrong_is_found(old: str, new: str, line: int, tmp_path: Path) -> None:
    assert PAGE.count(old) == 1
    assert complaints(PAGE.replace(old, new), tmp_path) == [line]
