"""A file of another runtime as a model: placeholders, ops that stand for the file, and a signature with the file's names.

Whatever feeds, pairs or fetches tensors of models so does it with those of a file. TensorFlow has no such op: only the file's
engine runs the model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.analysis.ends.choose_outputs import SERVING_DEFAULT
from graphscope.core.changes.build import make_node
from graphscope.core.graph import Graph, Node
from graphscope.core.model import Model, ModelKind
from graphscope.core.names import free_name
from graphscope.core.ops.table import MAX_OUTPUTS
from graphscope.core.tensors import TensorName, TensorSpec, node_of, shape_proto
from graphscope.core.values.dtypes import DataType
from graphscope.errors import ArgumentError, GraphscopeError, UnsupportedError, some
from graphscope.feeding.default_feeds import fit_feeds
from graphscope.feeding.missing_feeds import refuse_unfed
from graphscope.protos import AttrValue, GraphDef, MetaGraphDef, OpDef, TensorInfo
from graphscope.runtime.engines.table import ENGINES, Engine
from graphscope.transforms.opening import placeholder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from graphscope.formats.registry import ForeignFile
    from graphscope.runtime.engines.program import FileProgram, Program

_OP = OpDef(
    name="ForeignFile",
    input_arg=[{"name": "inputs", "type_list_attr": "Tin"}],
    output_arg=[{"name": "outputs", "type_list_attr": "Tout"}],
    attr=[{"name": "Tin", "type": "list(type)"}, {"name": "Tout", "type": "list(type)"}],
)
_MOST_NAMES = 6
_PRODUCER = 24
"""The first release in which an empty shape is a scalar's."""


class FileModel:
    """A file of another runtime, loaded by an engine.

    Args:
        file: what to load.
        engine: the row of :data:`graphscope.runtime.engines.table.ENGINES`; empty for the file's own.
        signature: which one runs, where the file has several; empty for the usual one.

    Attributes:
        model: represents the file.
        program: computes it.
        left_out: outputs that are not tensors (sequences, maps), which are not in the model.

    Raises:
        ArgumentError: the engine does not run such files; the file has no signatures.
        UnknownNameError: the file has no such signature.
        UnsupportedError: it takes what is not a tensor, or gives nothing else.
        MissingDependencyError: the engine is not installed.
        GraphscopeError: the engine cannot load the file.
    """

    def __init__(self, file: ForeignFile, engine: str = "", signature: str = "") -> None:
        self.program = _load(file, engine, signature)
        if signature and not self.program.signature:
            raise ArgumentError(f"{file.path}: {file.what} has no signatures to choose from")
        self.left_out = _names_of_others(self.program.outputs)
        self._refuse_others(file.path)
        self._inputs = _inputs(self.program.inputs)
        self._outputs = _outputs(self.program.outputs, self._inputs)
        self.model = _model(file.path, self.program.signature or SERVING_DEFAULT, self._inputs, self._outputs)

    def _refuse_others(self, path: str) -> None:
        odd = _names_of_others(self.program.inputs)
        if odd:
            raise UnsupportedError(f"it takes what is not a tensor: {some(odd, _MOST_NAMES)}", path=path)
        if len(self.left_out) == len(self.program.outputs):
            raise UnsupportedError("it gives no tensor", path=path)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Tensors of :attr:`model` that the file gives."""
        return tuple(self._outputs)

    def __call__(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """As :meth:`run`, once the values fit.

        Raises:
            UnknownNameError: the file has no such tensor.
            GraphscopeError: an input is not fed, a value does not fit, or the engine cannot compute this.
        """
        fed = fit_feeds(self.model, feeds)
        refuse_unfed(self.model, outputs, list(fed))
        return self.run(outputs, {spec.name: value for spec, value in fed.items()})

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See :class:`graphscope.runtime.engines.program.Program`; tensors have the names of :attr:`model`."""
        fed = {self._inputs[str(TensorName.parse(name))].name: value for name, value in feeds.items()}
        return self.program.run([self._outputs[str(TensorName.parse(name))].name for name in outputs], fed)

    def with_values(self, values: Mapping[str, NDArray[Any]]) -> Program:
        """The same, fed ``values`` in every run."""
        return _Fixed(self, values)


@dataclass(frozen=True, slots=True)
class _Fixed:
    """A file some of whose inputs always have the same values."""

    file: FileModel
    values: Mapping[str, NDArray[Any]]

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """See :class:`graphscope.runtime.engines.program.Program`."""
        return self.file.run(outputs, {**self.values, **feeds})


def _load(file: ForeignFile, engine: str, signature: str) -> FileProgram:
    """The file's program; an error names the file."""
    try:
        return _engine_of(file, engine).of_file(file.path, signature)
    except GraphscopeError as error:
        if type(error) is not GraphscopeError:
            raise
        raise GraphscopeError(f"{file.path}: {error.message}", hint=error.hint) from error


def _engine_of(file: ForeignFile, name: str) -> Engine:
    chosen = ENGINES[name or file.engine]
    if file.format.name not in chosen.formats:
        hint = Advice("without ", Option("engine"), f", {ENGINES[file.engine].title} runs it")
        raise ArgumentError(f"{file.path}: {chosen.title} does not run {file.what}", hint=hint)
    return chosen


_Tensors = dict[str, TensorSpec]
"""Tensor of the model -> what the file says of it, with the file's name for it."""


def _inputs(specs: Sequence[TensorSpec]) -> _Tensors:
    """Each is output 0 of a placeholder, which is called like the file's tensor as far as a node may be."""
    found: _Tensors = {}
    for spec in _tensors_among(specs):
        found[f"{free_name(_node_name(spec.name), set(map(node_of, found)))}:0"] = spec
    return found


def _outputs(specs: Sequence[TensorSpec], inputs: _Tensors) -> _Tensors:
    """Each is the tensor that its name spells, if it spells one. What the file gives back as it was fed is the input."""
    passed = {spec.name: tensor for tensor, spec in inputs.items()}
    found: _Tensors = {}
    for spec in _tensors_among(specs):
        tensor = passed.get(spec.name) or _spelled(spec.name)
        if spec.name not in passed and (not tensor or tensor in found or f"{node_of(tensor)}:0" in inputs):
            tensor = f"{free_name(_node_name(spec.name), set(map(node_of, (*inputs, *found))))}:0"
        found[tensor] = spec
    return found


def _spelled(text: str) -> str:
    """The tensor that ``text`` spells; empty for what cannot be one."""
    name = TensorName.parse(text)
    is_tensor = not name.is_control and name.argument is None and name.index < MAX_OUTPUTS and ":" not in name.node
    return str(name) if is_tensor else ""


def _names_of_others(specs: Sequence[TensorSpec]) -> list[str]:
    return [spec.name for spec in specs if spec.dtype is DataType.INVALID]


def _tensors_among(specs: Sequence[TensorSpec]) -> list[TensorSpec]:
    return [spec for spec in specs if spec.dtype is not DataType.INVALID]


def _node_name(text: str) -> str:
    """``input:0`` -> ``input``; other colons cannot be in the name of a node."""
    return text.removesuffix(":0").lstrip("^").replace(":", "_")


def _model(path: str, signature: str, inputs: _Tensors, outputs: _Tensors) -> Model:
    nodes = [placeholder(TensorName.parse(tensor).node, spec) for tensor, spec in inputs.items()]
    nodes += _file_nodes(inputs, outputs)
    graph = Graph(GraphDef(versions={"producer": _PRODUCER}), nodes)
    meta = MetaGraphDef()
    meta.meta_info_def.stripped_op_list.op.append(_OP)
    for side, arguments in (
        (inputs, meta.signature_def[signature].inputs),
        (outputs, meta.signature_def[signature].outputs),
    ):
        for tensor, spec in side.items():
            info = TensorInfo(name=tensor, dtype=int(spec.dtype), tensor_shape=shape_proto(spec.shape))
            arguments[spec.name].CopyFrom(info)
    return Model(path, ModelKind.GRAPH, "binary", (), graph, meta)


def _file_nodes(inputs: _Tensors, outputs: _Tensors) -> list[Node]:
    """A node for each that an output names; they have as many outputs as the highest number says."""
    named: defaultdict[str, dict[int, TensorSpec]] = defaultdict(dict)
    for tensor, spec in outputs.items():
        if tensor not in inputs:
            name = TensorName.parse(tensor)
            named[name.node][name.index] = spec
    return [_file_node(name, inputs, specs) for name, specs in named.items()]


def _file_node(name: str, inputs: _Tensors, specs: Mapping[int, TensorSpec]) -> Node:
    some = next(iter(specs.values()))
    listed = [specs.get(i, some) for i in range(max(specs) + 1)]
    attrs = {"Tin": AttrValue(), "Tout": AttrValue(), "_output_shapes": AttrValue()}
    attrs["Tin"].list.type.extend(int(spec.dtype) for spec in inputs.values())
    attrs["Tout"].list.type.extend(int(spec.dtype) for spec in listed)
    attrs["_output_shapes"].list.shape.extend(shape_proto(spec.shape) for spec in listed)
    return make_node(name, _OP.name, inputs, attrs)
