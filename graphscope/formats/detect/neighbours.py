"""Recognizes, by content, files that are opened by mistake, and says what to do with them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from graphscope.advice import Advice, Call
from graphscope.core.patterns import Pattern
from graphscope.errors import NotTensorFlowError
from graphscope.formats.detect.sniff import first_text_field
from graphscope.formats.io.records import is_event_file, starts_record
from graphscope.formats.io.wire import FileSource
from graphscope.named_tuple import NamedTuple

HEAD_BYTES = 1024

_NET = Pattern(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<net[\s>]", re.DOTALL)
_GRAPH_MODEL = Pattern(rb'\s*\{.*?"format"\s*:\s*"graph-model"', re.DOTALL)


class Neighbour(NamedTuple):
    """A format that graphscope does not read.

    Attributes:
        name: its name in the error.
        matches: whether the first :data:`HEAD_BYTES` of a file are of it.
        hint: what to do.
    """

    name: str
    matches: Callable[[bytes], bool]
    hint: str | Advice


def _starts(*prefixes: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(prefixes)


def _is_html(head: bytes) -> bool:
    text = head.lstrip().lower()
    return text.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml", b"<!--"))


def _is_keras(head: bytes) -> bool:
    return head.startswith(b"PK\x03\x04") and (b"config.json" in head or b"metadata.json" in head)


def is_npz(head: bytes, _: int) -> bool:
    """Whether a file that begins with ``head`` is a zip file whose first member is an array."""
    return head.startswith(b"PK\x03\x04") and b".npy" in head[:256]


def is_tflite(head: bytes, _: int) -> bool:
    """Whether a file that begins with ``head`` is a flatbuffer of TensorFlow Lite."""
    return head[4:8] == b"TFL3"


def is_onnx(head: bytes, _: int) -> bool:
    """Whether a file begins as ``ModelProto``: ir_version (3 to 99, field 1), then producer, domain, graph or opset fields.

    Source: ``onnx.proto``. A SavedModel begins alike, but its schema version is 1 and its field 2 is a message.
    """
    if len(head) < 4 or head[0] != 0x08 or not 3 <= head[1] <= 99:
        return False
    return head[2] in (0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42)


def is_openvino(head: bytes, _: int) -> bool:
    """Whether a file that begins with ``head`` is XML whose first element is ``net``.

    Source: <https://docs.openvino.ai/2025/documentation/openvino-ir-format.html>.
    """
    return _NET.match(head) is not None


def is_tfjs(head: bytes, _: int) -> bool:
    """Whether a file that begins with ``head`` is the ``model.json`` of a graph model.

    Source: ``ModelJSON`` in ``tfjs-core/src/io/types.ts``; what is written for layers says ``layers-model``.
    """
    return _GRAPH_MODEL.match(head) is not None


def _name_kind(suffix: str) -> Advice:
    return Advice(f"rename it to *.{suffix}; then ", Call("load_foreign", (f"FILE.{suffix}",)), " shows it")


POINTER = Neighbour(
    "a Git LFS pointer: the file itself was not fetched",
    _starts(b"version https://git-lfs"),
    "git lfs pull   in the repository it came from",
)

NEIGHBOURS = (
    POINTER,
    Neighbour("an HTML or XML page, probably a download that failed", _is_html, "download the file again"),
    Neighbour("a Keras model archive (.keras)", _is_keras, "model.export('dir') in Keras writes a SavedModel"),
    Neighbour("a NumPy archive (.npz)", lambda h: is_npz(h, 0), "it holds arrays and no graph"),
    Neighbour("a zip archive", _starts(b"PK\x03\x04", b"PK\x05\x06"), "unzip it, and open what is inside"),
    Neighbour("a gzip file", _starts(b"\x1f\x8b"), "gunzip it (tar xzf for a .tar.gz), and open what is inside"),
    Neighbour("a bzip2 file", _starts(b"BZh"), "bunzip2 it, and open what is inside"),
    Neighbour("an xz file", _starts(b"\xfd7zXZ\x00"), "unxz it, and open what is inside"),
    Neighbour("a 7-Zip archive", _starts(b"7z\xbc\xaf\x27\x1c"), "unpack it, and open what is inside"),
    Neighbour("a tar archive", lambda h: h[257:262] == b"ustar", "tar xf it, and open what is inside"),
    Neighbour("an HDF5 file, probably Keras weights (.h5)", _starts(b"\x89HDF\r\n\x1a\n"), "load it with Keras"),
    Neighbour(
        "a TensorFlow event file", is_event_file, Advice(Call("summarize", ("FILE",)), "   shows the graph in it")
    ),
    Neighbour("a TFRecord file", starts_record, "it holds records and no graph: tf.data.TFRecordDataset reads it"),
    Neighbour("a NumPy array (.npy)", _starts(b"\x93NUMPY"), "it holds one array and no graph"),
    Neighbour("a PNG picture", _starts(b"\x89PNG\r\n\x1a\n"), "name a model instead"),
    Neighbour("a JPEG picture", _starts(b"\xff\xd8\xff"), "name a model instead"),
    Neighbour("a Python pickle", _starts(b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"), "load it with Python"),
    Neighbour("an ELF program or library", _starts(b"\x7fELF"), "name a model instead"),
    Neighbour("a TensorFlow Lite model", lambda h: is_tflite(h, 0), _name_kind("tflite")),
    Neighbour("an ONNX model", lambda h: is_onnx(h, 0), _name_kind("onnx")),
)

_OPTIONS = "tf.compat.v1.ConfigProto takes it, not graphscope: name a model instead"
_DETECTION = "the Object Detection API trains with it; name the checkpoint or the frozen graph instead"

TEXTS: dict[str, tuple[str, str | Advice]] = {
    "item": (
        "a label map (the classes of the Object Detection API)",
        "name the model that it belongs to, such as frozen_inference_graph.pb",
    ),
    **dict.fromkeys(
        ("train_config", "train_input_config", "train_input_reader", "eval_config", "eval_input_config"),
        ("a pipeline configuration of the Object Detection API", _DETECTION),
    ),
    **dict.fromkeys(
        ("eval_input_reader", "model"), ("a pipeline configuration of the Object Detection API", _DETECTION)
    ),
    **dict.fromkeys(
        (
            "allow_soft_placement",
            "cluster_def",
            "device_count",
            "device_filters",
            "gpu_options",
            "graph_options",
            "inter_op_parallelism_threads",
            "intra_op_parallelism_threads",
            "log_device_placement",
            "rpc_options",
        ),
        ("a session configuration (ConfigProto)", _OPTIONS),
    ),
    "embeddings": ("a configuration of TensorBoard's projector", "name the checkpoint or the directory beside it"),
    "features": ("a tf.train.Example", "it holds data and no graph: name a model instead"),
    "feature": ("a schema of TensorFlow Metadata", "it describes data: name a model instead"),
    "model_config_list": (
        "a configuration of TensorFlow Serving",
        "name one of the model directories that it lists as base_path",
    ),
    **dict.fromkeys(
        ("layer", "layers", "input_dim", "input_shape"),
        ("a Caffe network (.prototxt)", "convert it to TensorFlow first"),
    ),
    "op": ("a list of op definitions (OpList)", "name a graph that has nodes"),
    "signature": ("a single library function (FunctionDef)", "name a graph that has nodes"),
    "step_stats": ("a trace of a run (RunMetadata)", Advice(Call("profile", ("MODEL",)), "   measures a run")),
    "ir_version": (
        "an ONNX model in text form",
        "onnx.load(PATH, format='textproto') and onnx.save write it in binary",
    ),
}
"""First field of a message in text form -> what it is, and what to do with it."""


def refuse_neighbours(source: FileSource) -> None:
    """Raises an error that names the format, if ``source`` is empty or of a neighbouring format.

    Raises:
        NotTensorFlowError: it is.
    """
    if not source.size:
        raise NotTensorFlowError("the file is empty", path=source.path, hint="copy or download it again")
    _refuse(source, NEIGHBOURS)
    known = TEXTS.get(first_text_field(source))
    if known is not None:
        name, hint = known
        raise NotTensorFlowError(f"this is {name}", path=source.path, hint=hint)


def refuse_pointer(source: FileSource) -> None:
    """Raises an error if a Git LFS pointer is in the place of the file whose bytes are of any kind.

    Raises:
        NotTensorFlowError: it is.
    """
    _refuse(source, (POINTER,))


def _refuse(source: FileSource, neighbours: Iterable[Neighbour]) -> None:
    head = source.read(0, min(HEAD_BYTES, source.size))
    for neighbour in neighbours:
        if neighbour.matches(head):
            raise NotTensorFlowError(f"this is {neighbour.name}", path=source.path, hint=neighbour.hint)
