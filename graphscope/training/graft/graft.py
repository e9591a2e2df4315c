"""A new head on a trained model: gradients stop at the cut, and only the head trains, unless more is wanted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphscope.core.model import Model
from graphscope.core.tensors import TensorName
from graphscope.errors import GraphscopeError
from graphscope.formats import load
from graphscope.formats.checkpoint.saver import free_scope
from graphscope.formats.io.atomic import refuse_existing
from graphscope.runtime.tensorflow import tensorflow
from graphscope.runtime.trust import refuse_effects
from graphscope.training.graft.base import open_base
from graphscope.training.graft.building import build
from graphscope.training.graft.head_model import open_top
from graphscope.training.graft.import_skeleton import made_ready
from graphscope.training.graft.join_models import join
from graphscope.training.graft.planning import GraftOptions, pattern, planned
from graphscope.training.graft.result import Grafted
from graphscope.training.graft.sources import refuse_unfeedable
from graphscope.training.graft.to_model import Finish

_TRAINING_SCOPE = "train"


def graft(
    base: Model | str | os.PathLike[str],
    at: str | Sequence[str] = (),
    head: str = "",
    *,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Grafted:
    """Puts a new head on a trained model. Starts TensorFlow; weights of the base are read when they are written.

    ::

        grafted = graphscope.graft("fixtures/lenet5_0to4", at="fc2/relu", head="dense:5", out="five/model.ckpt")
        with grafted.session() as session:
            session.session.run(grafted.recipe.train_op, feed_dict={...})

    Args:
        base: a model, or what :func:`graphscope.load` opens.
        at, head, options: see :class:`graphscope.training.graft.planning.GraftOptions`.
        out: prefix of the checkpoint to write; ``None`` writes nothing.
        overwrite: replace existing files.

    Raises:
        UnknownNameError: a tensor, a weight to unfreeze or an optimizer is not there; the error lists the closest names.
        GraphscopeError: the head does not fit the cut, a gradient cannot pass, nothing is left to train.
        UntrustedError: the base does more than compute, and ``trust`` is not set.
        FileError: ``out`` exists.
        Others as :func:`graphscope.training.graft.base.open_base`.
    """
    if out is not None:
        refuse_output(os.fspath(out), overwrite)
    model = base if isinstance(base, Model) else load(base)
    chosen = GraftOptions(at=[at] if isinstance(at, str) else list(at), head=head, **options)
    grafted = graft_model(model, chosen)
    if out is not None:
        grafted.save(os.fspath(out), overwrite=overwrite)
    return grafted


_OTHER_FORMATS = frozenset(
    ".pb .pbtxt .prototxt .graphdef .meta .index .h5 .hdf5 .keras .onnx .tflite .npz .npy .safetensors".split()
)


def refuse_output(prefix: str, overwrite: bool) -> None:
    """Refuses the name of a checkpoint at ``prefix`` that is taken, or that is one of another format.

    Raises:
        FileError: a file of it exists and must not be replaced.
        GraphscopeError: the name has the suffix of another format, or of one of the checkpoint's own files.
    """
    suffix = Path(prefix).suffix.lower()
    if suffix in _OTHER_FORMATS:
        raise GraphscopeError(
            f"{prefix}: a checkpoint is written, and {suffix} is not a checkpoint's suffix",
            hint=f"-o {prefix.removesuffix(Path(prefix).suffix)}.ckpt   names a checkpoint prefix",
        )
    for suffix in (".meta", ".index", ".data-00000-of-00001"):
        refuse_existing(Path(prefix + suffix), overwrite)


def graft_model(model: Model, options: GraftOptions) -> Grafted:
    """As :func:`graft`, of a model that is open; raises as that."""
    notes: list[str] = []
    plan = planned(options, notes)
    top, binds = None, dict(options.binds)
    if options.head_model is not None:
        top, binds = open_top(options.head_model, options.head_output, options.at, options.binds, options.head_values)
    at = list(dict.fromkeys([*options.at, *binds.values()]))
    if not at:
        raise GraphscopeError(
            f"{model.path}: no cut",
            hint=f"--at TENSOR says where the head goes: graphscope nodes {model.path} --tensors",
        )
    base = open_base(model, at, inputs=options.inputs, values=options.values)
    refuse_unfeedable(base)
    joined = join(
        base,
        top,
        {name: str(TensorName.parse(text)) for name, text in binds.items()},
        options.prefix,
        unfreeze=[pattern(text) for text in options.unfreeze],
        stop_gradient=options.stop_gradient,
    )
    if not options.trust:
        refuse_effects(base.path, joined.graph)
    ready = made_ready(joined, base, notes)
    plan = replace(
        plan,
        cuts=base.at,
        tops=[str(TensorName.parse(name)) for name in joined.tops],
        scope=joined.scope,
        training_scope=free_scope(ready.graph, _TRAINING_SCOPE),
        trainable=joined.trainable,
    )
    grown = build(tensorflow(), ready.imported, ready.variables, plan)
    return Finish(options, base, joined, ready, plan, grown, notes).grafted()
