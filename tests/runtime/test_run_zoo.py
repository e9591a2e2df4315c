"""``run`` computes what TensorFlow's own ways of opening a model compute, to the bit, for every model that TensorFlow can run.

Where it raises an error, TensorFlow has to fail too.
"""

from __future__ import annotations

import hashlib
import io
import wave
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from graphscope.analysis.ends.outputs import rank_outputs
from graphscope.core.graph import Graph
from graphscope.core.model import Model, ModelKind
from graphscope.core.signatures import BOOKKEEPING
from graphscope.core.tensors import node_of
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.fit import fit
from graphscope.errors import GraphscopeError, IncompleteModelError
from graphscope.feeding.default_feeds import switches_off
from graphscope.feeding.feeds import required_inputs
from graphscope.feeding.random_values import random_feeds
from graphscope.formats import load
from graphscope.runtime.run import run
from tests.support.fixture_files import FIXTURES, committed_models
from tests.support.op_tests import OP_TESTS, folder, recorded_inputs, recorded_outputs
from tests.support.running import tf
from tests.support.zoo_files import ZOO, needs_zoo, second_models, zoo_id

tf1 = tf.compat.v1
get_asset_tensors = pytest.importorskip("tensorflow.python.saved_model.loader_impl").get_asset_tensors

Feeds = Mapping[str, NDArray[Any]]
OPEN_VERSION = "0.12.head"
"""No version number for TensorFlow 2.21, which refuses the meta graph for it."""


def plain_session(model: Model, fetches: list[str], feeds: Feeds) -> list[NDArray[Any]]:
    """What a person would write to get these values from TensorFlow."""
    config = tf1.ConfigProto(allow_soft_placement=True)
    with tf.Graph().as_default(), tf1.Session(config=config) as session:
        _OPENED[model.kind](model, session)
        return [np.array(v, object) if isinstance(v, bytes) else np.asarray(v) for v in session.run(fetches, feeds)]


def opened_checkpoint(model: Model, session: Any) -> None:
    meta = tf1.MetaGraphDef.FromString(Path(f"{model.path}.meta").read_bytes())
    if meta.meta_info_def.tensorflow_version == OPEN_VERSION:
        meta.meta_info_def.tensorflow_version = "0.12.0"
    shards = list(Path(model.path).parent.glob(f"{Path(model.path).name}-00000-of-*"))  # of V1
    tf1.train.import_meta_graph(meta).restore(session, str(shards[0]) if shards else model.path)


def opened_graph(model: Model, _: Any) -> None:
    tf1.import_graph_def(tf1.GraphDef.FromString(Path(model.path).read_bytes()), name="")


def opened_saved_model(model: Model, session: Any) -> None:
    meta = tf1.saved_model.load(session, list(model.meta.meta_info_def.tags), model.path)
    session.run(tf1.tables_initializer(), get_asset_tensors(model.path, meta))  # not every model's main op does so


_OPENED: Mapping[ModelKind, Callable[[Model, Any], None]] = {
    ModelKind.META_CHECKPOINT: opened_checkpoint,
    ModelKind.GRAPH: opened_graph,
    ModelKind.SAVED_MODEL: opened_saved_model,
}


def assert_same_bits(found: Sequence[Any], expected: list[NDArray[Any]]) -> None:
    for value, wanted in zip(found, expected, strict=True):
        assert (value.dtype, value.shape) == (wanted.dtype, wanted.shape)
        assert value.tolist() == wanted.tolist() if wanted.dtype == object else value.tobytes() == wanted.tobytes()


def refused(model: Model, fetches: list[str], feeds: Feeds) -> str:
    """Why TensorFlow cannot run this, and ``run`` neither; empty where both compute the same bits."""
    try:
        found = run(model, fetches, feeds).values
    except GraphscopeError as error:
        with pytest.raises((tf.errors.OpError, ValueError)):
            plain_session(model, fetches, feeds)
        return error.message.splitlines()[0]
    assert_same_bits(found, plain_session(model, fetches, feeds))
    return ""


FORMS = [(name, form["path"]) for name, entry in committed_models().items() for form in entry["forms"]]
HAVE_NO_GRAPH = {".npz", ".pbtxt"}


@pytest.mark.parametrize(("name", "path"), FORMS, ids=["-".join(form) for form in FORMS])
def test_fixtures(name: str, path: str) -> None:
    if Path(path).suffix in HAVE_NO_GRAPH:
        pytest.skip(f"optional: no model by itself: {path}")
    entry, model = committed_models()[name], load(FIXTURES / name / path)
    fetches = [entry["output"]]
    given = {node_of(k): np.asarray(v) for k, v in entry["inference_feeds"].items()}
    feeds = random_feeds(required_inputs(model, fetches), seed=1, unknown=3, overrides=given)
    assert_same_bits(run(model, fetches, feeds).values, plain_session(model, fetches, feeds))


def test_a_graph_whose_checkpoint_lies_elsewhere() -> None:
    checkpoint = FIXTURES / "softmax" / "model.ckpt-6000"
    model = load(FIXTURES / "softmax" / "graph.pbtxt", checkpoint=checkpoint)
    feeds = random_feeds(required_inputs(model, ["inference/prediction"]), seed=1)
    expected = plain_session(load(checkpoint), ["inference/prediction:0"], feeds)
    assert_same_bits(run(model, ["inference/prediction"], feeds).values, expected)
    with pytest.raises(IncompleteModelError, match="no checkpoint holds a value of variable inference/weights"):
        run(load(FIXTURES / "softmax" / "graph.pbtxt"), ["inference/prediction"], feeds)


# Models of other people


def zoo_models() -> list[Path]:
    """One path to each model; of those whose graphs are the same file, one."""
    places = [p for kind in ("meta_ckpt", "v1_ckpt") for p in (ZOO / kind).rglob("*.meta")]
    places += (ZOO / "frozen_pb").rglob("*.pb")
    places += (ZOO / "saved_model").rglob("saved_model.pb*")
    places += second_models()
    return list({hashlib.sha256(place.read_bytes()).digest(): place for place in sorted(places)}.values())


def fetched(model: Model) -> list[list[str]]:
    """What is computed together: the outputs of each signature that differs, or the likely outputs.

    The update of a metric is computed without its value: which of the two comes first in one run, TensorFlow leaves open.
    """
    signatures = [s for name, s in model.signatures.items() if name not in BOOKKEEPING]
    of_signatures = [
        tuple(spec.name for key, specs in s.outputs.items() for spec in specs if key.endswith("/update_op") is updates)
        for s in signatures
        for updates in (False, True)
    ]
    found = [list(dict.fromkeys(names)) for names in dict.fromkeys(of_signatures) if names]
    return found or [[candidate.tensor for candidate in rank_outputs(model)[:3]]]


def example(**values: float) -> NDArray[Any]:
    """Two serialized ``tf.train.Example`` messages."""
    features = {k: tf.train.Feature(float_list=tf.train.FloatList(value=[value])) for k, value in values.items()}
    message = tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
    return np.array([message, message], object)


def sound() -> NDArray[Any]:
    """A second of noise as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 16000, 0, "NONE", ""))
        writer.writeframes(np.random.default_rng(0).integers(-9999, 9999, 16000, np.int16).tobytes())
    return np.array(file.getvalue(), object)


def noise(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(0, 1, shape).astype(np.float32)


PENGUIN = ("body_mass_g", "culmen_depth_mm", "culmen_length_mm", "flipper_length_mm")
FLOAT, INT32, INT64, STRING = DataType.FLOAT, DataType.INT32, DataType.INT64, DataType.STRING
SPECIAL: list[tuple[str, str, DataType, Callable[[], NDArray[Any]]]] = [
    ("half_plus", "tf_example", STRING, lambda: example(x=2, x2=3)),
    ("half_plus", "inputs", STRING, lambda: example(x=2, x2=3)),
    ("keras/Format-Serving", "examples", STRING, lambda: example(**dict.fromkeys(PENGUIN, 1.0))),
    (
        "export/evaluate",
        "Placeholder",
        STRING,
        lambda: np.array([b"7.5,True,25,White,1,39,True,False,False,1"]),
    ),
    ("saved_model_counter", "delta", FLOAT, lambda: np.array(2)),
    ("ML-KWS-for-MCU", "wav_data", STRING, sound),
    ("tf-mtcnn", "input", FLOAT, lambda: 255 * noise(60, 60, 3)),
    ("tf-mtcnn", "min_size", FLOAT, lambda: np.array(20)),
    ("tf-mtcnn", "thresholds", FLOAT, lambda: np.array([0.1, 0.1, 0.1])),
    ("tf-mtcnn", "factor", FLOAT, lambda: np.array(0.7)),
    ("variadic_input_shape", "Input", FLOAT, lambda: noise(2, 32, 32, 3)),
    ("LapSRN", "IteratorGetNext", FLOAT, lambda: noise(1, 16, 16, 1)),
    ("models/gru", "X", FLOAT, lambda: noise(2, 28, 28)),
    ("models/gru", "keep_prob", FLOAT, lambda: np.array(1)),
    ("optimized_graph", "input", FLOAT, lambda: noise(1, 128, 128, 3)),
    ("opencv_face_detector", "data", FLOAT, lambda: 255 * noise(1, 300, 300, 3)),
    ("NPHard", "Placeholder", INT64, lambda: np.array([4, 4])),
    ("NPHard", "Placeholder_1", FLOAT, lambda: noise(16)),
    ("NPHard", "Placeholder_2", INT64, lambda: np.argwhere(np.ones((4, 4)))),
    ("NPHard", "Placeholder_3", INT64, lambda: np.array([4, 4])),
    ("NPHard", "Placeholder_4", FLOAT, lambda: noise(16)),
    ("NPHard", "Placeholder_5", INT64, lambda: np.argwhere(np.ones((4, 4)))),
    ("NPHard", "Placeholder_6", INT64, lambda: np.array([4, 32])),
    ("NPHard", "Placeholder_7", FLOAT, lambda: noise(128)),
    ("NPHard", "Placeholder_8", INT64, lambda: np.argwhere(np.ones((4, 32)))),
    ("NPHard", "Placeholder_10", INT32, lambda: np.array(128)),
    ("NPHard", "Placeholder_11", INT32, lambda: np.array([128])),
]
"""Inputs that a model needs to be of a certain kind, which its file does not state."""


def fed(path: Path, model: Model, fetches: list[str]) -> Feeds:
    inputs = required_inputs(model, fetches)
    special = {
        spec.name: fit(make(), spec._replace(shape=None))
        for place, name, dtype, make in SPECIAL
        for spec in inputs
        if place in str(path) and node_of(spec.name).endswith(name) and spec.dtype is dtype
    }
    return random_feeds(inputs, seed=1) | switches_off(model, inputs) | special


@needs_zoo
@pytest.mark.parametrize("path", zoo_models(), ids=zoo_id)
def test_models(path: Path) -> None:
    model = load(path)
    reasons = [refused(model, fetches, fed(path, model, fetches)) for fetches in fetched(model)]
    if all(reasons):
        pytest.skip(f"optional: TensorFlow cannot run it either: {reasons[0]}")


# Graphs of single ops

ENDS = frozenset({"Const", "NoOp", "Placeholder", "Assert"})
"""Ops that nobody reads and that compute nothing."""

UNDEFINED = frozenset({"Empty"})
"""Ops that give memory as it is."""

ROUNDINGS = 40
"""Units in the last place of its largest number that an output may be off: kernels sum in other orders now."""

PRINTED = 1e-8
"""All numbers were printed with eight decimals."""


@needs_zoo
@pytest.mark.parametrize("path", [p for p in OP_TESTS if list(p.parent.glob("*.prediction.csv"))], ids=folder)
def test_outputs_are_those_that_were_recorded(path: Path) -> None:
    model, recorded = load(path), recorded_outputs(path)
    feeds, names = recorded_inputs(path, model.graph), list(recorded)
    if any(model.graph[node_of(name)].op in UNDEFINED for name in names):
        pytest.skip(f"optional: undefined output of {' and '.join(UNDEFINED)}")
    try:
        values = run(model, names, feeds).values
    except GraphscopeError as error:
        with pytest.raises((tf.errors.OpError, ValueError)):
            plain_session(model, names, feeds)
        pytest.skip(f"optional: TensorFlow cannot run it either: {error.message}")
    for (name, (texts, shape)), value in zip(recorded.items(), values):
        assert value is not None
        assert list(value.shape) == shape
        assert_printed(texts, value, lambda name=name: other_values(model, name, feeds))


def assert_printed(texts: list[str], value: NDArray[Any], others: Callable[[], list[NDArray[Any]]]) -> None:
    """The value is what was printed; where it is not, it is as near as the digits of the inputs can tell."""
    flat = value.reshape(-1)
    if value.dtype.kind != "f":
        assert [str(v) if value.dtype.kind == "b" else v for v in flat.tolist()] == [_parsed(t) for t in texts]
        return
    expected = np.array(texts, np.float64)
    apart = np.abs(expected - flat)
    allowed = PRINTED + ROUNDINGS * np.finfo(value.dtype).eps * np.abs(expected).max(initial=0)
    if not (apart <= allowed).all():
        allowed = allowed + 4 * np.max([np.abs(other.reshape(-1) - flat) for other in others()], axis=0)
    assert (apart <= allowed).all()


def _parsed(text: str) -> Any:
    return text if text in ("True", "False") else float(text)


def other_values(model: Model, name: str, feeds: Feeds) -> list[NDArray[Any]]:
    """The output for inputs that are printed alike."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(4):
        moved = {k: v + PRINTED * rng.choice([-1, 1], v.shape) if v.dtype.kind == "f" else v for k, v in feeds.items()}
        found += [value for value in run(model, [name], moved).values if value is not None]
    return found


@needs_zoo
@pytest.mark.parametrize("path", [p for p in OP_TESTS if not list(p.parent.glob("*.prediction.csv"))], ids=folder)
def test_what_was_not_recorded_is_as_tensorflow_computes_it(path: Path) -> None:
    model = load(path)
    names = ends(model.graph)
    feeds = random_feeds(required_inputs(model, names), seed=1, overrides=recorded_inputs(path, model.graph))
    if reason := refused(model, names, feeds):
        pytest.skip(f"optional: TensorFlow cannot run it either: {reason}")


def ends(graph: Graph) -> list[str]:
    """Every output of the nodes that nobody reads."""
    catalog = graph.catalog()
    nodes = [n for n in graph if not graph.consumers(n.name) and n.op not in ENDS]
    return [f"{n.name}:{k}" for n in nodes for k in range(len(catalog.outputs(n.op, n.attrs) or ()))]
