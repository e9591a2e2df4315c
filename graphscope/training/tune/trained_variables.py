"""The variables that training changes: which they are, their values in a session, and moving averages put in their place."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Call, Option
from graphscope.core.graph import Graph
from graphscope.core.model import Model
from graphscope.core.ops.sets import HANDLE_READ_OPS, VARIABLE_OPS
from graphscope.core.ops.table import takes_reference
from graphscope.core.tensors import TensorSpec, node_of
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.core.variables.roles import MOVING_AVERAGE
from graphscope.core.variables.variables import Role, Variable
from graphscope.errors import IncompleteModelError, UnknownNameError
from graphscope.feeding.dependencies import need
from graphscope.runtime.importing import tensorflow_errors
from graphscope.runtime.session import Session
from graphscope.runtime.tensorflow import tensorflow

if TYPE_CHECKING:
    from numpy.typing import NDArray


def written_variables(model: Model, targets: Sequence[str], given: Sequence[TensorSpec] = ()) -> list[Variable]:
    """The variables that a run of ``targets`` while ``given`` are fed may write to.

    A variable counts as written unless every node that takes it only reads.

    Raises:
        UnknownNameError: a target is not in the graph.
    """
    graph = model.graph
    names = need(graph, targets, given).names
    found = {node.name for op, node in zip(graph.ops, graph.nodes) if op in VARIABLE_OPS and node.name in names}
    written = {name for name in found if _is_written(graph, name, names)}
    return [variable for variable in model.variables if variable.name in written]


def _is_written(graph: Graph, name: str, names: frozenset[str]) -> bool:
    consumers = (node for node in graph.consumers(name) if node.name in names)
    takers = (node for node in consumers if name in map(node_of, node.data_inputs()))
    return any(may_write(node.op, graph[name].op) for node in takers)


def may_write(op: str, variable: str) -> bool:
    """Whether a node of ``op`` that takes a variable, whose own op is ``variable``, may write to it."""
    return op not in HANDLE_READ_OPS if variable == "VarHandleOp" else takes_reference(op) is not False


class SessionVariables:
    """Some variables of a session."""

    def __init__(self, session: Session, variables: Sequence[Variable]) -> None:
        """Adds nodes that read resource variables to the session's graph."""
        self._session = session
        self._variables = variables
        with session.graph.as_default():
            self._reads = {variable.name: _read(session, variable.name) for variable in variables}

    def values(self) -> dict[str, NDArray[Any]]:
        """By variable, as they are now."""
        with tensorflow_errors(f"{self._session.model.path}: TensorFlow cannot read the variables"):
            found: dict[str, NDArray[Any]] = self._session.run_elements(self._reads)
        return found

    def step(self, name: str) -> int:
        """The value of the global step.

        Args:
            name: of the variable, or its tensor.

        Raises:
            UnknownNameError: it is none of these variables.
        """
        values = self.values()
        if node_of(name) not in values:
            raise UnknownNameError("variable that training changes", node_of(name), values)
        return int(values[node_of(name)])

    def tensors(self, values: Mapping[str, NDArray[Any]]) -> list[tuple[str, Payload]]:
        """``values`` by checkpoint key, as a checkpoint takes them: partitions of a variable make up a whole."""
        model = self._session.model
        whole: dict[str, NDArray[Any]] = {}
        for variable in self._variables:
            key, value = variable.key or variable.name, values[variable.name]
            if variable.slice is None or model.store is None:
                whole[key] = value
            else:
                if key not in whole:
                    whole[key] = model.store.payload(key).numpy().copy()
                whole[key][tuple(slice(at, at + length) for at, length in variable.slice)] = value
        return [(key, ArrayPayload(value)) for key, value in whole.items()]


class Averages:
    """Moving averages, which can take the place of what they are the average of."""

    def __init__(self, session: Session, variables: Sequence[Variable]) -> None:
        """Finds the moving averages among ``variables``, and adds nodes that assign to the session's graph."""
        self._session = session
        self._pairs = dict(_find_averaged(variables))
        self._state = SessionVariables(session, [v for v in variables if v.name in self._pairs])
        self._means = SessionVariables(session, [v for v in variables if v.name in self._pairs.values()])
        with session.graph.as_default():
            self._assigns = {name: _assign(session, name) for name in self._pairs}

    def __bool__(self) -> bool:
        return bool(self._pairs)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block, variables have the values of their averages; afterwards, to the bit, their own again."""
        if not self:
            yield
            return
        own = {name: value.copy() for name, value in self._state.values().items()}
        means = self._means.values()
        self._put({name: means[average] for name, average in self._pairs.items()})
        try:
            yield
        finally:
            self._put(own)

    def _put(self, values: Mapping[str, NDArray[Any]]) -> None:
        feeds = {self._assigns[name][1]: value for name, value in values.items()}
        with tensorflow_errors(f"{self._session.model.path}: TensorFlow cannot assign moving averages"):
            self._session.run_elements([self._assigns[name][0] for name in values], feeds)


def _find_averaged(variables: Iterable[Variable]) -> Iterator[tuple[str, str]]:
    """Trainable variable, its moving average."""
    averages = {v.name for v in variables if v.role is Role.MOVING_AVERAGE}
    for variable in variables:
        average = f"{variable.name}/{MOVING_AVERAGE}"
        if average in averages:
            yield variable.name, average


def _tensor(session: Session, name: str) -> Any:
    return session.graph.get_tensor_by_name(f"{name}:0")


def _read(session: Session, name: str) -> Any:
    """What to fetch for the value; made in the default graph, which must be the session's."""
    tensor = _tensor(session, name)
    tf = tensorflow()
    if tensor.dtype != tf.resource:
        return tf.raw_ops.Identity(input=tensor)
    return tf.raw_ops.ReadVariableOp(resource=tensor, dtype=_stored_type(session, name))


def _assign(session: Session, name: str) -> tuple[Any, Any]:
    """The op that assigns, and the placeholder that it takes the value from; made in the default graph."""
    tensor = _tensor(session, name)
    tf = tensorflow()
    is_resource = tensor.dtype == tf.resource
    value = tf.compat.v1.placeholder(_stored_type(session, name) if is_resource else tensor.dtype.base_dtype)
    if is_resource:
        return tf.raw_ops.AssignVariableOp(resource=tensor, value=value), value
    return tf.raw_ops.Assign(ref=tensor, value=value, validate_shape=False).op, value


def _stored_type(session: Session, name: str) -> Any:
    return session.graph.get_operation_by_name(name).get_attr("dtype")


def refuse_untrainable(model: Model, written: Iterable[Variable]) -> None:
    """Refuses to train where no step changes a variable that the collection of trainable ones lists.

    Raises:
        IncompleteModelError: so it is.
    """
    if not any(variable.trainable for variable in written):
        raise IncompleteModelError(
            f"{model.path}: no variable is left to train: the training step changes none that is trainable",
            hint=Advice(
                Call("graft", ("BASE",), (Option("classes", "10"),)),
                " or ",
                Option("unfreeze", "REGEX"),
                " gives it some",
            ),
        )
