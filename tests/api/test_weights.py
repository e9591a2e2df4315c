"""``weights=`` and ``rename=``: values from other checkpoints, compared with what TensorFlow restores and NumPy averages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import graphscope
from graphscope.core.values.payload import CHUNK_BYTES
from graphscope.errors import ArgumentError, FormatError, GraphscopeError, IncompleteModelError, UnknownNameError
from tests.support.converting import session, variable_values
from tests.support.saving import Array, save_v2, tf

tf1 = tf.compat.v1
STEPS = (100, 200, 300)
ROWS = CHUNK_BYTES // 4 // 100 + 1000
"""Of a matrix with 100 columns that is read in several pieces."""


class Notes(graphscope.Listener):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, text: object) -> None:
        self.heard.append(str(text))


def values(step: int) -> dict[str, Array]:
    """What ``other/w`` and so on hold after ``step`` steps: numbers whose mean is none of them."""
    random = np.random.default_rng(step)
    drawn = random.standard_normal((ROWS, 100))
    return {
        "w": drawn.astype("f4"),
        "double": drawn[:3] * 1e300,
        "half": drawn[0].astype("f2"),
        "short": drawn[:2].astype(ml_dtypes.bfloat16),
        "wave": (drawn[0] + 1j * drawn[1]).astype("c8"),
        "scalar": np.float32(step / 7),
        "table": np.arange(12).reshape(3, 4),
        "mask": np.array([True, False]),
        "words": np.array([b"one", b"three"], object),
        "global_step": np.int64(step),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A meta checkpoint whose variables lie in the scope ``net``, and three checkpoints of ``other`` with a slot more."""
    directory = tmp_path_factory.mktemp("weights")
    for step in STEPS:
        named = {f"other/{name}": value for name, value in values(step).items()}
        save_v2(str(directory / f"other-{step}"), {**named, "other/w/Momentum": named["other/w"]})
    with session() as running, tf1.variable_scope("net"):
        for name, value in values(1).items():
            tf1.get_variable(name, initializer=tf.constant(value), use_resource=False)
        running.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(running, str(directory / "model.ckpt"), write_state=False)
    return directory


def restored(meta: Path, prefix: Path, keys: Mapping[str, str] | None = None) -> dict[str, Array]:
    """The variables after ``Saver(keys).restore``: key -> name of the variable; the graph's own saver without them."""
    with session() as running:
        saver = tf1.train.import_meta_graph(str(meta))
        variables = {v.op.name: v for v in tf1.global_variables()}
        if keys is not None:
            saver = tf1.train.Saver({key: variables[name] for key, name in keys.items()})
        saver.restore(running, str(prefix))
        found: dict[str, Array] = running.run(variables)
    return found


def assert_same(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.asarray(found[name]).dtype == np.asarray(value).dtype, name
        assert np.asarray(found[name]).tolist() == np.asarray(value).tolist(), name


def test_another_checkpoint_under_other_names(files: Path, tmp_path: Path) -> None:
    """What ``Saver({"other/w": w, ...})`` restores."""
    graphscope.convert(
        files / "model.ckpt", tmp_path / "m.ckpt", weights=files / "other-200", rename={"^(other)/(.*)$": r"net/\2"}
    )
    expected = restored(files / "model.ckpt.meta", files / "other-200", {f"other/{n}": f"net/{n}" for n in values(1)})
    assert_same(restored(tmp_path / "m.ckpt.meta", tmp_path / "m.ckpt"), expected)
    assert variable_values(str(tmp_path / "m.ckpt")).keys() == expected.keys()


def test_the_mean_of_several_checkpoints(files: Path, tmp_path: Path) -> None:
    notes = Notes()
    graphscope.convert(
        files / "model.ckpt",
        tmp_path / "mean.ckpt",
        weights=[files / f"other-{step}" for step in STEPS],
        rename=["^other/=net/"],
        listener=notes,
    )
    each = [values(step) for step in STEPS]
    expected = {f"net/{name}": mean([e[name] for e in each]) for name in each[0]}
    assert_same(restored(tmp_path / "mean.ckpt.meta", tmp_path / "mean.ckpt"), expected)
    assert notes.heard == [f"net/global_step: not averaged, taken from {files / 'other-300'}"]


def mean(arrays: list[Array]) -> Array:
    """NumPy's mean in double precision; what is not floating as it is in the last."""
    dtype = arrays[0].dtype
    if dtype.kind not in "fcV" and dtype != ml_dtypes.bfloat16:
        return arrays[-1]
    wide = "c16" if dtype.kind == "c" else "f8"
    averaged: Array = np.mean(np.stack(arrays).astype(wide), axis=0).astype(dtype)
    return averaged


REFUSED: dict[str, tuple[list[str], list[str], type[GraphscopeError], str]] = {
    "an expression that matches nothing": (["other-100"], ["^othr/=net/"], UnknownNameError, "no value .*'\\^othr/'"),
    "two values of one name": (["other-100"], ["^other/(w|half)$=net/w"], GraphscopeError, "two values .* net/w"),
    "a value without a name": (["other-100"], ["^other/w$="], GraphscopeError, "other/w would have no name"),
    "no expression": (["other-100"], ["(=x"], ArgumentError, "not a regular expression"),
    "not of the form": (["other-100"], ["other"], ArgumentError, "REGEX=NEW"),
    "no such group": (["other-100"], ["^other/=\\1"], GraphscopeError, "is not a valid replacement"),
    "names that stay unknown": (["other-100"], [], FormatError, "not in the graph: other/half; closest: net/half"),
    "other shapes": (
        ["other-100", "reshaped"],
        [],
        FormatError,
        r"different: other/mask is bool \(3\), not bool \(2\)",
    ),
    "other names": (["reshaped", "other-100"], [], FormatError, "missing: other/more.*only there: other/w\n"),
    "no values": (["model.ckpt.meta.alone.meta"], [], IncompleteModelError, "no values"),
    "nothing to rename": ([], ["^other/=net/"], ArgumentError, "no values to rename"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str, files: Path, tmp_path: Path) -> None:
    names, rename, error, message = REFUSED[case]
    if not (files / "reshaped.index").exists():
        save_v2(str(files / "reshaped"), {"other/mask": np.array([True] * 3), "other/more": np.zeros(2, "f4")})
        (files / "model.ckpt.meta.alone.meta").write_bytes((files / "model.ckpt.meta").read_bytes())
    with pytest.raises(error, match=f"(?s){message}"):
        graphscope.convert(
            files / "model.ckpt", tmp_path / "x.ckpt", weights=[files / name for name in names], rename=rename
        )
    assert not list(tmp_path.iterdir())


def test_only_a_checkpoint_takes_other_values(files: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="only a checkpoint"):
        graphscope.convert(files / "model.ckpt", tmp_path / "x.npz", to="npz", weights=files / "other-100")
