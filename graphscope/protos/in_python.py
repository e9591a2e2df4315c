"""protobuf's messages in Python, which are imported only where its compiled ones are missing."""

from __future__ import annotations

import importlib.util
import sys

_MESSAGES = "google.protobuf.internal.python_message"
"""``google.protobuf.descriptor_pool`` imports it in any case; it brings the parser of text, calendars and pickles."""


def import_on_use() -> None:
    """From now on the module is in its place, and is imported when something is taken from it.

    Nothing changes where protobuf has been imported before.
    """
    spec = importlib.util.find_spec(_MESSAGES) if _MESSAGES not in sys.modules else None
    if spec is None or spec.loader is None:
        return
    spec.loader = loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    package, _, name = _MESSAGES.rpartition(".")
    sys.modules[_MESSAGES] = module
    setattr(sys.modules[package], name, module)
    loader.exec_module(module)
