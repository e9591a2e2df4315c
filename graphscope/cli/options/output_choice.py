"""The outputs that a command computes, and a note where nobody named them."""

from __future__ import annotations

from collections.abc import Sequence

from graphscope.cli.terminal.output import Sink
from graphscope.core.model import Model


def chosen_outputs(sink: Sink, model: Model, wanted: Sequence[str]) -> tuple[str, ...]:
    """As :func:`graphscope.analysis.choose_outputs.choose_outputs`, told to the person; raises what it raises."""
    from graphscope.analysis.choose_outputs import choose_outputs

    chosen = choose_outputs(model, wanted)
    if chosen.reason:
        sink.note(f"{', '.join(chosen.outputs)} taken as the output ({chosen.reason}); --output to choose")
    return chosen.outputs
