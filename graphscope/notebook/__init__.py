"""What a notebook shows of models, graphs, nodes and reports."""

from graphscope.notebook.views import html_of

__all__ = ["html_of"]
