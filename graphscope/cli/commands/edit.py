"""``graphscope edit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphscope.api.edit import Edited
from graphscope.api.edit import edit as edit_model
from graphscope.cli.options import shared
from graphscope.cli.options.loading import load
from graphscope.cli.options.steps import StepsCommand, given_steps
from graphscope.cli.render.edit import edited_report, summary_lines
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, write_report
from graphscope.cli.terminal.speaker import Speaker
from graphscope.formats.registry import format_for

COMMAND = StepsCommand


def edit(
    ctx: typer.Context,
    model: shared.ModelPath,
    out_: Annotated[
        str | None,
        typer.Argument(
            metavar="[OUT]", show_default=False, help="The file, checkpoint prefix or directory (DIR/) to write."
        ),
    ] = None,
    *,
    out: Annotated[
        str | None, typer.Option("--out", "-o", metavar="OUT", show_default=False, help="The same as OUT.")
    ] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", show_default=False, help="Apply the steps in this file first."),
    ] = None,
    output: Annotated[
        list[str],
        shared.repeatable(
            "--output", "NAME", "Keep (--cleanup) and compare (--verify) this node or tensor; repeatable."
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; write nothing.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Run both in TensorFlow; write the result only if they agree.")
    ] = False,
    to: shared.To = "",
    atol: shared.Atol = None,
    rtol: shared.Rtol = None,
    checkpoint: shared.Checkpoint = None,
    tags: shared.Tags,
    trust: shared.Trust = False,
    allow_outside: shared.AllowOutside = False,
    force: shared.Force = False,
    format: shared.FormatOption = Format.TABLE,
) -> None:
    """Change a model step by step, in the order given: names, wiring, shapes, parts, signatures."""
    sink = Sink.standard()
    speaker = Speaker(sink)
    target = "" if dry_run else shared.chosen_out(out_, out, "edited.pb")
    steps = given_steps(ctx)
    if not steps and recipe is None:
        raise typer.BadParameter("name a step, for example --cleanup or --rename REGEX=NEW", param_hint="STEP")
    if target:
        format_for(target, to).refuse_unwritable(target, force)
    loaded = load(model, tags=shared.split_tags(tags), checkpoint=checkpoint)
    edited = edit_model(loaded, steps, recipe=recipe, outputs=output, listener=speaker)
    if dry_run:
        _show(sink, format, edited)
        return
    found = edited.save(
        target,
        to=to,
        overwrite=force,
        verify=verify,
        atol=atol,
        rtol=rtol,
        trust=trust,
        allow_outside=allow_outside,
        listener=speaker,
    )
    write_report(sink, format, edited_report(edited, found), summary_lines(edited, found), [found.path])


def _show(sink: Sink, format: Format, edited: Edited) -> None:
    from graphscope.cli.commands.diff import TOP
    from graphscope.cli.render.diff import write_report as write_diff

    write_diff(sink, format, edited.diff(), TOP)


EXAMPLES = """
  graphscope edit model.pb clean.pb --cleanup --verify
  graphscope edit model.ckpt-5000 new.ckpt --rename ^tower_0/= --remove dropout/mul
  graphscope edit model.pb any_batch.pb --batch ? --dtype images=uint8
  graphscope edit a.pb both.pb --merge second=b.pb --bind second/x=softmax
"""
