"""What a notebook shows of runs and trainings: one line as text, the command's page as HTML, names as text."""

from __future__ import annotations

import numpy as np
import pytest

import graphscope
from graphscope.api.profile import Profiled
from graphscope.api.run import Outputs
from graphscope.core.shown import Shown
from graphscope.core.tensors import TensorSpec
from graphscope.core.values.dtypes import DataType
from graphscope.feeding.naming import Fetch
from graphscope.runtime.comparing.differences import Difference
from graphscope.runtime.comparing.layers import LayerComparison, LayerDifference
from graphscope.runtime.comparing.nonfinite import NonfiniteReport, ValueRange
from graphscope.runtime.comparing.verify import OutputDifference, Verification
from graphscope.runtime.run_result import RunResult
from graphscope.training.evaluation.report import ClassScore, EvaluationReport, Misclassified
from graphscope.training.graft.result import GraftReport
from graphscope.training.heads.context import Built
from graphscope.training.tune.report import ClassReport, TuneReport
from tests.notebook.test_notebook import DRAWN, HOSTILE, LENET, PLAIN, hostile_model, shown
from tests.support.traces import CPU0, metadata, trace

SPEC = TensorSpec(f"{HOSTILE}:0", DataType.FLOAT, (None, 4))
APART = Difference(DataType.FLOAT, (2,), 0.5, 0.1, is_equal=False, is_within=False, elements=2, finite=2)
SAME = Difference(DataType.FLOAT, (2,), 0.0, 0.0, is_equal=True, is_within=True, elements=2, finite=2)


def graft_report() -> GraftReport:
    return GraftReport(
        *(HOSTILE, 412, 40, 12, (SPEC,), (SPEC,), (Built("dense:5", (None, 84), (None, 5)),), SPEC),
        *({}, {"w": 60_856}, {"head": 425}, "classes", 5, True),
    )


def tune_report() -> TuneReport:
    scores = (ClassReport(HOSTILE, 7, 0.5),)
    return TuneReport(
        "classes", "accuracy", 90, 10, True, False, (), "done", "l", HOSTILE, 3, 0.25, 0.5, "validation", scores
    )


def evaluation() -> EvaluationReport:
    return EvaluationReport(
        *(HOSTILE, "y:0", "y:0", "logits", "classes", "accuracy", 9, 0.75, None, 0.125),
        *((ClassScore(HOSTILE, 9, 9, 0.5, 0.5, None),), ((9,),), (Misclassified(HOSTILE, 0, "a", "b", 0.5),)),
    )


THINGS = {
    "frozen": lambda: graphscope.freeze(LENET, outputs=["softmax"]),
    "verification": lambda: Verification((OutputDifference(f"{HOSTILE}:0", APART),), (SPEC,), 3, 0, 0),
    "agreement": lambda: Verification((OutputDifference("y:0", SAME),), (SPEC,), 1, 0, 0),
    "layers": lambda: LayerComparison(
        *(9, 0, 0, (SPEC,), (LayerDifference(HOSTILE, HOSTILE, "Relu", APART, 0.1),), (), 0, 0)
    ),
    "nonfinite": lambda: NonfiniteReport(HOSTILE, 4, HOSTILE, "Log", ValueRange(HOSTILE, (2,), 0.0, 1.0, 1, 0)),
    "outputs": lambda: Outputs((Fetch(HOSTILE, "y:0"),), RunResult((np.ones(3, np.float32),), (), {}, ())),
    "profiled": lambda: Profiled(None, trace([metadata({CPU0: [(HOSTILE, "Relu", (), 0, 5)]})])),
    "graft": graft_report,
    "tune": tune_report,
    "evaluation": evaluation,
    "drawing": lambda: graphscope.draw(hostile_model()),
}
TEXTS = {
    "frozen": ("388 nodes -> 32", "388 nodes -> 32", "VariableV2 -33"),
    "verification": (
        "1 output, max |difference| 0.5, beyond tolerance",
        "the models compute different values",
        HOSTILE[:2],
    ),
    "agreement": ("1 output, max |difference| 0, within tolerance", "the models compute the same", "y:0"),
    "layers": ("9 tensors compared, 1 differ", "9 tensors compared, 1 differ", "first"),
    "nonfinite": ("first at", "1 NaN", "first"),
    "outputs": ("Outputs of 'y:0'", "float32 (3)", "y:0"),
    "profiled": ("1 traced step", "costliest of 1", "Relu"),
    "graft": ("40 nodes kept, 12 added, 425 parameters to train", "dense:5", "60,856 in 1 are frozen"),
    "tune": ("accuracy 0.5, loss 0.25 after epoch 3", "10 held-out", "50.00 %"),
    "evaluation": ("accuracy 0.75, loss 0.125 on 9 examples", "accuracy 75.00 %", "50.00 %"),
    "drawing": ("4 nodes", "MatMul", "float32"),
}
"""What is in the one line, and what in the page."""


@pytest.mark.parametrize("kind", THINGS)
def test_one_line_and_a_page_in_which_names_are_no_markup(kind: str) -> None:
    thing = THINGS[kind]()
    assert isinstance(thing, Shown)
    line, *texts = TEXTS[kind]
    text = repr(thing)
    assert line in text
    assert text.startswith(f"<{type(thing).__name__}")
    assert not any(character in text for character in "\n\x1b\u202e")
    html = thing._repr_html_()
    found = shown(thing)
    assert found.tags <= PLAIN | DRAWN
    assert all(expected in found.text for expected in texts), found.text
    assert not any(character in html for character in "\x1b\u202e")
    assert not any(name.startswith("on") or name in ("href", "src") for name in found.attributes)
