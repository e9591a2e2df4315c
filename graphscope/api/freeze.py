"""``graphscope.freeze``: replaces variables with constants."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from graphscope.api.doubts import frozen_doubts, report
from graphscope.api.opening import ModelLike, Names, as_model, as_names, chosen_outputs, fixed_values, warn_of_files
from graphscope.api.proof import refuse_unproven_freeze
from graphscope.api.save import Saved, graph_model
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.core.ops.history import parse_version
from graphscope.core.shown import Shown
from graphscope.core.tensors import Shape
from graphscope.formats.lazy.pieces import graph_pieces, size_of
from graphscope.formats.registry import GRAPHS, FileFormat, WriteOptions, format_for
from graphscope.transforms.changes import OpChange
from graphscope.transforms.data_format import Layouts, wrap_layout_ops
from graphscope.transforms.freeze import FreezeOptions, FrozenGraph, refuse_oversize
from graphscope.transforms.freeze import freeze as freeze_graph
from graphscope.transforms.input_shapes import Batch

if TYPE_CHECKING:
    from graphscope.feeding.feeds import Given
    from graphscope.runtime.comparing.comparison import Engine
    from graphscope.runtime.comparing.verify import Verification


@dataclass(frozen=True, slots=True)
class SavedFrozen(Saved):
    """A written frozen graph.

    Attributes:
        verification: the comparison with the model; ``None`` if it was not requested.
    """

    verification: Verification | None = None


@dataclass(frozen=True, repr=False)
class Frozen(Shown):
    """A frozen model, and how it was frozen.

    Attributes:
        source: the model with variables.
        options: how it was frozen.
        result: the frozen graph and its properties.
    """

    source: Model
    options: FreezeOptions
    result: FrozenGraph

    def __repr__(self) -> str:
        nodes = f"{len(self.source.graph):,} nodes -> {len(self.result.graph):,}"
        return f"<Frozen {self.source.path!r}: {nodes}, outputs {', '.join(map(repr, self.outputs))}>"

    @cached_property
    def model(self) -> Model:
        """The frozen graph as a model."""
        return graph_model(self.result.graph, self.source.path)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The tensors that were kept."""
        return tuple(self.options.outputs)

    @property
    def changes(self) -> tuple[OpChange, ...]:
        """Nodes by op, before and after."""
        return self.result.changes

    @property
    def open_switches(self) -> Mapping[str, str]:
        """Inputs that look like training switches -> the value for inference."""
        return self.result.open_switches

    @property
    def carried(self) -> Mapping[str, str]:
        """Variables whose state would persist between runs, now frozen -> the node that writes them."""
        return self.result.carried

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        verify: bool = False,
        feeds: Given = (),
        atol: float | None = None,
        rtol: float | None = None,
        trust: bool = False,
        listener: Listener = SILENT,
    ) -> SavedFrozen:
        """Writes the graph: ``.pbtxt`` is text, ``.pb`` or no suffix binary.

        Args:
            overwrite: replace an existing file.
            verify: run the model and the finished file in TensorFlow; the file is kept only if they agree.
            feeds: node or tensor name -> value, for the verification; every other input is random.
            atol: absolute tolerance of the verification.
            rtol: relative tolerance of the verification.
            trust: run nodes that touch files, the network or processes too.

        Raises:
            FileError: the file exists and ``overwrite`` is not set, or cannot be written; an existing file is kept.
            GraphscopeError: the name implies another format, the graph takes 2 GiB or more, or the verification failed.
            CorruptFileError: a weight cannot be read.
        """
        found: list[Verification] = []

        def check(file: Path) -> None:
            if verify:
                found.append(self.verify(file, feeds=feeds, atol=atol, rtol=rtol, trust=trust, listener=listener))
                refuse_unproven_freeze(found[0], self.options, self.result)

        row = graph_format(path)
        total = size_of(graph_pieces(self.result.graph))
        refuse_oversize(total)
        with listener.reading("writing", total) as progress:
            size = row.write(self.model, path, WriteOptions(overwrite=overwrite, check=check, progress=progress))
        return SavedFrozen(os.fspath(path), row.name, size, found[0] if found else None)

    def verify(
        self,
        other: ModelLike | None = None,
        *,
        feeds: Given = (),
        atol: float | None = None,
        rtol: float | None = None,
        trust: bool = False,
        engine: Engine | None = None,
        reference: Engine | None = None,
        listener: Listener = SILENT,
    ) -> Verification:
        """Compares the source with the frozen graph, or with ``other``: the file that it was written to.

        Fixed inputs, moving averages and new input shapes are taken into account: with another batch size, the outputs are
        compared row by row. Starts TensorFlow.

        Args:
            engine: runs the frozen graph instead of TensorFlow.
            reference: runs the frozen graph instead of the source, if TensorFlow is not installed.

        For the other arguments and errors, see :func:`graphscope.verify`.
        """
        from graphscope.feeding.feeds import resolve_tensors
        from graphscope.runtime.comparing.verify import ATOL, RTOL, verify
        from graphscope.runtime.comparing.verify_rows import verify_rows

        result = self.model if other is None else as_model(other)
        inputs = self.result.reshaped.inputs
        scalars = {name: new for name, (_, new) in inputs.items() if new == ()}
        compare = partial(verify_rows, inputs=inputs) if len(inputs) > len(scalars) else partial(verify, shapes=scalars)
        source = self.source
        if self.options.data_format:  # there are kernels for channels first on GPUs alone
            source, result = (_in_channels_last(model) for model in (source, result))
        with listener.running():
            if reference is not None:
                return verify(
                    self.model,
                    result,
                    self.outputs,
                    feeds=resolve_tensors(result, feeds),
                    atol=ATOL if atol is None else atol,
                    rtol=RTOL if rtol is None else rtol,
                    engine=engine,
                    original_engine=reference,
                )
            return compare(
                source,
                result,
                self.outputs,
                feeds=resolve_tensors(result, feeds),
                fixed=self.options.values,
                values=dict(self.result.averaged),
                atol=ATOL if atol is None else atol,
                rtol=RTOL if rtol is None else rtol,
                trust=trust,
                names=self.result.originals,
                engine=engine,
            )


def _in_channels_last(model: Model) -> Model:
    return model.with_graph(wrap_layout_ops(model.graph, Layouts.to("NHWC")))


def graph_format(path: str | os.PathLike[str]) -> FileFormat:
    """The graph format given by the name of ``path``; binary without a suffix.

    Raises:
        GraphscopeError: the name implies another format.
    """
    return format_for(path, "" if Path(path).suffix else "pb", GRAPHS)


@check_arguments
def freeze(
    model: ModelLike,
    *,
    outputs: Names = (),
    inputs: Names = (),
    set: Given = (),
    ema: bool = False,
    fold: bool = True,
    fold_batch_norms: bool = False,
    keep_devices: bool = False,
    float16: bool = False,
    shape: Mapping[str, Shape] | None = None,
    batch: Batch = None,
    tables: bool = False,
    data_format: str = "",
    for_tensorflow: str = "",
    strict: bool = False,
    listener: Listener = SILENT,
) -> Frozen:
    """Replaces variables with constants and removes nodes that the outputs do not need. Most models need no TensorFlow.

    Args:
        outputs: tensors to keep; by default the likely outputs.
        inputs: tensors to cut the graph open at; placeholders need not be named.
        set: placeholder or variable -> value to fix it to, as ``{"is_training": False}``.
        ema: use each variable's moving average, if it has one.
        fold: fold constants.
        fold_batch_norms: fold batch norms into the layers before them.
        keep_devices: keep the device assignments of the graph.
        float16: store float32 weights in half precision.
        shape: input -> its new shape, ``None`` for an unknown size, as ``{"x": (None, 224, 224, 3)}``. Constants that provably
            state the batch are rewritten.
        batch: the batch size of every input, ``"?"`` for any number of examples.
        tables: bake lookup tables of up to 4,096 constant keys into the graph; the initializers of the others are kept.
        data_format: ``"NHWC"`` or ``"NCHW"``: the layout of convolutions and the ops that follow them; inputs and outputs keep
            their shapes, weights are unchanged.
        for_tensorflow: the release to write the graph for, such as ``"1.4"``: unknown attributes are dropped if they have their
            default values, and a few newer ops are replaced with older ones. Only ops and attributes are checked, not the types
            that kernels support.
        strict: turn warnings into errors: lost state, remaining dropout, batch norm in training mode, data that cannot be fed,
            outputs without a value where a branch is not taken, ops that only TPUs run.

    Raises:
        UnknownNameError: an output, an input, a placeholder or a variable is not in the graph.
        IncompleteModelError: a variable that is needed has no value.
        GraphscopeError: no output is clear; an output is within a loop; a value does not fit; a node does not allow a shape;
            the release lacks an op; a lookup table is needed; the graph is invalid; with ``strict``, there is a warning.
    """
    from graphscope.runtime.evaluate import TensorFlowKernels
    from graphscope.runtime.shapes import shape_lookup

    source = as_model(model)
    options = FreezeOptions(
        outputs=chosen_outputs(source, outputs, listener),
        inputs=as_names(inputs),
        values=fixed_values(source, set),
        moving_averages=ema,
        fold=fold,
        batch_norms=fold_batch_norms,
        keep_devices=keep_devices,
        float16=float16,
        shapes=shape or {},
        batch=batch,
        tables=tables,
        data_format=data_format,
        for_tensorflow=parse_version(for_tensorflow) if for_tensorflow else None,
        evaluate=TensorFlowKernels(),
        shape_of=shape_lookup(source),
    )
    frozen = Frozen(source, options, freeze_graph(source, options))
    report(frozen_doubts(frozen.result, frozen.outputs), listener, strict=strict)
    if frozen.result.initializers:
        names = ", ".join(frozen.result.initializers)
        listener.warning(
            f"run {names} once before the outputs, in the same session: it fills the lookup tables that stay"
        )
    warn_of_files(frozen.model, listener)
    return frozen


__all__ = ["Frozen", "SavedFrozen", "freeze", "graph_format"]
