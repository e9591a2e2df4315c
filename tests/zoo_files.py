"""Where the zoo of other people's files is, and the models in it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ZOO = ROOT.parent / "shared" / "zoo"
ZOO2 = ZOO.with_name("zoo2")
MNIST = ROOT.parent / "shared" / "mnist"

needs_zoo = pytest.mark.skipif(not ZOO.is_dir(), reason=f"the zoo is not beside the project ({ZOO.name}/ in shared/)")

needs_zoo2 = pytest.mark.skipif(not ZOO2.is_dir(), reason="the second zoo is not beside the project (zoo2/ in shared/)")


def zoo_files(*patterns: str, below: str = "") -> list[Path]:
    """Files of the zoo that match one of the patterns, sorted; none where there is no zoo."""
    return sorted(path for pattern in patterns for path in (ZOO / below).rglob(pattern) if path.is_file())


def zoo_id(path: Path) -> str:
    return str(path.relative_to(ZOO))
