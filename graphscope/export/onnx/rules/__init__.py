"""The rules that convert TensorFlow ops to ONNX, by subject."""

from __future__ import annotations

from importlib import import_module

from graphscope.export.onnx.registry import RULES

NO_RULE = "there is no rule for this op"

_SUBJECTS = (
    "sources arithmetic shapes slicing reduction linear convolution pooling resize detection quantization"
    " control_flow arrays"
).split()


def load() -> None:
    """Registers all rules."""
    for subject in _SUBJECTS:
        import_module(f"{__name__}.{subject}")


def is_known(op: str) -> bool:
    """Whether there is a rule for ``op``."""
    return op in RULES
