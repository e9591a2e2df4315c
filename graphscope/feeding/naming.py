"""Names of the tensors to feed and to compute: those of the graph, or of a signature."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from graphscope.analysis.ends.choose_outputs import checked_output
from graphscope.core.model import Model
from graphscope.core.signatures import BOOKKEEPING, Signature
from graphscope.core.tensors import TensorName, TensorSpec
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.feeding.feeds import Feed, Given, feeds_of


@dataclass(frozen=True, slots=True)
class Fetch:
    """Something to compute.

    Attributes:
        name: the requested name, or that in the signature.
        target: a tensor, or a node without outputs (a train op).
    """

    name: str
    target: str


class Names:
    """The names of one model.

    Attributes:
        model: whose tensors these are.
        signature: whose arguments and outputs may be named; ``None`` for none.
        is_chosen: whether the signature was named by the caller: then its names take precedence over the graph's.
    """

    def __init__(self, model: Model, signature: Signature | None = None, *, is_chosen: bool = False) -> None:
        self.model = model
        self.signature = signature
        self.is_chosen = is_chosen

    def feeds(self, given: Given) -> list[Feed]:
        """Each feed with the graph's name in place of the signature's.

        Raises:
            UnknownNameError: neither has such a name.
            GraphscopeError: as :func:`graphscope.feeding.feeds.feeds_of`; an argument of the signature stands for several
                tensors.
        """
        return [Feed(self._tensor(feed.name, self._inputs), feed.value) for feed in feeds_of(given)]

    def fetches(self, wanted: Iterable[str]) -> list[Fetch]:
        """Resolves ``wanted``: tensors, nodes, outputs of the signature.

        Raises:
            UnknownNameError: neither has such a name.
            GraphscopeError: as :meth:`feeds`, or the node has fewer outputs.
        """
        return [Fetch(name, checked_output(self.model, self._tensor(name, self._outputs))) for name in wanted]

    def signature_fetches(self) -> list[Fetch]:
        """All outputs of the signature; those of several tensors as ``name/0``, ``name/1``."""
        return [
            Fetch(name if len(specs) == 1 else f"{name}/{i}", spec.name)
            for name, specs in self._outputs.items()
            for i, spec in enumerate(specs)
        ]

    @property
    def _inputs(self) -> Mapping[str, Sequence[TensorSpec]]:
        return self.signature.inputs if self.signature is not None else {}

    @property
    def _outputs(self) -> Mapping[str, Sequence[TensorSpec]]:
        return self.signature.outputs if self.signature is not None else {}

    def _tensor(self, name: str, arguments: Mapping[str, Sequence[TensorSpec]]) -> str:
        graph = self.model.graph
        is_node = name in graph or TensorName.parse(name).node in graph
        if name in arguments and (self.is_chosen or not is_node):
            return _only(name, arguments[name])
        if not is_node:
            raise UnknownNameError("node or argument" if arguments else "node", name, [*arguments, *graph.by_name])
        return name


def _only(argument: str, specs: Sequence[TensorSpec]) -> str:
    if len(specs) != 1:
        listed = ", ".join(spec.name for spec in specs)
        raise GraphscopeError(f"argument {argument} means {len(specs)} tensors; name each of them: {listed}")
    return specs[0].name


def find_signature(model: Model, name: str) -> Signature:
    """The signature called ``name``.

    Raises:
        UnknownNameError: the model has none of that name; the error lists all.
    """
    found = model.signatures.get(name)
    if found is None:
        usable = [other for other in model.signatures if other not in BOOKKEEPING]
        listed = f"{model.path} has {', '.join(usable)}" if usable else f"{model.path} has no signatures"
        raise UnknownNameError("signature", name, usable, hint=listed)
    return found
