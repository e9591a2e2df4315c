"""``graphscope convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from graphscope.api.export import export_model
from graphscope.api.save import format_to_write, save
from graphscope.cli.options import data as data_shared
from graphscope.cli.options import shared
from graphscope.cli.options.export import export_option, refuse_export_options
from graphscope.cli.options.loading import load
from graphscope.cli.options.shapes import BatchOption, InputShapes, given_batch, named_shapes
from graphscope.cli.render.export import exported_lines
from graphscope.cli.terminal import text
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format, write_report
from graphscope.cli.terminal.speaker import Speaker


def convert(
    model: shared.ModelPath,
    out: Annotated[
        str,
        typer.Argument(
            metavar="OUT", show_default=False, help="The file, checkpoint prefix or directory (DIR/) to write."
        ),
    ],
    *,
    to: shared.To = "",
    output: shared.OutputNames,
    input: shared.InputNames,
    weights: Annotated[
        list[Path],
        shared.repeatable(
            "--weights", "FILE", "Take values from an npz, safetensors or checkpoint file; repeat to average several."
        ),
    ],
    checkpoint: shared.Checkpoint = None,
    allow_outside: shared.AllowOutside = False,
    set_: shared.SetValues,
    ema: Annotated[bool, export_option("--ema", "Export: use each variable's moving average, if it has one.")] = False,
    rename: Annotated[
        list[str],
        shared.repeatable(
            "--rename", "OLD=NEW", "Export: rename an input or an output. --weights: replace a REGEX. Repeatable."
        ),
    ],
    opset: Annotated[int | None, export_option("--opset", "ONNX: opset version; default: 20.", "N")] = (None),
    shape: InputShapes,
    batch: BatchOption = "",
    for_tensorflow: shared.ForTensorFlow = "",
    external_data: Annotated[
        bool | None, typer.Option("--external-data/--no-external-data", help="ONNX: store weights in a separate file.")
    ] = None,
    quantize: Annotated[
        str | None,
        export_option("--quantize", "TensorFlow Lite: float16, dynamic, or int8 with --data.", "HOW"),
    ] = None,
    data: Annotated[
        str, export_option("--data", "Calibrate int8 with 100 of these examples (as in tune).", "DATA")
    ] = "",
    schema: data_shared.Schema = "",
    scale: data_shared.Scale = "",
    mean: data_shared.Mean = "",
    size: data_shared.Size = "",
    verify: Annotated[
        bool,
        export_option("--verify", "Export: run TensorFlow and the other runtime; keep the file only if they agree."),
    ] = False,
    feed: shared.Feeds,
    atol: Annotated[
        float | None, export_option("--atol", "Export: absolute tolerance of --verify; default: 1e-4.", "X")
    ] = None,
    rtol: Annotated[
        float | None, export_option("--rtol", "Export: relative tolerance of --verify; default: 1e-4.", "X")
    ] = None,
    trust: shared.Trust = False,
    tags: shared.Tags,
    force: shared.Force = False,
    format: shared.FormatOption = Format.TABLE,
) -> None:
    """Write a model in another format."""
    sink = Sink.standard()
    given: dict[str, Any] = {
        "set": set_ or None,
        "ema": ema or None,
        "opset": opset,
        "external_data": external_data,
        "quantize": quantize,
        "data": data or None,
        "reading": data_shared.data_options(schema=schema, scale=scale, mean=mean, size=size) if data else None,
        "verify": verify or None,
        "feeds": feed or None,
        "atol": atol,
        "rtol": rtol,
        "trust": trust or None,
    }
    if not data and (schema or scale or mean or size):
        raise typer.BadParameter("only valid with --data", param_hint="--schema, --scale, --mean, --size")
    chosen = {name: value for name, value in given.items() if value is not None}
    row = format_to_write(out, to, weights, force)
    if row.export is not None:
        loaded = load(model, tags=shared.split_tags(tags), checkpoint=checkpoint)
        if for_tensorflow:
            raise typer.BadParameter(f"TensorFlow does not load {row.title}", param_hint="--for-tensorflow")
        exported = export_model(
            loaded,
            out,
            to=to,
            outputs=output,
            inputs=input,
            shape=named_shapes(shape),
            batch=given_batch(batch),
            rename=shared.named_texts(rename, "--rename"),
            overwrite=force,
            listener=Speaker(sink),
            **chosen,
        )
        write_report(sink, format, exported, exported_lines(exported), list(exported.files))
        return
    refuse_export_options(chosen)
    saved = save(
        load(model, tags=shared.split_tags(tags), checkpoint=checkpoint),
        out,
        to=to,
        outputs=output,
        inputs=input,
        shape=named_shapes(shape),
        batch=given_batch(batch),
        for_tensorflow=for_tensorflow,
        weights=weights,
        rename=rename,
        allow_outside=allow_outside,
        overwrite=force,
        listener=Speaker(sink),
    )
    line = f"{text.escape(saved.path)}  {saved.format}, {text.size(saved.size_bytes)}"
    write_report(sink, format, saved, [line], [saved.path])


EXAMPLES = """
  graphscope convert model.ckpt-5000 exported/ --output prob
  graphscope convert model.ckpt-5000 weights.safetensors
  graphscope convert model.ckpt-5000 tuned.ckpt --weights weights.npz
  graphscope convert model.ckpt-5000 mean.ckpt --weights model.ckpt-4000 --weights model.ckpt-5000
  graphscope convert model.ckpt-5000 model.onnx --output prob --rename input:0=image --verify
"""
