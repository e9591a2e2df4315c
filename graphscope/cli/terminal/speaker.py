"""Messages of the library on stderr while it works, and progress bars on a terminal."""

from __future__ import annotations

from contextlib import AbstractContextManager

from graphscope.advice import Advice
from graphscope.cli.terminal.graph_output import escaped_graph_output
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.progress import bytes_progress, examples_progress
from graphscope.core.listener import Advance, Listener


class Speaker(Listener):
    """Passes everything on to a sink."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def note(self, text: str | Advice) -> None:
        """See :meth:`Listener.note`."""
        self.sink.note(text)

    def warning(self, text: str | Advice) -> None:
        """See :meth:`Listener.warning`."""
        self.sink.warning(text)

    def running(self) -> AbstractContextManager[None]:
        """See :meth:`Listener.running`: what the graph prints itself reaches the terminal escaped."""
        return escaped_graph_output(self.sink)

    def reading(self, what: str, total_bytes: int) -> AbstractContextManager[Advance]:
        """See :meth:`Listener.reading`."""
        return bytes_progress(self.sink, what, total_bytes)

    def computing(self, what: str, total: int) -> AbstractContextManager[Advance]:
        """See :meth:`Listener.computing`."""
        return examples_progress(self.sink, what, total)
