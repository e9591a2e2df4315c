"""The process that converts: ``python -m graphscope.runtime.tflite.worker DIRECTORY``.

It reads ``saved_model/``, :data:`JOB` and the examples there, and leaves the file, or what is in its way. A process of its own,
because the converter logs what it likes, and what it takes of memory is given back.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from graphscope.formats.savedmodel.reader import SERVE
from graphscope.formats.savedmodel.writer import DEFAULT_SIGNATURE
from graphscope.runtime.tensorflow import tensorflow

SAVED_MODEL, JOB, EXAMPLES, RESULT, REFUSED = "saved_model", "job.json", "examples.npy", "model.tflite", "refused.json"

_SELECT_OPS = re.compile(r"^(TF Select|Custom) ops: (.+)$", re.MULTILINE)
"""The converter's summary of ops that only Flex runs, and of unsupported ops."""

_NEEDS_FLEX = 1
"""``ConverterErrorData.ERROR_NEEDS_FLEX_OPS``, from ``tensorflow/compiler/mlir/lite/metrics/converter_error_data.proto``."""


def main(directory: Path) -> None:
    """Converts what is in ``directory``."""
    tf = tensorflow()
    job = json.loads((directory / JOB).read_text("utf-8"))
    converter = _converter(directory / SAVED_MODEL)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if job["quantize"]:
        _quantize(tf, converter, job, directory)
    try:
        content = converter._convert_from_saved_model(_of_ops(tf, job["ops"]))
    except Exception as error:
        refused = _read_refusals(error)
        if not refused:
            raise
        (directory / REFUSED).write_text(json.dumps(refused), "utf-8")
        return
    (directory / RESULT).write_bytes(content)
    print(_operators(content))


def _converter(path: Path) -> Any:
    """TensorFlow's converter of SavedModels without its constructor and ``convert``.

    Those read the whole model in Python several times, for debug information alone: twice the memory of the conversion.
    """
    from tensorflow.lite.python import lite

    converter = object.__new__(lite.TFLiteSavedModelConverterV2)
    lite.TFLiteConverterBaseV2.__init__(converter)
    converter.saved_model_dir = str(path)
    converter._saved_model_version = 1
    converter._saved_model_tags = set(SERVE)
    converter._saved_model_exported_names = [DEFAULT_SIGNATURE]
    converter._trackable_obj = None
    return converter


def _of_ops(tf: Any, ops: Iterable[str]) -> Any:
    """A graph as far as the converter looks at it in Python: whether it has ops of quantized training."""
    return tf.compat.v1.GraphDef(node=[tf.compat.v1.NodeDef(name=op, op=op) for op in ops])


def _quantize(tf: Any, converter: Any, job: dict[str, str], directory: Path) -> None:
    """``float16`` and ``dynamic`` change weights alone; with examples, ``int8`` is what can be computed in it."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if job["quantize"] == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if job["quantize"] == "int8":
        converter.representative_dataset = lambda: _examples(directory / EXAMPLES, job["argument"])


def _examples(path: Path, argument: str) -> Iterator[dict[str, Any]]:
    import numpy as np

    for example in np.load(path):
        yield {argument: example[None]}


def _read_refusals(error: Exception) -> list[tuple[str, str, bool]]:
    """Op, node (empty where it is not said), whether Flex would run it. Nothing if the converter failed otherwise."""
    found = [
        (data.operator.name.removeprefix("tf."), _node(data.location.call), data.error_code == _NEEDS_FLEX)
        for data in getattr(error, "errors", ())
    ]
    listed = [(kind, op.strip()) for kind, ops in _SELECT_OPS.findall(str(error)) for op in ops.split(",")]
    found += [(op, "", kind == "TF Select") for kind, op in listed if op not in {name for name, *_ in found}]
    return [row for row in found if row[0]]


def _node(calls: Any) -> str:
    return str(calls[-1].name) if calls else ""


def _operators(content: bytes) -> int:
    """How many operators the file has."""
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAsModel(content, 0)
    return sum(model.Subgraphs(i).OperatorsLength() for i in range(model.SubgraphsLength()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
