"""Steps that change what a model declares: its signatures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from graphscope.advice import Advice, Option
from graphscope.analysis.shapes import infer
from graphscope.core.checks.frames import refuse_inside_loop
from graphscope.core.model import ModelKind
from graphscope.core.tensors import TensorName, TensorSpec, node_of
from graphscope.editing.edited import Edited, with_parts
from graphscope.errors import GraphscopeError, UnknownNameError
from graphscope.feeding.feeds import tensor_spec
from graphscope.formats.savedmodel.writer import PREDICT, argument_names, tensor_info
from graphscope.protos import MetaGraphDef, TensorInfo


@dataclass(frozen=True, slots=True)
class AddSignature:
    """Declares a signature, or replaces the one of its name.

    Attributes:
        name: ``serving_default``, for instance.
        inputs, outputs: argument -> tensor; an argument that is called like its tensor gets a name as ``convert`` gives it.
    """

    name: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    def apply(self, edited: Edited) -> Edited:
        """See :class:`graphscope.editing.steps.Step`."""
        meta = _copy(edited)
        signature = meta.signature_def[self.name]
        signature.Clear()
        signature.method_name = PREDICT
        for named, infos in ((self.inputs, signature.inputs), (self.outputs, signature.outputs)):
            specs = [tensor_spec(edited.model, tensor) for tensor in named.values()]
            for spec in specs:
                refuse_inside_loop(edited.model.graph, spec.name)
            short = argument_names(specs)
            for argument, given, spec in zip(named, short, specs):
                wanted = given if argument == named[argument] else argument
                infos[wanted].CopyFrom(tensor_info(edited.model.graph, spec))
        changed = with_parts(edited.model, edited.model.graph, meta)
        kind = ModelKind.META_GRAPH if changed.kind is ModelKind.GRAPH else changed.kind
        return replace(edited, model=changed.replace(kind=kind))


@dataclass(frozen=True, slots=True)
class DropSignature:
    """Removes a signature."""

    name: str

    def apply(self, edited: Edited) -> Edited:
        """See :class:`graphscope.editing.steps.Step`."""
        meta = _copy(edited)
        if self.name not in meta.signature_def:
            raise UnknownNameError("signature", self.name, meta.signature_def)
        del meta.signature_def[self.name]
        return replace(edited, model=with_parts(edited.model, edited.model.graph, meta))


def _copy(edited: Edited) -> MetaGraphDef:
    meta = MetaGraphDef()
    meta.CopyFrom(edited.model.meta)
    return meta


def with_stated_types(edited: Edited) -> Edited:
    """Signatures that state the types and shapes which their tensors have now."""
    if not edited.model.meta.signature_def:
        return edited
    meta, graph = _copy(edited), edited.model.graph
    shapes = infer(edited.model)
    for info in _tensors(meta):
        if node_of(info.name) in graph:
            spec = TensorSpec(info.name, shapes.dtype(info.name), shapes.shape(info.name))
            info.CopyFrom(tensor_info(graph, spec))
    return replace(edited, model=with_parts(edited.model, graph, meta))


def _tensors(meta: MetaGraphDef) -> Iterator[TensorInfo]:
    """The plain tensors that signatures take and give; what initializes a SavedModel is an operation."""
    for signature in meta.signature_def.values():
        for infos in (signature.inputs, signature.outputs):
            yield from (infos[name] for name in infos if ":" in infos[name].name)


def refuse_dangling(edited: Edited) -> None:
    """Refuses a model whose signatures name tensors that are gone.

    Raises:
        GraphscopeError: there is one; the error names the step that mends it.
    """
    graph = edited.model.graph
    for name, signature in edited.model.signatures.items():
        arguments = [*signature.inputs.items(), *signature.outputs.items()]
        for argument, specs in arguments:
            for spec in specs:
                if spec.name and TensorName.parse(spec.name).node not in graph:
                    raise GraphscopeError(
                        f"the argument {argument} of signature {name} is {spec.name}, which was removed",
                        hint=Advice(Option("drop_signature", name), " takes it away"),
                    )
