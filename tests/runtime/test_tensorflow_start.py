"""How TensorFlow starts: without a word, with the kernels that are wanted, whoever imports it first."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.support.fixture_files import FIXTURES, ROOT
from tests.support.running import tf

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]
assert tf

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"
SETTINGS: dict[str, dict[str, str]] = {
    "unset": {},
    "0": {ONEDNN: "0"},
    "1": {ONEDNN: "1"},
    "neither": {ONEDNN: "maybe"},
}


def child(*words: object, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Runs Python in a process that has nothing of TensorFlow's settings but ``env``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**kept, "PYTHONPATH": str(ROOT), **(env or {})}
    )


@pytest.mark.parametrize(("command", "setting"), [("run", "unset"), ("run", "0"), ("run", "1"), ("profile", "neither")])
def test_nothing_is_said_at_the_start(command: str, setting: str) -> None:
    more = ["--steps", "1", "--warmup", "1"] if command == "profile" else []
    words = ("-m", "graphscope", command, FIXTURES / "lenet5", "--output", "softmax", "--feed", "input=zeros", *more)
    done = child(*words, env=SETTINGS[setting])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


EXACT = """
import os, sys
from graphscope.runtime.tensorflow import is_exact, promise_equal_bits, tensorflow
before = dict(os.environ)
promise_equal_bits()
print(is_exact(), os.environ.get("TF_ENABLE_ONEDNN_OPTS") == before.get("TF_ENABLE_ONEDNN_OPTS"))
"""


@pytest.mark.parametrize("setting", SETTINGS)
def test_equal_bits_are_promised_whatever_the_environment_says(setting: str) -> None:
    done = child("-c", EXACT, env=SETTINGS[setting])
    assert (done.returncode, done.stdout, done.stderr) == (0, "True True\n", "")


@pytest.mark.parametrize(("setting", "exact"), [("0", "True"), ("1", "False")])
def test_people_have_the_kernels_that_they_set(setting: str, exact: str) -> None:
    code = "from graphscope.runtime.tensorflow import *; tensorflow(native=True); print(is_exact())"
    done = child("-c", code, env={ONEDNN: setting})
    assert (done.stdout, done.stderr) == (f"{exact}\n", "")


VERIFIED = """
import sys, warnings
import tensorflow
import graphscope
from graphscope.runtime.comparing.verify import verify
model = graphscope.load(sys.argv[1])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    found = verify(model, model, ["softmax"], batches=1)
print(found.is_exact, found.is_within, [w.category.__name__ for w in caught if "oneDNN" in str(w.message)])
"""


@pytest.mark.parametrize(("setting", "said"), [("0", "True True []"), ("1", "False True ['InexactKernelsWarning']")])
def test_a_library_user_who_imports_tensorflow_first_is_told(setting: str, said: str) -> None:
    done = child("-c", VERIFIED, FIXTURES / "lenet5", env={ONEDNN: setting, "TF_CPP_MIN_LOG_LEVEL": "3"})
    assert (done.returncode, done.stdout) == (0, f"{said}\n"), done.stderr


def test_training_is_the_same_to_the_bit_whatever_the_environment_says(tmp_path: Path) -> None:
    """Batch norms and convolutions, of which oneDNN's kernels differ."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "d.npz", x=rng.random((40, 784), np.float32), y=np.arange(40) % 3)
    found = []
    for name in ("0", "1"):
        out = tmp_path / name
        words = ("graft", FIXTURES / "batchnorm", "-o", out / "m", "--at", "conv2/Relu", "--classes", 3)
        head = ("--head", "flatten,dense:3")
        assert child("-m", "graphscope", *words, *head, env={ONEDNN: name}).returncode == 0
        tuned = ("tune", out / "m", "--data", tmp_path / "d.npz", "--epochs", 1, "--cache", out / "cache")
        done = child("-m", "graphscope", *tuned, env={ONEDNN: name})
        assert done.returncode == 0, done.stderr
        found.append({p.name: p.read_bytes() for p in sorted(out.glob("*.data-*"))})
    assert found[0]
    assert found[0] == found[1]


CHATTER = """
import os
from graphscope.runtime.tensorflow import _without_chatter
with _without_chatter():
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
    os.write(2, b"I0000 00:00:1 1 port.cc:153] oneDNN custom operations are on.\\n")
    os.write(2, b"2026-01-01 00:00:00.1: I tensorflow/core/x.cc:1] hello\\n")
    os.write(2, b"F0000 00:00:1 1 cpu.cc:1] a real fault\\n")
    os.write(2, b"something that another thread says\\n")
    raise ImportError("why")
"""


def test_what_is_no_chatter_is_said_afterwards() -> None:
    done = child("-c", CHATTER)
    assert done.returncode == 1
    said = done.stderr.splitlines()
    assert said[:2] == ["F0000 00:00:1 1 cpu.cc:1] a real fault", "something that another thread says"]
    assert said[-1] == "ImportError: why"


def test_a_closed_stderr_does_no_harm() -> None:
    code = (
        "import os; os.close(2); from graphscope.runtime.tensorflow import tensorflow; tensorflow(); print('started')"
    )
    done = child("-c", code)
    assert (done.returncode, done.stdout) == (0, "started\n")
