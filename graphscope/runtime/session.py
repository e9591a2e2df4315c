"""Runs tensors of any model in a TensorFlow session.

Only the nodes that the tensors need are imported, so that unknown ops elsewhere in the graph do no harm.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option, Options
from graphscope.core.changes.build import constant
from graphscope.core.graph import Graph
from graphscope.core.model import Model
from graphscope.core.tensors import TensorName, TensorSpec, node_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import Payload
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.feeding.dependencies import need
from graphscope.formats.io.paths import is_directory, real_path
from graphscope.runtime.config import UNPLACED, Placing, session_config
from graphscope.runtime.devices import absent_devices, present_devices, refuse_absent
from graphscope.runtime.importing import import_graph, tensorflow_errors
from graphscope.runtime.initialization import Start, start_of
from graphscope.runtime.placer import placement
from graphscope.runtime.tasks.placer import cluster_placement
from graphscope.runtime.tensorflow import tensorflow
from graphscope.runtime.trust import refuse_effects
from graphscope.tracing.report import Placement
from graphscope.transforms.findings.sources import DataSource, data_sources, fed_places
from graphscope.transforms.one_turn import one_turn
from graphscope.transforms.replicas import first_replica

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BATCH_BYTES = 64 << 20
"""The amount of data assigned to variables in one run."""

_CLOSE_S = 1.0
"""How long a session on a master may take to close, in seconds."""


class Session:
    """An open session with a part of a model.

    Attributes:
        model: whose tensors these are.
        graph: the ``tf.Graph``.
        session: the ``tf.compat.v1.Session``.
        part: the part of the model that was imported.
        config: the session's ``tf.compat.v1.ConfigProto``.
    """

    def __init__(
        self, model: Model, graph: Any, session: Any, part: Graph, config: Any, limit_s: float | None = None
    ) -> None:
        """``limit_s`` is how long a run may take; ``None``: as long as it takes."""
        self.model = model
        self.graph = graph
        self.session = session
        self.part = part
        self.config = config
        self._nodes = {operation.name: operation for operation in graph.get_operations()}
        self._limit_ms = int(1000 * limit_s) if limit_s is not None else 0

    def run(
        self, fetches: Sequence[str], feeds: Mapping[str, NDArray[Any]] | None = None, **options: Any
    ) -> list[NDArray[Any] | None]:
        """The values of ``fetches`` in order; strings as object arrays of ``bytes``; ``None`` for a node without outputs.

        Args:
            fetches: node or tensor names, among those that the session was opened for or what they need.
            feeds: node or tensor name -> value; feeds that the fetches do not need are ignored.
            options: passed on to ``tf.compat.v1.Session.run``: ``options``, ``run_metadata``.

        Raises:
            UnknownNameError: the model has no such tensor.
            GraphscopeError: TensorFlow cannot compute it; the error names the node.
        """
        wanted = [self._element(name) for name in fetches]
        given = {str(TensorName.parse(k)): v for k, v in (feeds or {}).items() if self._is_imported(k)}
        if not wanted:
            return []
        with tensorflow_errors(f"{self.model.path}: TensorFlow cannot run the graph"):
            found = self.run_elements(wanted, given, **options)
        return [_array(value) for value in found]

    def run_elements(self, wanted: Any, feeds: Mapping[Any, Any] | None = None, **options: Any) -> Any:
        """As ``tf.compat.v1.Session.run``, errors included, within the time limit."""
        if self._limit_ms:
            asked = options.setdefault("options", tensorflow().compat.v1.RunOptions())
            asked.timeout_in_ms = self._limit_ms
        return self.session.run(wanted, feeds, **options)

    @cached_property
    def devices(self) -> list[str]:
        """Full names of the devices that are there: ``/job:localhost/replica:0/task:0/device:CPU:0``."""
        return present_devices(self.session)

    @cached_property
    def absent(self) -> Mapping[str, Sequence[str]]:
        """Device that the graph names and that is not there -> the nodes that name it; they run elsewhere."""
        return absent_devices(self.part, self.devices)

    @property
    def placement(self) -> Sequence[Placement]:
        """Where TensorFlow puts the nodes of :attr:`part`, before it rewrites anything.

        See :func:`placer.placement` and, for a session on a master, :func:`cluster_placer.cluster_placement`.
        """
        master = self.session.sess_str.decode() if self.session.sess_str else ""
        if master:
            return cluster_placement(self.part, self.config, self.model.path, master)
        return placement(self.part, self.config, self.model.path)

    def _is_imported(self, name: str) -> bool:
        node = node_of(name)
        return node in self._nodes or self.model.graph[node].name in self._nodes

    def _element(self, name: str) -> Any:
        tensor = TensorName.parse(name)
        operation = self._nodes.get(tensor.node)
        if operation is None:
            raise UnknownNameError("node", tensor.node, self._nodes)
        if not operation.outputs and ":" not in name:
            return operation
        if tensor.index >= len(operation.outputs):
            raise UnknownNameError("tensor", str(tensor), (output.name for output in operation.outputs))
        found = operation.outputs[tensor.index]
        if DataType.of(found.dtype.as_datatype_enum) in (DataType.RESOURCE, DataType.VARIANT):
            raise GraphscopeError(f"{self.model.path}: {tensor} is a {found.dtype.name}, which has no NumPy equivalent")
        return found


def _array(value: Any) -> NDArray[Any] | None:
    """What a session gave, as an array: scalars come as NumPy scalars or ``bytes``."""
    import numpy as np

    if value is None:
        return None
    return np.array(value, object) if isinstance(value, bytes) else np.asarray(value)


@contextlib.contextmanager
def open_session(
    model: Model,
    fetches: Sequence[str],
    *,
    given: Sequence[TensorSpec] = (),
    values: Mapping[str, Payload] | None = None,
    initialize: bool = False,
    placing: Placing = UNPLACED,
    config: Callable[[], Any] = session_config,
    keep: Callable[[Session], Collection[str]] = lambda _: (),
    trust: bool = False,
) -> Iterator[Session]:
    """Opens a session for ``fetches``, with variables and tables initialized. Starts TensorFlow, reads the needed weights.

    Args:
        fetches: node or tensor names.
        given: tensors that every run will feed; nodes that only they need are omitted.
        values: variable op -> content that replaces the checkpoint's.
        initialize: variables without a stored value start from their initializers, the model's own too; without it, only
            local variables, steps and optimizer slots do.
        placing: the placement of nodes; by default TensorFlow's.
        config: creates the ``tf.compat.v1.ConfigProto`` after all checks; TensorFlow starts there.
        keep: selects variables to leave unchanged, because another session has initialized them.
        trust: runs nodes that touch files, the network or processes too; without it, only those of the model's own saver and
            assets, and those whose file names are ``given``.

    Raises:
        UnknownNameError: a fetch is not in the graph.
        IncompleteModelError: the model has no graph, or a variable has no value.
        CorruptFileError: a weight cannot be read.
        UnsupportedError: an op is needed that TensorFlow does not have, or the part is 2 GiB large or more.
        UntrustedError: the part does more than compute, and ``trust`` is not set.
        MissingDependencyError: TensorFlow is not installed.
        GraphscopeError: TensorFlow refuses the graph; the error names the node. Or the graph requests an unavailable device,
            without soft placement.
    """
    start = start_of(model, fetches, given, values, initialize=initialize)
    graph = placing.part(model.graph, start.needed)
    if _unwrapped(graph, fetches) is not graph:
        model = model.with_graph(_unwrapped(model.graph, fetches))
        start = start_of(model, fetches, given, values, initialize=initialize)
        graph = placing.part(model.graph, start.needed)
    graph = _with_assets(graph, start)
    _refuse_waiting(model, graph)
    if not trust:
        fed = _named_by_person(model, start, fetches, given)
        refuse_effects(model.path, graph, fed=fed, own=_own_files(model, start), stored=start.values)
    settings = config()
    tf = tensorflow()
    imported = import_graph(graph, model.path)
    with _close_in_time(tf.compat.v1.Session(placing.master, graph=imported, config=settings)) as session:
        limit_s = placing.timeout_s if placing.master else None
        opened = Session(model, imported, session, graph, settings, limit_s)
        if not settings.allow_soft_placement:
            refuse_absent(model.path, opened.absent, opened.devices)
        _Starting(tf, session, start, model, keep(opened)).run()
        yield opened


def _unwrapped(graph: Graph, fetches: Sequence[str]) -> Graph:
    """``graph`` without what programs for TPUs are wrapped in, for which no other processor has kernels."""
    plain = first_replica(graph, fetches)
    return one_turn(plain, plain, fetches)


@contextlib.contextmanager
def _close_in_time(session: Any) -> Iterator[Any]:
    """``session`` as the default one, closed at the end. A master that does not answer is not waited for long.

    TensorFlow's own context manager waits for 30 seconds, then prints a traceback.
    """

    def close() -> None:
        with contextlib.suppress(tensorflow().errors.OpError):
            session.close()

    try:
        with session.graph.as_default(), session.as_default():
            yield session
    finally:
        closing = threading.Thread(target=close, daemon=True)
        closing.start()
        closing.join(_CLOSE_S if session.sess_str else None)


def _named_by_person(model: Model, start: Start, fetches: Sequence[str], given: Sequence[TensorSpec]) -> set[str]:
    """Nodes that are fed whenever they are used: by every run, or by what restores, which is fed the checkpoint's prefix."""
    filename = node_of(model.meta.saver_def.filename_tensor_name)
    is_restoring = bool(start.prefix) and filename in start.needed.names
    if is_restoring and filename not in need(model.graph, fetches, given).names:
        return {*start.needed.opened, filename}
    return set(start.needed.opened)


def _own_files(model: Model, start: Start) -> set[str]:
    """Constants that name files which are beside the model."""
    place = real_path(model.path)
    directory = place if is_directory(place) else place.parent
    return {name for name, path in start.assets.items() if real_path(path).is_relative_to(directory)}


_WAITING = re.compile(r"(QueueDequeue(Many|UpTo)?|ReaderRead(UpTo)?)(V2)?")
_FILLING = re.compile(r"QueueEnqueue(Many)?(V2)?")
_TAKING = frozenset({"IteratorGetNext", "IteratorGetNextSync"})
_STARTING = frozenset({"MakeIterator"})


def _refuse_waiting(model: Model, graph: Graph) -> None:
    """A queue that nothing fills would let the run wait for ever; an iterator that nothing starts gives nothing."""
    ops = set(graph.ops)
    if any(map(_WAITING.fullmatch, ops)) and not any(map(_FILLING.fullmatch, ops)):
        waiting = [source for source in data_sources(graph) if _WAITING.fullmatch(source.op)]
        _refuse_sources(model, graph, waiting, "waits for a queue, which nothing fills in this process")
    if not _TAKING.isdisjoint(ops) and _STARTING.isdisjoint(ops):
        asking = [source for source in data_sources(graph) if source.op in _TAKING and not source.runs_alone]
        _refuse_sources(model, graph, asking, "asks an iterator, which only the program that built the graph starts")


def _refuse_sources(model: Model, graph: Graph, sources: Sequence[DataSource], why: str) -> None:
    sources = [source for source in sources if not source.function]
    if sources:
        places = dict.fromkeys(place for source in sources for place in fed_places(graph, source))
        raise GraphscopeError(
            f"{model.path}: node {sources[0].node} ({sources[0].op}) {why}",
            hint=Advice(Options(tuple(Option("feeds", f"{place}=random") for place in places))),
        )


def _with_assets(graph: Graph, start: Start) -> Graph:
    """Nodes that name asset files name them where they are now."""
    import numpy as np

    if not start.assets:
        return graph
    paths = {name: np.array(str(path).encode(), object) for name, path in start.assets.items()}
    return graph.with_nodes(constant(n.name, paths[n.name]) if n.name in paths else n for n in graph.nodes)


class _Starting:
    """Gives variables and tables their first content."""

    def __init__(self, tf: Any, session: Any, start: Start, model: Model, kept: Collection[str]) -> None:
        self.tf = tf
        self.session = session
        self.start = start
        self.values = {name: payload for name, payload in start.values.items() if name not in kept}
        targets = {name: node_of([*model.graph[name].inputs, ""][0]) for name in start.initializers}
        self.initializers = [name for name, target in targets.items() if target not in kept]
        self.path = model.path
        self.names = {operation.name for operation in session.graph.get_operations()}
        filename = model.meta.saver_def.filename_tensor_name
        self.feeds = {filename: start.prefix} if start.prefix and node_of(filename) in self.names else {}

    def run(self) -> None:
        self.operations(self.start.restore)
        self.assign()
        for name in self.initializers:
            self.operations([name])
        self.operations(self.start.setup)

    def operations(self, names: Sequence[str]) -> None:
        if names:
            self.run_checked([self.session.graph.get_operation_by_name(name) for name in names], self.feeds)

    def run_checked(self, wanted: Sequence[Any], feeds: Mapping[Any, Any]) -> None:
        with tensorflow_errors(f"{self.path}: TensorFlow cannot start the graph"):
            self.session.run(wanted, feeds)

    def assign(self) -> None:
        """All assign ops are made before the first of them runs: a session takes over a graph that has grown at a cost."""
        with self.session.graph.as_default():
            assigns = {name: self.assign_op(name, payload) for name, payload in self.values.items()}
        for batch in _batches(self.values):
            feeds = {assigns[name][1]: payload.numpy() for name, payload in batch.items()}
            self.run_checked([assigns[name][0] for name in batch], feeds)

    def assign_op(self, name: str, payload: Payload) -> tuple[Any, Any]:
        """The op, and the placeholder that it takes the value from."""
        value = self.tf.compat.v1.placeholder(int(payload.dtype))
        variable = self.session.graph.get_operation_by_name(name).outputs[0]
        if variable.dtype == self.tf.resource:
            return self.tf.raw_ops.AssignVariableOp(resource=variable, value=value), value
        return self.tf.raw_ops.Assign(ref=variable, value=value, validate_shape=False).op, value


def _batches(values: Mapping[str, Payload]) -> Iterator[dict[str, Payload]]:
    """The values in groups that fit into memory together."""
    batch: dict[str, Payload] = {}
    size = 0
    for name, payload in values.items():
        nbytes = payload.nbytes or 0
        if batch and size + nbytes > _BATCH_BYTES:
            yield batch
            batch, size = {}, 0
        batch[name] = payload
        size += nbytes
    if batch:
        yield batch


def unsuitable(fed: str) -> Advice:
    """The hint where random inputs may be why a model cannot run; ``fed`` says what they were."""
    feed = Option("feeds", "NAME=VALUE")
    return Advice("random inputs may not suit the model; ", feed, f" provides real ones. Fed: {fed}")
