"""``graphscope.run``: runs a model on inputs."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphscope.advice import Advice, Option
from graphscope.analysis.classes import Example, Naming, are_scores, top_classes
from graphscope.api.opening import (
    Names,
    as_names,
    chosen_outputs,
)
from graphscope.api.runnable import Opened, Runnable, as_runnable, open_runnable
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.core.shown import Shown
from graphscope.core.tensors import TensorName
from graphscope.core.values.payload import ArrayPayload
from graphscope.errors import ArgumentError, GraphscopeError, UnknownNameError, some
from graphscope.feeding.feed_values import AS_USUAL
from graphscope.feeding.feeds import Feed, FeedOptions, Given, example_names, resolve_tensors, tensor_spec
from graphscope.feeding.naming import Fetch, find_signature
from graphscope.feeding.naming import Names as TensorNames
from graphscope.feeding.series import part_series
from graphscope.formats.media.picture_files import SavedPictures, save_pictures
from graphscope.formats.media.pictures import Scaling
from graphscope.runtime.config import AS_STATED, DEFAULT, Placing, SessionOptions
from graphscope.runtime.engines.table import ENGINES, TENSORFLOW
from graphscope.runtime.run_result import RunResult

if TYPE_CHECKING:
    from numpy.typing import NDArray


_NAMED = 4


@dataclass(frozen=True, repr=False)
class Outputs(Mapping[str, Any], Shown):
    """The results of a run by name: the requested name, the tensor's or the node's.

    Attributes:
        fetches: what was computed, in order.
        result: the values in the same order, and the devices.
        naming: names of examples and classes, if pictures or labels provide them.
    """

    fetches: tuple[Fetch, ...]
    result: RunResult
    naming: Naming = field(default_factory=Naming)

    def __repr__(self) -> str:
        return f"<Outputs of {some([repr(fetch.target) for fetch in self.fetches], _NAMED)}>"

    def __getitem__(self, name: str) -> NDArray[Any] | None:
        """The value; ``None`` for a node without outputs, which was run.

        Raises:
            UnknownNameError: there is no such result.
        """
        for fetch, value in zip(self.fetches, self.result.values):
            if name in (fetch.name, fetch.target) or str(TensorName.parse(name)) == fetch.target:
                return value
        raise UnknownNameError("output", name, self)

    def __iter__(self) -> Iterator[str]:
        return iter([fetch.target for fetch in self.fetches])

    def __len__(self) -> int:
        return len(self.fetches)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(
            name in (f.name, f.target, f"{f.target}".removesuffix(":0")) for f in self.fetches
        )

    def top(self, count: int) -> list[Example]:
        """The ``count`` classes that score highest, for each example of each output that holds scores of classes.

        Raises:
            GraphscopeError: no output holds scores, or there are more or fewer labels than classes.
        """
        scores = [(f.name, v) for f, v in zip(self.fetches, self.result.values) if v is not None and are_scores(v)]
        if not scores:
            named = ", ".join(fetch.name for fetch in self.fetches)
            raise GraphscopeError(f"no output has one row of class scores per example: {named}")
        return [row for name, value in scores for row in top_classes(name, value, count, self.naming)]

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> int:
        """Writes the values to a NumPy archive, by name. Returns the size in bytes.

        Raises:
            FileError: the file exists and ``overwrite`` is not set, or cannot be written; an existing file is kept.
            UnsupportedError: a value cannot be stored as an array.
        """
        from graphscope.formats.archives.npz_writer import write_npz

        pairs = zip(self.fetches, self.result.values)
        named = {(fetch.name.removesuffix(":0"), fetch.target): value for fetch, value in pairs if value is not None}
        return write_npz(path, [(name, ArrayPayload(v)) for (name, _), v in named.items()], overwrite=overwrite)

    def save_pictures(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> SavedPictures:
        """Writes the single output as PNG or JPEG picture files, depending on the suffix.

        See :func:`graphscope.formats.media.picture_files.save_pictures` for the allowed values.

        Raises:
            FileError: a file exists and ``overwrite`` is not set, or cannot be written.
            GraphscopeError: there are several outputs, or the values are not pictures.
        """
        found = [(f.name, v) for f, v in zip(self.fetches, self.result.values) if v is not None]
        if len(found) != 1:
            named = ", ".join(name for name, _ in found)
            raise GraphscopeError(
                f"pictures can be saved of one output only, but there are {len(found)}: {named}",
                hint=Advice(Option("outputs", "NAME"), " chooses one"),
            )
        [(name, value)] = found
        return save_pictures(name, value, Path(path), overwrite=overwrite)


@check_arguments
def run(
    model: Runnable,
    feeds: Given = (),
    *,
    outputs: Names = (),
    signature: str = "",
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
    batch: int = 1,
    seed: int = 0,
    scaling: Scaling = AS_USUAL,
    labels: str | os.PathLike[str] | None = None,
    placing: Placing = AS_STATED,
    session: SessionOptions = DEFAULT,
    trust: bool = False,
    engine: str = "",
    listener: Listener = SILENT,
) -> Outputs:
    """Runs a model. The model's files do not change.

    ::

        graphscope.run("lenet5.pb", {"input": pictures})["softmax"]

    Args:
        model: a model, or what :func:`graphscope.load` opens. Also a file of another runtime (``.onnx``, ``.tflite``,
            OpenVINO's ``.xml``, the ``model.json`` of TF.js), which its own engine runs, by the names that it has for its
            inputs and outputs.
        feeds: node or tensor name, or argument of the signature -> value: an array, anything that NumPy can convert to one, or
            a string as on the command line: ``"random"``, ``"@digit.png"``. Placeholders with a default may be left out. An
            input that takes the bytes of one file (``DecodeJpeg/contents``) may be fed a directory: the model then runs once
            for each file, and what it computes is stacked.
        outputs: tensors to compute; by default the signature's outputs or the likely ones.
        signature: the signature whose arguments and outputs may be named; by default ``serving_default`` or the only one.
        checkpoint: prefix of a checkpoint with the values of the graph; only for a path.
        tags: selects the meta graph of a SavedModel with exactly these tags; only for a path.
        batch: the size of unknown dimensions of random values and zeros.
        seed: seed for random values.
        scaling: of pictures.
        labels: a file with the names of the classes, or with the labels of the examples; for :meth:`Outputs.top`.
        placing: where nodes run.
        session: devices, threads and memory.
        trust: run nodes that touch files, the network or processes too.
        engine: what computes: ``tensorflow``, ``onnxruntime``, ``openvino`` or ``tfjs``; by default TensorFlow, and for a
            file of another runtime its own. The others need no TensorFlow and start in a fraction of its time; a graph is
            frozen in memory for them. They choose devices and threads themselves. OpenVINO also runs ``.onnx`` and
            ``.tflite`` files.

    Raises:
        ArgumentError: there is no such engine, or it does not run such a file; devices, threads or trust are given for an
            engine that does not support them.
        UnknownNameError: the model has no such tensor, argument or signature.
        IncompleteModelError: a variable has no value.
        UnsupportedError: the run needs an op that TensorFlow does not have.
        UntrustedError: the graph does more than compute, and ``trust`` is not set.
        MissingDependencyError: the engine is not installed.
        GraphscopeError: a placeholder is not fed, a value does not fit, no output is clear, or the engine cannot run this.
    """
    opened = open_runnable(as_runnable(model, tags=tags, checkpoint=checkpoint), engine, signature)
    if opened.engine != TENSORFLOW:
        refuse_session_options(opened, placing, session, trust)
    source = opened.model
    names = _names(opened, signature)
    given = names.feeds(feeds)
    naming = _naming(labels, given)
    fetches = _fetches(names, as_names(outputs), listener)
    if opened.file is not None and opened.file.left_out and not outputs:
        listener.note(f"left out, for they are not tensors: {', '.join(opened.file.left_out)}")
    _refuse_other_count(source, fetches, naming)
    series, others = part_series(source, given)
    values = resolve_tensors(source, others, FeedOptions(seed, batch, scaling))
    if series is not None and opened.engine != TENSORFLOW:
        raise GraphscopeError(f"{series.spec.name} takes one file at a time: only TensorFlow runs a directory of them")
    with listener.running(), listener.computing("runs", len(series.files) if series else 1) as told:
        targets = [fetch.target for fetch in fetches]
        if opened.engine == TENSORFLOW:
            from graphscope.runtime.run import run as run_once

            result = run_once(
                source, targets, values, options=session, placing=placing, trust=trust, series=series, progress=told
            )
        elif opened.file is not None:
            result = RunResult(tuple(opened.file(targets, values)), (), {})
        else:
            from graphscope.runtime.engines.compute import compute

            result = compute(source, ENGINES[opened.engine], targets, values)
    return Outputs(tuple(fetches), result, naming)


def refuse_session_options(opened: Opened, placing: Placing, session: SessionOptions, trust: bool) -> None:
    """Refuses options that only a TensorFlow session supports.

    Raises:
        ArgumentError: there is such an option.
    """
    if replace(placing, place=tuple(placing.place)) != AS_STATED or session != DEFAULT or trust:
        text = "devices, placement, threads, GPU memory and trust are options of TensorFlow's sessions"
        hint = Advice(Option("engine", TENSORFLOW), " takes them") if opened.file is None else None
        raise ArgumentError(f"{text}, not of {ENGINES[opened.engine].title}", hint=hint)


def _names(opened: Opened, signature: str) -> TensorNames:
    """A file's own names are those of its signature."""
    from graphscope.analysis.ends.choose_outputs import default_signature

    if signature:
        return TensorNames(opened.model, find_signature(opened.model, signature), is_chosen=True)
    return TensorNames(opened.model, default_signature(opened.model), is_chosen=opened.file is not None)


def _fetches(names: TensorNames, wanted: Sequence[str], listener: Listener) -> list[Fetch]:
    """The named outputs, those of the named signature, or the likely ones."""
    if wanted:
        return names.fetches(wanted)
    if names.is_chosen:
        return names.signature_fetches()
    called = {fetch.target: fetch for fetch in names.signature_fetches()}
    return [called.get(name) or names.fetches([name])[0] for name in chosen_outputs(names.model, (), listener)]


def _naming(labels: str | os.PathLike[str] | None, given: Sequence[Feed]) -> Naming:
    """The names of the fed examples and of the classes."""
    from graphscope.formats.media.label_files import Labels, read_labels

    examples = example_names(given)
    found = read_labels(Path(labels), examples) if labels is not None else Labels()
    return Naming(examples, found.classes, found.truth)


def _refuse_other_count(model: Model, fetches: Sequence[Fetch], naming: Naming) -> None:
    """Refuses labels that do not fit the classes of any output before TensorFlow starts, if the file states shapes."""
    widths = [_stated_width(model, fetch.target) for fetch in fetches]
    if naming.classes and widths and None not in widths and len(naming.classes) not in widths:
        named = ", ".join(f"{fetch.name} has {width:,}" for fetch, width in zip(fetches, widths))
        raise GraphscopeError(f"{len(naming.classes):,} labels, but {named} classes")


def _stated_width(model: Model, target: str) -> int | None:
    if target in model.graph:  # a node without outputs
        return None
    shape = tensor_spec(model, target).shape
    return shape[-1] if shape else None


__all__ = ["Outputs", "run"]
