"""The interface of all engines except TensorFlow: a program that is ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from graphscope.core.tensors import TensorName, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Program(Protocol):
    """A graph that an engine has loaded."""

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """The values of ``outputs``. Feeds that the program does not take are ignored.

        Args:
            outputs: tensors by their names in the graph.
            feeds: tensor of the graph -> value.

        Raises:
            GraphscopeError: the engine cannot compute them.
        """
        ...


class FileProgram(Program, Protocol):
    """A file that an engine has loaded. Tensors have the names that they have there."""

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        """What has to be fed; ``INVALID`` is the type of what is not a tensor."""
        ...

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """What can be computed, as :attr:`inputs`."""
        ...

    @property
    def signature(self) -> str:
        """The signature that runs; empty if the file has none."""
        ...


def object_array(items: Sequence[object], shape: tuple[int, ...]) -> NDArray[Any]:
    """``items`` as an array of ``shape``, each as it is."""
    import numpy as np

    found = np.empty(len(items), object)
    found[:] = items
    return found.reshape(shape)


class NamedProgram:
    """A file's program that is run by the names that tensors have in a TensorFlow graph.

    Args:
        program: runs by the names in the file.
        names: tensor of the graph -> its name in the file; others have the same name.
    """

    def __init__(self, program: FileProgram, names: Mapping[str, str]) -> None:
        self.program = program
        self.names = names

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See :class:`Program`."""
        fed = {self._name(text): value for text, value in feeds.items()}
        return self.program.run([self._name(text) for text in outputs], fed)

    def _name(self, text: str) -> str:
        """What the node or tensor ``text`` is called in the file."""
        if text in self.names:
            return self.names[text]
        tensor = str(TensorName.parse(text))
        return self.names.get(tensor, tensor)
