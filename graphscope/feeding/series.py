"""A directory of files for an input that takes one at a time: one run for each file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.core.model import Model
from graphscope.core.tensors import TensorSpec
from graphscope.errors import GraphscopeError
from graphscope.feeding.feed_values import from_file, media_paths
from graphscope.feeding.feeds import Feed, tensor_spec
from graphscope.feeding.one_at_a_time import demanded_string, takes_one
from graphscope.formats.io.paths import is_directory

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Series:
    """The files fed to a tensor, one per run.

    Attributes:
        spec: the tensor, a scalar string.
        files: one for each run, in order.
    """

    spec: TensorSpec
    files: Sequence[Path]

    @property
    def names(self) -> list[str]:
        """The names of the examples."""
        return [path.name for path in self.files]

    def read(self, number: int) -> NDArray[Any]:
        """The content of a file, a scalar.

        Raises:
            FileError: it cannot be read.
        """
        return from_file(str(self.files[number]), self.spec)


def part_series(model: Model, feeds: Sequence[Feed]) -> tuple[Series | None, list[Feed]]:
    """The directory among ``feeds`` that goes to an input for one file, if there is one, and the other feeds.

    Raises:
        FileError, GraphscopeError: the directory cannot be read, or is empty; there are two such feeds.
        UnknownNameError: the model has no such tensor.
    """
    found = {feed.name: series for feed in feeds if (series := _series(model, feed)) is not None}
    if len(found) > 1:
        raise GraphscopeError(f"{' and '.join(found)} take one file at a time: only one of them may take a directory")
    return next(iter(found.values()), None), [feed for feed in feeds if feed.name not in found]


def _series(model: Model, feed: Feed) -> Series | None:
    if not (isinstance(feed.value, str) and feed.value.startswith("@") and is_directory(Path(feed.value[1:]))):
        return None
    spec = demanded_string(model.graph, tensor_spec(model, feed.tensor))
    return Series(spec, media_paths(feed.value[1:])) if takes_one(spec) else None
