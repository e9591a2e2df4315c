"""Which models of a folder compute in other runtimes what TensorFlow computes: a table for each group, beside tf2onnx.

``python -m benchmarks.coverage FOLDER [--only GROUP...] [--to NAME...]`` exports every graph below FOLDER; its first level of
directories are the groups. A model counts as equal when the runtime gives what TensorFlow gives for one random batch, within
1e-4. Prints a line for each export on stderr, then the tables of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import graphscope
from graphscope.analysis.ends.choose_outputs import choose_outputs
from graphscope.analysis.ends.outputs import rank_outputs
from graphscope.api.save import graph_model
from graphscope.core.graph import Graph
from graphscope.core.model import Model
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.tensors import TensorName
from graphscope.errors import GraphscopeError
from graphscope.export.refusal import NotExportableError
from graphscope.export.target import Converted, ExportOptions, Target, Written, target_of
from graphscope.feeding.default_feeds import fill_feeds
from graphscope.feeding.feeds import placeholders, required_inputs
from graphscope.formats.lazy.pieces import flow, graph_pieces
from graphscope.formats.registry import WriteOptions, export_formats
from graphscope.runtime.engines.table import ENGINES
from graphscope.transforms.findings.randomness import random_sources
from graphscope.transforms.freeze import FreezeOptions, FrozenGraph, freeze
from tests.support.op_tests import recorded_inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-4
PATTERNS = ("*.pb", "*.pbtxt", "*.meta")
BATCHES = (1, 5, 32)
TF2ONNX = "tf2onnx"

EQUAL, CUT, REFUSED, FAILED, WRONG, APART = (
    "equal",
    "equal behind a cut",
    "refused",
    "fails",
    "wrong",
    "not comparable",
)
VERDICTS = (EQUAL, CUT, REFUSED, FAILED, WRONG, APART)

Feeds = Mapping[str, Any]
Arrays = list["NDArray[Any]"]


@dataclass(frozen=True)
class Case:
    """A frozen graph, and what TensorFlow computes of one random batch.

    Attributes:
        failure: why it computes nothing; then ``wanted`` is empty.
    """

    graph: Graph
    outputs: Sequence[str]
    feeds: Feeds
    wanted: Arrays
    failure: str = ""


class IncomparableError(Exception):
    """Nothing can be said of a model: TensorFlow does not run it, or it draws random numbers."""


class RefusedError(Exception):
    """The conversion ends with an error that says why."""


def models(folder: Path) -> Iterator[Path]:
    for path in sorted(p for pattern in PATTERNS for p in folder.rglob(pattern)):
        yield path.parent if path.stem == "saved_model" else path


def outputs_of(model: Model) -> Sequence[str]:
    try:
        return choose_outputs(model).outputs
    except GraphscopeError:
        ranked = rank_outputs(model)
        if not ranked:
            raise
        return [ranked[0].tensor]


def expected(
    graph: Graph, path: Path, outputs: Sequence[str], size: int, given: Feeds | None = None
) -> tuple[Feeds, Arrays]:
    """Random feeds, and what TensorFlow computes of them. Placeholders with a default are fed it: some targets take them."""
    model = graph_model(graph, str(path))
    off, random = fill_feeds(model, outputs, [], unknown=size)
    feeds = {**random, **off, **recorded_inputs(path, graph), **(given or {})}
    defaults = [spec.name for spec in required_inputs(model, outputs, with_defaults=True) if spec.name not in feeds]
    values = run_tensorflow(graph, [*outputs, *defaults], feeds)
    return {**feeds, **dict(zip(defaults, values[len(outputs) :]))}, values[: len(outputs)]


def run_tensorflow(graph: Graph, outputs: Sequence[str], feeds: Feeds) -> Arrays:
    from graphscope.runtime.tensorflow import tensorflow

    tf = tensorflow()
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(b"".join(flow(graph_pieces(graph)))), name="")
        return [np.asarray(v) for v in session.run(list(outputs), dict(feeds))]


@functools.lru_cache(maxsize=4)
def case(path: Path, cuts: Sequence[str]) -> Case:
    """The model at ``path``, cut open at ``cuts`` as ``--input`` does."""
    try:
        model = graphscope.load(path)
        outputs = [str(TensorName.parse(name)) for name in outputs_of(model)]
        frozen = freeze(model, FreezeOptions(outputs, cuts))
        graph = frozen.graph
    except GraphscopeError as error:
        raise IncomparableError(f"not frozen: {first_line(error)}") from error
    if any(random_sources(graph, name) for name in outputs) or "Empty" in graph.ops:
        raise IncomparableError("draws random numbers, or has numbers that nobody sets")
    found, failure = computed(graph, path, outputs, values_at_cuts(path, frozen) if cuts else {})
    if found is None:
        return Case(graph, outputs, {}, [], f"TensorFlow does not run it: {failure}")
    feeds, wanted = found
    return Case(with_ranks(graph, outputs, feeds, path), outputs, feeds, wanted)


def values_at_cuts(path: Path, frozen: FrozenGraph) -> Feeds:
    """What TensorFlow computes where the graph is cut open, if it runs the whole graph."""
    whole = case(path, ())
    if whole.failure:
        return {}
    tensors = {
        f"{n.name}:0": frozen.originals.get(f"{n.name}:0", f"{n.name}:0")
        for n in frozen.graph
        if n.op in PLACEHOLDER_OPS
    }
    given = {name: whole.feeds[tensor] for name, tensor in tensors.items() if tensor in whole.feeds}
    opened = {name: tensor for name, tensor in tensors.items() if name not in given}
    # what falls out of the whole may be cut at: it is asked of a graph that is frozen down to there
    uncut = freeze(graphscope.load(path), FreezeOptions(list(opened.values()))).graph
    return {**given, **dict(zip(opened, run_tensorflow(uncut, list(opened.values()), whole.feeds)))}


def computed(graph: Graph, path: Path, outputs: Sequence[str], given: Feeds) -> tuple[tuple[Feeds, Arrays] | None, str]:
    """What the first batch gives that gives anything, and why there may be none."""
    found, last = None, ""
    for size in BATCHES:
        try:
            found = expected(graph, path, outputs, size, given)
        except Exception as error:
            last = first_line(error)
            continue
        if all(value.size for value in found[1]):
            break
    return found, last


def with_ranks(graph: Graph, outputs: Sequence[str], feeds: Feeds, path: Path) -> Graph:
    """What is fed says the rank of inputs of which the file states none, or all their sizes, as ``--shape`` does."""
    model = graph_model(graph, str(path))
    open_ones = [spec.name for spec in placeholders(model) if spec.shape is None and spec.name in feeds]
    if not open_ones:
        return graph
    try:
        return freeze(model, FreezeOptions(outputs, shapes={n: (None,) * np.ndim(feeds[n]) for n in open_ones})).graph
    except GraphscopeError:
        return freeze(model, FreezeOptions(outputs, shapes={n: np.shape(feeds[n]) for n in open_ones})).graph


class ByTf2onnx:
    """tf2onnx as a target beside ours: see :class:`graphscope.export.target.Target`."""

    def require(self) -> None:
        import tf2onnx  # noqa: F401

    def convert(self, graph: Graph, outputs: Sequence[str], options: ExportOptions, path: str) -> Converted:
        """What ours cuts off is cut off here too, so that both convert the same."""
        try:
            ROWS["onnx"].target.convert(graph, outputs, options, path)
        except NotExportableError as error:
            if error.cuts:
                raise
        content = tf2onnx_bytes(graph, outputs)
        return Converted((), (), len(content), functools.partial(_write, content))


def _write(content: bytes, file: Path, _: WriteOptions) -> Written:
    file.write_bytes(content)
    return Written((file,), len(content), 0)


def tf2onnx_bytes(graph: Graph, outputs: Sequence[str]) -> bytes:
    import tf2onnx

    from graphscope.runtime.tensorflow import tensorflow

    proto = tensorflow().compat.v1.GraphDef.FromString(b"".join(flow(graph_pieces(graph))))
    inputs = [f"{n.name}:0" for n in graph if n.op.startswith("Placeholder")]
    if inputs:
        model, _ = tf2onnx.convert.from_graph_def(proto, input_names=inputs, output_names=list(outputs), opset=18)
    else:  # its public function refuses graphs without inputs, which it can convert
        model, _ = tf2onnx.convert._convert_common(
            proto, name="graph", input_names=[], output_names=list(outputs), opset=18
        )
    content: bytes = model.SerializeToString()
    return content


@dataclass(frozen=True)
class Exporter:
    """Where models are exported to.

    Attributes:
        file: what is written, in a directory of its own.
        engine: what runs it.
        make: gives the target.
    """

    file: str
    engine: str
    make: Callable[[], Target]

    @property
    def target(self) -> Target:
        return self.make()

    def run(self, of: Case, path: Path) -> Arrays:
        """What the runtime computes of ``of``.

        Raises:
            NotExportableError, RefusedError: it is refused.
            IncomparableError: TensorFlow does not run it.
            Exception: the conversion ends otherwise, or the runtime does not run the file.
        """
        with tempfile.TemporaryDirectory(prefix="graphscope-") as folder:
            file = Path(folder) / "model" / self.file
            file.parent.mkdir()
            try:
                made = self.target.convert(of.graph, of.outputs, ExportOptions(), str(path))
                made.write(file, WriteOptions(overwrite=True))
            except NotExportableError:
                raise
            except GraphscopeError as error:
                raise RefusedError(str(error)) from error
            if of.failure:
                raise IncomparableError(of.failure)
            return list(ENGINES[self.engine].of_export(file, made.tensors).run(of.outputs, of.feeds))


def exporters() -> dict[str, Exporter]:
    ours = {
        row.name: Exporter(f"model{row.suffixes[0]}", row.export.engine, functools.partial(target_of, row.export))
        for row in export_formats()
        if row.export is not None
    }
    return {**ours, TF2ONNX: Exporter("model.onnx", "onnxruntime", ByTf2onnx)}


ROWS = exporters()


def agree(wanted: Sequence[Any], found: Sequence[Any]) -> str:
    """Empty where they agree; what differs otherwise. A runtime may hold the same kind of number in fewer bits."""
    for w, f in zip(map(plain, wanted), map(plain, found), strict=True):
        if w.shape != f.shape or w.dtype.kind != f.dtype.kind:
            return f"{f.dtype}{list(f.shape)} for {w.dtype}{list(w.shape)}"
        if w.dtype.kind not in "fc":
            if not (w == f).all():
                return f"{int((w != f).sum())} of {w.size} differ"
        elif not np.allclose(w, f, rtol=TOLERANCE, atol=TOLERANCE * largest(w), equal_nan=True):
            return f"largest difference {np.nanmax(np.abs(w - f)):.3g} of {largest(w):.3g}"
    return ""


def plain(value: Any) -> Any:
    """bfloat16 and its like as float32, unsigned integers as integers."""
    kinds = {"V": np.float32, "u": np.int64}
    return value.astype(kinds[value.dtype.kind]) if value.dtype.kind in kinds else value


def largest(value: NDArray[Any]) -> float:
    finite = np.abs(value[np.isfinite(value)])
    return float(finite.max(initial=1))


def judge(path: Path, name: str, cuts: tuple[str, ...] = ()) -> tuple[str, str]:
    """The verdict on one export, and what there is to say.

    Args:
        cuts: where the graph is cut.
    """
    try:
        of = case(path, cuts)
        difference = agree(of.wanted, ROWS[name].run(of, path))
    except IncomparableError as error:
        return APART, str(error)
    except NotExportableError as error:
        if error.cuts and not cuts:
            return judge(path, name, tuple(error.cuts))
        return REFUSED, str(error).partition("\n")[2].replace("\n", ";")[:300]
    except RefusedError as error:
        return REFUSED, str(error).replace("\n", ";")[:300]
    except Exception as error:
        return FAILED, f"{type(error).__name__}: {first_line(error)}"[:300]
    return (WRONG if difference else CUT if cuts else EQUAL), difference


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


class Worker:
    """A process that judges one export after the other; one that a runtime brings down is replaced."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(1, self.context)

    def judge(self, path: Path, name: str) -> tuple[str, str]:
        try:
            return self.pool.submit(judge, path, name).result()
        except BrokenProcessPool:
            self.pool = ProcessPoolExecutor(1, self.context)
            return FAILED, "the process ended"


def table(verdicts: Mapping[tuple[str, str], Sequence[str]], group: str, names: Sequence[str]) -> Iterator[str]:
    count = len(verdicts[group, names[0]])
    yield f"\n| {count} of {group}, to | {' | '.join(VERDICTS)} |\n|---|{'---|' * len(VERDICTS)}"
    for name in names:
        found = verdicts[group, name]
        yield f"| {name} | {' | '.join(str(found.count(verdict)) for verdict in VERDICTS)} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="The groups to look at.")
    parser.add_argument("--to", nargs="*", choices=ROWS, default=list(ROWS))
    arguments = parser.parse_args()
    verdicts: dict[tuple[str, str], list[str]] = {}
    worker = Worker()
    for path in models(arguments.folder):
        place = path.relative_to(arguments.folder)
        if arguments.only and place.parts[0] not in arguments.only:
            continue
        for name in arguments.to:
            verdict, detail = worker.judge(path, name)
            verdicts.setdefault((place.parts[0], name), []).append(verdict)
            print(f"{verdict:20} {name:10} {place}  {detail}", file=sys.stderr, flush=True)
    for group in dict.fromkeys(group for group, _ in verdicts):
        print("\n".join(table(verdicts, group, arguments.to)))


if __name__ == "__main__":
    main()
