"""``graphscope info``."""

from __future__ import annotations

from graphscope.cli.options.shared import Checkpoint, FormatOption, ModelPath, Tags, split_tags
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format


def info(model: ModelPath, *, checkpoint: Checkpoint = None, tags: Tags, format: FormatOption = Format.TABLE) -> None:
    """Summarize a model: versions, parameters, inputs, likely outputs, missing parts."""
    from graphscope.api.summarize import summarize
    from graphscope.cli.options.loading import open_any
    from graphscope.cli.render.info import write_info

    chosen = split_tags(tags)
    write_info(Sink.standard(), format, summarize(open_any(model, tags=chosen, checkpoint=checkpoint)), chosen)


EXAMPLES = """
  graphscope info model.ckpt-5000
  graphscope info saved_model_directory --tags serve
  graphscope info frozen.pb --format json | jq .graph.ops
"""
