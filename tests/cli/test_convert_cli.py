"""``graphscope convert`` as a person meets it: every target by name, signatures, and what it refuses."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphscope
from graphscope.core.model import ModelKind
from tests.support.fixture_files import FIXTURES, ROOT
from tests.support.zoo_files import ZOO, needs_zoo

MODEL = FIXTURES / "softmax"
OLD = FIXTURES / "softmax" / "v1"


def convert(*words: object, **options: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "400", "NO_COLOR": "1"}
    given = {"env": environment, "cwd": ROOT, "capture_output": True, "text": True, "check": False} | options
    return subprocess.run([sys.executable, "-m", "graphscope", "convert", *map(str, words)], **given)  # type: ignore[call-overload]


def done(*words: object) -> str:
    found = convert(*words)
    assert found.returncode == 0, found.stderr
    return found.stdout


def refused(*words: object, code: int = 1, **options: object) -> str:
    found = convert(*words, **options)
    assert (found.returncode, "Traceback" in found.stderr) == (code, False), found.stderr
    return found.stderr


def weights(path: Path) -> dict[str, np.ndarray]:
    model = graphscope.load(path)
    return {v.name: model.value(v).numpy() for v in model.variables if v.entry is not None}


@pytest.mark.parametrize(
    ("name", "words", "kind"),
    [
        ("x.pb", (), ModelKind.GRAPH),
        ("x.pbtxt", (), ModelKind.GRAPH),
        ("x.meta", (), ModelKind.META_GRAPH),
        ("x/", (), ModelKind.SAVED_MODEL),
        ("x.ckpt", (), ModelKind.META_CHECKPOINT),
        ("x.data", ("--to", "pbtxt"), ModelKind.GRAPH),
    ],
)
def test_every_target(name: str, words: tuple[str, ...], kind: ModelKind, tmp_path: Path) -> None:
    out = tmp_path / name
    assert str(out) in done(OLD, f"{out}/" if name.endswith("/") else out, *words)
    found = graphscope.load(out)
    assert found.kind is kind
    assert "inference/prediction" in found.graph
    if found.store is not None:
        np.testing.assert_equal(weights(out), weights(OLD))


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_weights_out_and_back(suffix: str, tmp_path: Path) -> None:
    done(MODEL, tmp_path / f"w.{suffix}")
    done(MODEL, tmp_path / "back.ckpt", "--weights", tmp_path / f"w.{suffix}")
    np.testing.assert_equal(weights(tmp_path / "back.ckpt"), weights(MODEL))


def test_a_model_without_signatures_gets_one(tmp_path: Path) -> None:
    found = convert(MODEL, f"{tmp_path}/saved/")
    assert "inference/prediction:0 taken as the output" in found.stderr
    [signature] = graphscope.load(tmp_path / "saved").signatures.values()
    assert signature.name == "serving_default"
    assert [s.name for specs in signature.inputs.values() for s in specs] == ["input:0"]


@needs_zoo
@pytest.mark.parametrize("name", ["saved_model_counter", "saved_model_half_plus_two_tf2_cpu"])
def test_the_authors_signatures_stay(name: str, tmp_path: Path) -> None:
    servables = "tensorflow+serving/tensorflow_serving/servables/tensorflow/testdata"
    source = ZOO / "saved_model" / servables / name / "00000123"
    done(source, f"{tmp_path}/saved/")
    assert graphscope.load(tmp_path / "saved").signatures == graphscope.load(source).signatures


def test_a_signature_is_replaced_when_it_is_asked_for(tmp_path: Path) -> None:
    source = FIXTURES / "lenet5" / "saved_model"
    done(source, f"{tmp_path}/saved/", "--output", "logits")
    found = graphscope.load(tmp_path / "saved").signatures
    assert [s.name for specs in found["serving_default"].outputs.values() for s in specs] == ["logits:0"]


def test_an_existing_file_stays_without_force(tmp_path: Path) -> None:
    out = tmp_path / "w.npz"
    out.write_bytes(b"old")
    assert "--force" in refused(MODEL, out)
    assert out.read_bytes() == b"old"
    done(MODEL, out, "--force")
    assert np.load(out)["inference/biases"].shape == (10,)


def test_a_name_that_tells_no_format(tmp_path: Path) -> None:
    assert "--to" in refused(MODEL, tmp_path / "x.unknown", code=2)


def test_an_output_that_does_not_exist(tmp_path: Path) -> None:
    message = refused(MODEL, f"{tmp_path}/saved/", "--output", "inference/predicton")
    assert "inference/prediction" in message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.npz", "x.safetensors", "x.ckpt", "x/"])
def test_no_space(name: str, tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    message = refused(MODEL, f"{tmp_path}/{name}", preexec_fn=limit)
    assert "File too large" in message
    assert not list(tmp_path.iterdir())
