"""``graphscope verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from graphscope.cli.options import shared
from graphscope.cli.options.loading import load, load_runnable
from graphscope.cli.terminal.output import Sink
from graphscope.cli.terminal.pages import Format
from graphscope.cli.terminal.speaker import Speaker
from graphscope.core.model import Model
from graphscope.errors import GraphscopeError
from graphscope.runtime.engines.table import TENSORFLOW

if TYPE_CHECKING:
    from graphscope.formats.registry import ForeignFile

DIFFERENT, TROUBLE = 1, 2
"""Exit codes, as for ``diff`` and ``cmp``: 0 means that the models agree."""

TOP = 10


def verify(
    first: Annotated[
        str, typer.Argument(metavar="A", show_default=False, help="A model, or a file of another runtime.")
    ],
    second: Annotated[
        str | None,
        typer.Argument(metavar="[B]", show_default=False, help="The model to compare with A; not needed with --nan."),
    ] = None,
    *,
    output: Annotated[
        list[str], shared.repeatable("--output", "NAME", "Compare this node or tensor of B; repeatable.")
    ],
    map_: Annotated[
        list[str],
        shared.repeatable("--map", "A:0=B:0", "Treat these tensors of A and B as the same; repeatable."),
    ],
    feed: shared.Feeds,
    set_: Annotated[
        list[str], shared.repeatable("--set", "NAME=VALUE", "Feed only A, for an input that is fixed in B; repeatable.")
    ],
    layers: Annotated[
        bool, typer.Option("--layers", help="Compare all tensors and show where the models start to differ.")
    ] = False,
    nan: Annotated[
        bool, typer.Option("--nan", help="Find the first node that produces a NaN or infinity, in A, then in B.")
    ] = False,
    batches: Annotated[int, typer.Option(metavar="N", min=1, help="Number of random inputs.")] = 3,
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Size of unknown dimensions.")] = 2,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed for random values.")] = 0,
    atol: Annotated[
        float | None,
        typer.Option(metavar="X", show_default=False, help="Absolute tolerance; default: 1e-6, in other engines 1e-4."),
    ] = None,
    rtol: Annotated[
        float | None,
        typer.Option(metavar="X", show_default=False, help="Relative tolerance; default: 1e-5, in other engines 1e-4."),
    ] = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="Show the N largest differences of --layers.")] = TOP,
    tags: shared.Tags,
    trust: shared.Trust = False,
    engine: Annotated[
        str,
        typer.Option(
            metavar="B|A,B",
            show_default=False,
            help="Run B in this engine, or A and B in two: tensorflow, onnxruntime, openvino.",
        ),
    ] = "",
    format: shared.FormatOption = Format.TABLE,
) -> None:
    """Run two models on the same inputs and compare what they compute."""
    sink = Sink.standard()
    _refuse_contradiction(second, layers, nan, engine)
    engines = _engines(engine)
    try:
        paths = [path for path in (first, second) if path is not None]
        running: dict[str, Any] = {
            "outputs": output,
            "feeds": feed,
            "batch": batch,
            "seed": seed,
            "trust": trust,
            "listener": Speaker(sink),
        }
        pairing = {
            "map": shared.named_texts(map_, "--map", "TENSOR_OF_A=TENSOR_OF_B"),
            "set": set_,
            **{name: value for name, value in (("atol", atol), ("rtol", rtol)) if value is not None},
            **running,
        }
        if nan or layers:
            models = [load(path, tags=shared.split_tags(tags)) for path in paths]
            is_good = (
                _search(sink, format, models, running) if nan else _compare_layers(sink, format, models, top, pairing)
            )
        else:
            a, b = (load_runnable(path, tags=shared.split_tags(tags)) for path in paths)
            is_good = _compare(sink, format, a, b, {"batches": batches, "engine": engines, **pairing})
        sink.flush()
    except GraphscopeError as error:
        sink.error(error)
        raise typer.Exit(TROUBLE) from error
    if not is_good:
        raise typer.Exit(DIFFERENT)


def _refuse_contradiction(second: str | None, layers: bool, nan: bool, engine: str) -> None:
    if layers and nan:
        raise typer.BadParameter("--layers and --nan cannot be combined", param_hint="--nan")
    if (layers or nan) and engine not in ("", TENSORFLOW):
        raise typer.BadParameter("--layers and --nan require TensorFlow as the engine", param_hint="--engine")
    if second is None and not nan:
        raise typer.BadParameter("name the model to compare with", param_hint="B")


def _engines(text: str) -> tuple[str, str]:
    """``B`` or ``A,B``; by default TensorFlow, or a file's own runtime."""
    names = [name.strip() for name in text.split(",")]
    if len(names) > 2:
        raise typer.BadParameter(f"{text} names more than two engines", param_hint="--engine")
    return (names[0], names[1]) if len(names) == 2 else ("", names[0])


def _compare(
    sink: Sink, format: Format, a: Model | ForeignFile, b: Model | ForeignFile, options: dict[str, Any]
) -> bool:
    from graphscope.api.verify import verify as compare
    from graphscope.cli.render.verify import write_verification

    found = compare(a, b, **options)
    write_verification(sink, format, found)
    return found.is_within and found.is_proven


def _compare_layers(sink: Sink, format: Format, models: list[Model], top: int, options: dict[str, Any]) -> bool:
    from graphscope.api.verify import compare_layers
    from graphscope.cli.render.verify import write_layers

    found = compare_layers(*models, **options)
    write_layers(sink, format, found, top)
    return found.is_within


def _search(sink: Sink, format: Format, models: list[Model], options: dict[str, Any]) -> bool:
    from graphscope.api.verify import find_nonfinite
    from graphscope.cli.render.verify import write_nonfinite

    reports = [find_nonfinite(model, **options) for model in models]
    write_nonfinite(sink, format, reports)
    return all(report.is_finite for report in reports)


EXAMPLES = """
  graphscope verify model.ckpt-5000 frozen.pb
  graphscope verify old.pb new.pb --layers
  graphscope verify model.ckpt-5000 frozen.pb --engine onnxruntime
  graphscope verify frozen.pb model.onnx
  graphscope verify a.pb b.pb --map images:0=input:0 --map probs:0=softmax:0
  graphscope verify model.ckpt-5000 --nan --feed input=@batch.npy
"""
