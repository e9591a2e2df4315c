"""Which models of a folder become ONNX files that compute what TensorFlow computes: a table, beside tf2onnx.

``python -m benchmarks.onnx_coverage FOLDER [--beside]`` reads every graph under FOLDER. A model counts as equal when ONNX
Runtime gives what TensorFlow gives for one random batch, within 1e-4.
"""

from __future__ import annotations

import argparse
import collections
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import numpy as np

import graphscope
from graphscope.analysis.choose_outputs import choose_outputs
from graphscope.analysis.outputs import rank_outputs
from graphscope.api.save import graph_model
from graphscope.core.graph import Graph
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError
from graphscope.export.onnx import onnx_graph
from graphscope.export.onnx.convert import OnnxOptions
from graphscope.export.onnx.write import model_bytes
from graphscope.export.refusal import NotExportableError
from graphscope.feeding.default_feeds import fill_feeds
from graphscope.formats.lazy.pieces import flow, graph_pieces
from graphscope.transforms.freeze import FreezeOptions, freeze
from tests.support.op_tests import recorded_inputs

TOLERANCE = 1e-4
PATTERNS = ("*.pb", "*.pbtxt", "*.meta")


@dataclass(frozen=True)
class Row:
    """What became of one model."""

    path: str
    verdict: str
    detail: str
    seconds: float


def models(folder: Path) -> Iterator[Path]:
    for path in sorted(p for pattern in PATTERNS for p in folder.rglob(pattern)):
        if path.name == "saved_model.pb" or path.name == "saved_model.pbtxt":
            yield path.parent
        else:
            yield path


def outputs_of(model: Model) -> Sequence[str]:
    try:
        return choose_outputs(model).outputs
    except GraphscopeError:
        ranked = rank_outputs(model)
        if not ranked:
            raise
        return [ranked[0].tensor]


def frozen(path: Path, inputs: Sequence[str]) -> tuple[FreezeOptions, Graph]:
    model = graphscope.load(path)
    outputs = outputs_of(model)
    options = FreezeOptions(outputs=list(outputs), inputs=inputs)
    first = freeze(model, options)
    return options, first.graph


def expected(graph: Graph, path: Path, outputs: Sequence[str], size: int) -> tuple[Mapping[str, Any], list[Any]]:
    """Random feeds, and what TensorFlow computes of them."""
    model = graph_model(graph, str(path))
    off, random = fill_feeds(model, outputs, [], unknown=size)
    feeds = {**random, **off, **recorded_inputs(path, graph)}
    return feeds, run_tensorflow(graph, outputs, feeds)


def run_tensorflow(graph: Graph, outputs: Sequence[str], feeds: Mapping[str, Any]) -> list[Any]:
    from graphscope.runtime.tensorflow import tensorflow

    tf = tensorflow()
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        content = b"".join(flow(graph_pieces(graph)))
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString(content), name="")
        return [np.asarray(v) for v in session.run(list(outputs), dict(feeds))]


def run_onnx(content: bytes, outputs: Sequence[str], feeds: Mapping[str, Any]) -> list[Any]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    taken = {i.name for i in session.get_inputs()}
    return [
        np.asarray(v) for v in session.run(list(outputs), {k: np.asarray(v) for k, v in feeds.items() if k in taken})
    ]


def agree(wanted: Sequence[Any], found: Sequence[Any]) -> str:
    """Empty where they agree; what differs otherwise."""
    for w, f in zip(wanted, found):
        if w.shape != f.shape or w.dtype != f.dtype:
            return f"{f.dtype}{list(f.shape)} for {w.dtype}{list(w.shape)}"
        if w.dtype.kind not in "fc":
            if not (w == f).all():
                return f"{int((w != f).sum())} of {w.size} differ"
        elif not np.allclose(w, f, rtol=TOLERANCE, atol=TOLERANCE * np.abs(w).max(initial=1), equal_nan=True):
            return f"largest difference {np.nanmax(np.abs(w - f)):.3g}"
    return ""


def options_for(feeds: Mapping[str, Any]) -> OnnxOptions:
    """What is fed says the rank of inputs of which the file states none."""
    return OnnxOptions(shapes={name: (None,) * np.ndim(value) for name, value in feeds.items() if name.endswith(":0")})


def judged(path: Path, beside: bool, inputs: Sequence[str] = ()) -> Row:
    """``inputs``: where the graph is cut, as ``--input`` would."""
    try:
        options, graph = frozen(path, inputs)
        outputs = [o if ":" in o else f"{o}:0" for o in options.outputs]
    except GraphscopeError as error:
        return Row(str(path), "not frozen", str(error).splitlines()[0], 0)
    feeds, wanted = {}, None
    for size in (1, 5, 32):
        try:
            feeds, wanted = expected(graph, path, outputs, size)
            if all(w.size for w in wanted):
                break
        except Exception as error:
            last = str(error).splitlines()[0]
    if beside and not inputs and (cuts := cuts_of(graph, outputs, options_for(feeds if wanted else {}), path)):
        return judged(path, beside, cuts)
    start = time.monotonic()
    try:
        if beside:
            content = by_tf2onnx(graph, outputs)
        else:
            content = model_bytes(onnx_graph(graph, outputs, options_for(feeds if wanted else {}), str(path)))
    except NotExportableError as error:
        if error.cuts and not inputs:
            return judged(path, beside, error.cuts)
        return Row(str(path), "refused", str(error).replace("\n", ";")[-600:], time.monotonic() - start)
    except GraphscopeError as error:
        return Row(str(path), "refused", str(error).replace("\n", ";")[-600:], time.monotonic() - start)
    except Exception as error:
        return Row(str(path), "crashed", f"{type(error).__name__} {error}"[:300], time.monotonic() - start)
    seconds = time.monotonic() - start
    if wanted is None:
        return Row(str(path), "not run", last, seconds)
    try:
        difference = agree(wanted, run_onnx(content, outputs, feeds))
    except Exception as error:
        return Row(str(path), "does not run", str(error)[:300], seconds)
    return Row(str(path), "wrong" if difference else "equal, cut" if inputs else "equal", difference, seconds)


def cuts_of(graph: Graph, outputs: Sequence[str], options: OnnxOptions, path: Path) -> Sequence[str]:
    """Where the graph is cut for us, so that both convert the same."""
    try:
        onnx_graph(graph, outputs, options, str(path))
    except NotExportableError as error:
        return error.cuts
    except GraphscopeError:
        pass
    return ()


def by_tf2onnx(graph: Graph, outputs: Sequence[str]) -> bytes:
    import tf2onnx

    from graphscope.runtime.tensorflow import tensorflow

    tf = tensorflow()
    proto = tf.compat.v1.GraphDef.FromString(b"".join(flow(graph_pieces(graph))))
    inputs = [f"{n.name}:0" for n in graph if n.op.startswith("Placeholder")]
    if inputs:
        model, _ = tf2onnx.convert.from_graph_def(proto, input_names=inputs, output_names=list(outputs), opset=18)
    else:  # its public function refuses graphs without inputs, which it can convert
        model, _ = tf2onnx.convert._convert_common(
            proto, name="graph", input_names=[], output_names=list(outputs), opset=18
        )
    return model.SerializeToString()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--beside", action="store_true", help="Convert with tf2onnx instead.")
    arguments = parser.parse_args()
    counts: collections.Counter[str] = collections.Counter()
    for path in models(arguments.folder):
        row = judged(path, arguments.beside)
        counts[row.verdict] += 1
        print(f"{row.verdict:12} {row.seconds:6.2f} s  {path.relative_to(arguments.folder)}  {row.detail}", flush=True)
    print(dict(counts))


if __name__ == "__main__":
    main()
