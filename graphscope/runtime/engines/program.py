"""What every engine but TensorFlow gives: a program that is ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from graphscope.core.tensors import TensorName

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Program(Protocol):
    """A graph that an engine has loaded."""

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The values of ``outputs``. Feeds that the program does not take are left out.

        Args:
            outputs: tensors by their names in the graph.
            feeds: tensor of the graph -> value.

        Raises:
            GraphscopeError: the engine cannot compute them.
        """
        ...


class FileNames:
    """What tensors of a TensorFlow graph are called in a file.

    Args:
        names: tensor -> its name in the file; others have the same name.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def __call__(self, text: str) -> str:
        """The name of the node or tensor ``text`` in the file."""
        if text in self.names:
            return self.names[text]
        tensor = str(TensorName.parse(text))
        return self.names.get(tensor, tensor)
