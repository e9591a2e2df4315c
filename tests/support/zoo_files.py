"""Where the zoo of other people's files is, and the models in it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ZOO = ROOT.parent / "shared" / "zoo"
ZOO2 = ZOO.with_name("zoo2")
MNIST = ROOT.parent / "shared" / "mnist"

needs_zoo = pytest.mark.skipif(not ZOO.is_dir(), reason=f"the zoo is not beside the project ({ZOO.name}/ in shared/)")

needs_zoo2 = pytest.mark.skipif(not ZOO2.is_dir(), reason="the second zoo is not beside the project (zoo2/ in shared/)")


def zoo_files(*patterns: str, below: str = "") -> list[Path]:
    """Files of the zoo that match one of the patterns, sorted; of the second one too, where no folder of the first is named."""
    places = [ZOO / below] if below else [ZOO, ZOO2]
    return sorted(path for place in places for pattern in patterns for path in place.rglob(pattern) if path.is_file())


def second_models() -> list[Path]:
    """A path to each model of the second zoo that has all its values."""
    graphs = [
        path for name in ("model.pb", "multiplication.pb", "saved_model.pb", "*.meta") for path in ZOO2.rglob(name)
    ]
    return sorted(
        path for path in graphs if path.suffix == ".pb" or path.with_suffix(".index").exists() if _has_data(path)
    )


def _has_data(path: Path) -> bool:
    """Whether every shard of the values is there."""
    if path.suffix == ".pb" and path.name != "saved_model.pb":
        return True
    indices = [path.with_suffix(".index")] if path.suffix == ".meta" else path.parent.glob("variables/variables.index")
    shards = [shard for index in indices for shard in index.parent.glob(f"{index.stem}.data-*")]
    return bool(shards) and len(shards) == int(shards[0].name.rpartition("-")[2])


def zoo_id(path: Path) -> str:
    return str(path.relative_to(ZOO if ZOO in path.parents else ZOO.parent))
