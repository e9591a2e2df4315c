"""Two models that are run on the same inputs: their feeds and their outputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.core.changes.build import make_node
from graphscope.core.graph import Body, Node
from graphscope.core.model import Model
from graphscope.core.ops.sets import CALL_OPS
from graphscope.core.tensors import Shape, TensorName, TensorSpec, node_of, shape_text
from graphscope.core.values.payload import Payload
from graphscope.errors import GraphscopeError
from graphscope.feeding.default_feeds import fit_feeds, switches_off
from graphscope.feeding.feeds import required_inputs, tensor_spec
from graphscope.feeding.random_values import random_feeds
from graphscope.protos import AttrValue
from graphscope.runtime.config import session_config
from graphscope.runtime.session import Session, open_session, unsuitable
from graphscope.transforms.freeze import given_values

if TYPE_CHECKING:
    from numpy.typing import NDArray

Feeds = Mapping[str, "NDArray[Any]"]

Engine = Callable[[Sequence[str], Feeds], "list[NDArray[Any]]"]
"""Computes tensors of a model from feeds, in another runtime."""

_MAX_LISTED = 4


class Comparison:
    """Two models, the original and the result, and their common feeds.

    Inputs have the original's names throughout; they are translated only when the result is run.

    Attributes:
        original, result: the models.
        outputs: tensors of the result.
        names: tensor of the result -> tensor of the original, where that has another name.
        trust: also run nodes that touch files, the network or processes.
        original_engine, engine: the engines that run the original and the result instead of TensorFlow, if any.
        known: values that are fed in every batch.
        open: the other inputs that a model needs, which get random values.
    """

    def __init__(
        self,
        original: Model,
        result: Model,
        outputs: Sequence[str],
        *,
        names: Mapping[str, str] | None = None,
        feeds: Feeds | None = None,
        fixed: Feeds | None = None,
        shapes: Mapping[str, Shape] | None = None,
        trust: bool = False,
        engine: Engine | None = None,
        original_engine: Engine | None = None,
    ) -> None:
        self.original = original
        self.result = result
        self.outputs = outputs
        self.names = {str(TensorName.parse(n)): str(TensorName.parse(o)) for n, o in (names or {}).items()}
        self.trust = trust
        self.engine = engine
        self.original_engine = original_engine
        fixed = fixed or {}
        self.given = given_values(original, fixed)
        fed = {name: value for name, value in fixed.items() if node_of(name) not in self.given}
        if self.given and original_engine is not None:
            raise GraphscopeError(f"{next(iter(self.given))} is a variable: it can be set in TensorFlow only")
        known = {**self._fit(fed), **self._fit({self.renamed(n): v for n, v in (feeds or {}).items()})}
        inputs = self._inputs(known)
        self.known: Feeds = {**known, **switches_off(original, inputs)}
        given = {self.renamed(str(TensorName.parse(name))): shape for name, shape in (shapes or {}).items()}
        wanted = (spec for spec in inputs if spec.name not in self.known)
        self.open = [spec._replace(shape=given.get(spec.name, spec.shape)) for spec in wanted]

    def renamed(self, text: str) -> str:
        """The name in the original of a tensor of the result."""
        return self.names.get(str(TensorName.parse(text)), text)

    @property
    def original_outputs(self) -> list[str]:
        """The names of the outputs in the original."""
        return [self.renamed(name) for name in self.outputs]

    def batches(self, count: int, seed: int, unknown: int) -> list[Feeds]:
        """One random batch after another; a single one, if nothing is random.

        Args:
            count: how many.
            seed: of the random values.
            unknown: the size of unknown dimensions.
        """
        if not self.open:
            return [self.known]
        random = (random_feeds(self.open, seed=seed + i, unknown=unknown) for i in range(count))
        return [{**self.known, **values} for values in random]

    def of_original(
        self, batches: Sequence[Feeds], values: Mapping[str, Payload] | None = None
    ) -> list[list[NDArray[Any]]]:
        """The outputs of the original for each batch.

        Args:
            values: variable op -> content that replaces the checkpoint's.

        Raises:
            GraphscopeError: it cannot run; if random inputs may be the reason, the error lists them.
        """
        fetches = self.original_outputs
        if self.original_engine is not None:
            names = [spec.name for spec in self._specs(self.original, batches[0])]
            return [self.original_engine(fetches, {name: feeds[name] for name in names}) for feeds in batches]
        with self.blaming_inputs(batches[0]), self.open_original(batches[0], values) as session:
            return [_arrays(fetches, session.run(fetches, feeds)) for feeds in batches]

    def of_result(self, batches: Sequence[Feeds]) -> list[list[NDArray[Any]]]:
        """The outputs of the result for each batch.

        Raises:
            GraphscopeError: it cannot run.
        """
        specs = self.fed_to_result(batches[0])
        fed = [{spec.name: feeds[self.renamed(spec.name)] for spec in specs} for feeds in batches]
        if self.engine is not None:
            return [self.engine(self.outputs, feeds) for feeds in fed]
        with self.open_result(batches[0]) as session:
            return [_arrays(self.outputs, session.run(self.outputs, feeds)) for feeds in fed]

    @contextlib.contextmanager
    def blaming_inputs(self, feeds: Feeds) -> Iterator[None]:
        """Adds a hint to an error without one: random inputs may be the reason, with their list."""
        try:
            yield
        except GraphscopeError as error:
            if not self.open or error.hint is not None or type(error) is not GraphscopeError:
                raise
            fed = ", ".join(_fed_text(spec, feeds) for spec in self.open[:_MAX_LISTED])
            raise GraphscopeError(error.message, hint=unsuitable(fed)) from error

    def open_original(
        self, feeds: Feeds, values: Mapping[str, Payload] | None = None
    ) -> contextlib.AbstractContextManager[Session]:
        """A session for the original without TensorFlow's optimizations."""
        specs = self._specs(self.original, feeds)
        return _open(self.original, self.original_outputs, specs, {**(values or {}), **self.given}, self.trust)

    def open_result(self, feeds: Feeds) -> contextlib.AbstractContextManager[Session]:
        """A session for the result without TensorFlow's optimizations."""
        return _open(self.result, self.outputs, self.fed_to_result(feeds), None, self.trust)

    def fed_to_result(self, feeds: Feeds) -> list[TensorSpec]:
        """The inputs to feed to the result, with its names. Inputs that became constants there are not fed but tested."""
        specs = self._specs(self.result, [name for text in feeds for name in self._names_in_result(text)])
        return [s for s in specs if not _is_constant(self.result, s.name) or self._was_constant(s.name)]

    def _was_constant(self, name: str) -> bool:
        return _is_constant(self.original, self.renamed(name))

    def _names_in_result(self, name: str) -> list[str]:
        """The name in the result of a tensor of the original."""
        return [new for new, old in self.names.items() if old == name] or ([] if name in self.names else [name])

    def _inputs(self, known: Feeds) -> list[TensorSpec]:
        """The inputs that a model needs while ``known`` is fed; the original determines type and shape."""
        of_result = required_inputs(self.result, self.outputs, self.fed_to_result(known), with_defaults=True)
        fed = [spec._replace(name=self.renamed(spec.name)) for spec in of_result]
        given = [*self._specs(self.original, known), *fed]
        of_original = required_inputs(self.original, self.original_outputs, given)
        return list({spec.name: self._with_stated_sizes(spec) for spec in [*fed, *of_original]}.values())

    def _with_stated_sizes(self, spec: TensorSpec) -> TensorSpec:
        """``spec`` with the sizes that only the original states."""
        if node_of(spec.name) not in self.original.graph:
            return spec
        stated = tensor_spec(self.original, spec.name).shape
        if spec.shape is None:
            return spec if stated is None else spec._replace(shape=stated)
        if stated is None or len(stated) != len(spec.shape):
            return spec
        return spec._replace(shape=tuple(old if new is None else new for new, old in zip(spec.shape, stated)))

    def _fit(self, feeds: Feeds) -> Feeds:
        """The values by tensor name, each in the type that the tensor has."""
        fitted = {}
        for name, value in feeds.items():
            model = self.original if TensorName.parse(name).node in self.original.graph else self.result
            fitted.update({spec.name: array for spec, array in fit_feeds(model, {name: value}).items()})
        return fitted

    def _specs(self, model: Model, names: Sequence[str] | Feeds) -> list[TensorSpec]:
        """Those of the tensors that ``model`` has."""
        return [tensor_spec(model, name) for name in names if TensorName.parse(name).node in model.graph]


def _open(
    model: Model,
    fetches: Sequence[str],
    given: Sequence[TensorSpec],
    values: Mapping[str, Payload] | None,
    trust: bool,
) -> contextlib.AbstractContextManager[Session]:
    return open_session(_as_written(model), fetches, given=given, values=values, config=_exact, trust=trust)


def _is_constant(model: Model, name: str) -> bool:
    found = model.graph.get(node_of(name))
    return found is not None and found.op == "Const"


def _arrays(names: Sequence[str], values: Sequence[NDArray[Any] | None]) -> list[NDArray[Any]]:
    """The values; an error for a node that has none."""
    for name, value in zip(names, values):
        if value is None:
            raise GraphscopeError(f"{name} has no output that could be compared")
    return [value for value in values if value is not None]


def _fed_text(spec: TensorSpec, feeds: Feeds) -> str:
    unknown = ", of unknown rank in the file" if spec.shape is None else ""
    return f"{spec.name} {spec.dtype.label} {shape_text(feeds[spec.name].shape)}{unknown}"


def _as_written(model: Model) -> Model:
    """``model`` with :func:`_exact` in the calls of functions too: each carries a configuration of its own."""
    graph = model.graph
    if not graph.functions:
        return model
    config = AttrValue(s=_exact().SerializeToString())

    def plain(body: Body) -> list[Node]:
        return [
            make_node(n.name, n.op, n.inputs, {**n.attrs, "config_proto": config}) if n.op in CALL_OPS else n
            for n in body
        ]

    functions = [function.with_nodes(plain(function)) for function in graph.functions.values()]
    return model.with_graph(graph.with_nodes(plain(graph)).with_functions(functions))


def _exact() -> Any:
    """A configuration in which Grappler does not rewrite the graph, because that changes the last bits."""
    config = session_config()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config
