"""graphscope inspects, converts, runs, profiles and fine-tunes TensorFlow model files, mostly without TensorFlow.

::

    import graphscope

    model = graphscope.load("fixtures/lenet5")
    frozen = graphscope.freeze(model, outputs="softmax")
    frozen.save("lenet5.pb")
    graphscope.run("lenet5.pb", {"input": pictures})["softmax"]
    np.asarray(model["conv1/weights"])

Every command of the command line is a function here, with the same options as keyword arguments.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphscope.advice import Advice, Call, Option
    from graphscope.analysis.cost.report import CostReport
    from graphscope.analysis.diff.report import Difference, DiffReport
    from graphscope.analysis.foreign.summary import ForeignSummary
    from graphscope.analysis.summary import Summary
    from graphscope.api.cost import cost
    from graphscope.api.diff import diff, draw_diff
    from graphscope.api.draw import Drawing, SavedDrawing, draw
    from graphscope.api.dump import LogRun, dump
    from graphscope.api.edit import Edited, SavedEdited, edit
    from graphscope.api.evaluate import EvaluationReport, evaluate
    from graphscope.api.export import Exported, export_model
    from graphscope.api.feature_function import FeatureFunction, feature_function
    from graphscope.api.features import Features, features
    from graphscope.api.freeze import Frozen, freeze
    from graphscope.api.graft import Grafted, GraftReport, graft
    from graphscope.api.profile import Profiled, profile, read_profile
    from graphscope.api.run import Outputs, run
    from graphscope.api.save import Saved, convert, save
    from graphscope.api.scalars import Curve, scalars
    from graphscope.api.serve import Serving, serve
    from graphscope.api.summarize import summarize
    from graphscope.api.text import text
    from graphscope.api.tune import Interrupted, TuneReport, tune
    from graphscope.api.verify import (
        LayerComparison,
        LayerDifference,
        NonfiniteReport,
        ValueRange,
        Verification,
        compare_layers,
        find_nonfinite,
        verify,
    )
    from graphscope.core.foreign import ForeignModel
    from graphscope.core.graph import Function, Graph, Node
    from graphscope.core.listener import Listener
    from graphscope.core.model import Model
    from graphscope.core.values.payload import Payload
    from graphscope.core.variables.variables import Variable
    from graphscope.errors import (
        ArgumentError,
        CorruptFileError,
        FileError,
        FormatError,
        GraphscopeError,
        IncompleteModelError,
        InexactKernelsWarning,
        MissingDependencyError,
        NotTensorFlowError,
        TruncatedFileError,
        UnknownNameError,
        UnsupportedError,
        UntrustedError,
    )
    from graphscope.formats import load, load_foreign
    from graphscope.formats.media.pictures import Scaling
    from graphscope.runtime.config import Placing, SessionOptions
    from graphscope.scan.audit import AuditReport, audit
    from graphscope.tracing.report import Profile
    from graphscope.training.data.source import DataOptions

__version__ = "0.2.0.dev0"
DISTRIBUTION = "tf-graphscope"
"""Its name on PyPI, where ``graphscope`` is another project."""

_MODULES = {
    "advice": "Advice Call Option",
    "analysis.foreign.summary": "ForeignSummary",
    "analysis.summary": "Summary",
    "analysis.cost.report": "CostReport",
    "analysis.diff.report": "DiffReport Difference",
    "api.cost": "cost",
    "api.diff": "diff draw_diff",
    "api.draw": "Drawing SavedDrawing draw",
    "api.dump": "LogRun dump",
    "api.evaluate": "EvaluationReport evaluate",
    "api.edit": "Edited SavedEdited edit",
    "api.export": "Exported export_model",
    "api.feature_function": "FeatureFunction feature_function",
    "api.features": "Features features",
    "api.freeze": "Frozen freeze",
    "api.graft": "GraftReport Grafted graft",
    "api.profile": "Profiled profile read_profile",
    "api.run": "Outputs run",
    "api.serve": "Serving serve",
    "api.save": "Saved convert save",
    "api.scalars": "Curve scalars",
    "api.summarize": "summarize",
    "api.text": "text",
    "api.tune": "Interrupted TuneReport tune",
    "api.verify": (
        "LayerComparison LayerDifference NonfiniteReport ValueRange Verification compare_layers find_nonfinite verify"
    ),
    "core.foreign": "ForeignModel",
    "core.graph": "Function Graph Node",
    "core.listener": "Listener",
    "core.model": "Model",
    "core.values.payload": "Payload",
    "core.variables.variables": "Variable",
    "errors": (
        "ArgumentError CorruptFileError FileError FormatError GraphscopeError IncompleteModelError InexactKernelsWarning "
        "MissingDependencyError NotTensorFlowError TruncatedFileError UnknownNameError UnsupportedError UntrustedError"
    ),
    "formats": "load load_foreign",
    "formats.media.pictures": "Scaling",
    "scan.audit": "AuditReport audit",
    "runtime.config": "Placing SessionOptions",
    "tracing.report": "Profile",
    "training.data.source": "DataOptions",
}
"""Module -> the public names that it defines. They are imported on first use: ``graphscope --help`` needs none of them."""

_HOMES = {name: f"graphscope.{module}" for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "Advice",
    "ArgumentError",
    "AuditReport",
    "Call",
    "CorruptFileError",
    "CostReport",
    "Curve",
    "DataOptions",
    "DiffReport",
    "Difference",
    "Drawing",
    "Edited",
    "EvaluationReport",
    "Exported",
    "FeatureFunction",
    "Features",
    "FileError",
    "ForeignModel",
    "ForeignSummary",
    "FormatError",
    "Frozen",
    "Function",
    "GraftReport",
    "Grafted",
    "Graph",
    "GraphscopeError",
    "IncompleteModelError",
    "InexactKernelsWarning",
    "Interrupted",
    "LayerComparison",
    "LayerDifference",
    "Listener",
    "LogRun",
    "MissingDependencyError",
    "Model",
    "Node",
    "NonfiniteReport",
    "NotTensorFlowError",
    "Option",
    "Outputs",
    "Payload",
    "Placing",
    "Profile",
    "Profiled",
    "Saved",
    "SavedDrawing",
    "SavedEdited",
    "Scaling",
    "Serving",
    "SessionOptions",
    "Summary",
    "TruncatedFileError",
    "TuneReport",
    "UnknownNameError",
    "UnsupportedError",
    "UntrustedError",
    "ValueRange",
    "Variable",
    "Verification",
    "__version__",
    "audit",
    "compare_layers",
    "convert",
    "cost",
    "diff",
    "draw",
    "draw_diff",
    "dump",
    "edit",
    "evaluate",
    "export_model",
    "feature_function",
    "features",
    "find_nonfinite",
    "freeze",
    "graft",
    "load",
    "load_foreign",
    "profile",
    "read_profile",
    "run",
    "save",
    "scalars",
    "serve",
    "summarize",
    "text",
    "tune",
    "verify",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'graphscope' has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
