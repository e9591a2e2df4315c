"""``graphscope.edit``: changes a model step by step."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from graphscope.analysis.diff.report import DiffReport
from graphscope.api.opening import ModelLike, Names, as_model, as_names
from graphscope.api.proof import refuse_unproven
from graphscope.api.save import Saved, save
from graphscope.core.arguments import check_arguments
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.core.ops.sets import PLACEHOLDER_OPS
from graphscope.core.tensors import node_of
from graphscope.editing.edited import Edited as EditedModel
from graphscope.editing.fitting import refuse_misfits
from graphscope.editing.recipe import read_recipe
from graphscope.editing.signatures import refuse_dangling
from graphscope.editing.steps import Step
from graphscope.editing.table import apply_step, step_by_name
from graphscope.errors import GraphscopeError
from graphscope.formats.registry import format_for
from graphscope.runtime.comparing.verify import ATOL, RTOL, Verification


@dataclass(frozen=True, slots=True)
class SavedEdited(Saved):
    """A written edited model.

    Attributes:
        verification: the comparison with the original model; ``None`` if it was not requested.
    """

    verification: Verification | None = None


@dataclass(frozen=True)
class Edited:
    """An edited model.

    Attributes:
        source: the original model.
        model: the edited model.
        names: tensor of ``source`` -> its name in ``model``, for renamed tensors.
        outputs: the tensors that were named as outputs, with their new names.
    """

    source: Model
    model: Model
    names: Mapping[str, str]
    outputs: tuple[str, ...] = ()

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        to: str = "",
        overwrite: bool = False,
        verify: bool = False,
        atol: float | None = None,
        rtol: float | None = None,
        trust: bool = False,
        allow_outside: bool = False,
        listener: Listener = SILENT,
    ) -> SavedEdited:
        """Writes the model in the format given by the name of ``path``; other arguments and errors as :func:`graphscope.save`.

        Args:
            verify: run both models in TensorFlow first; nothing is written unless they agree.
            atol, rtol, trust: of the verification.

        Raises:
            GraphscopeError: the models differ, or their outputs are random and cannot be compared.
        """
        format_for(path, to).refuse_unwritable(path, overwrite)
        found = None
        if verify:
            found = self.verify(atol=atol, rtol=rtol, trust=trust, listener=listener)
            refuse_unproven(found, "the edited model", self.model.graph)
        named = () if self.model.signatures else [name for name in self.outputs if node_of(name) in self.model.graph]
        saved = save(
            self.model,
            path,
            to=to,
            outputs=named,
            allow_outside=allow_outside,
            overwrite=overwrite,
            listener=listener,
        )
        return SavedEdited(saved.path, saved.format, saved.size_bytes, found)

    def diff(self) -> DiffReport:
        """The differences from the original model; see :func:`graphscope.diff`."""
        from graphscope.api.diff import diff

        return diff(self.source, self.model)

    def verify(
        self,
        *,
        atol: float | None = None,
        rtol: float | None = None,
        trust: bool = False,
        listener: Listener = SILENT,
    ) -> Verification:
        """Runs both models on the same inputs, with renamed tensors paired. See :func:`graphscope.verify`."""
        from graphscope.api.verify import verify

        return verify(
            self.source,
            self.model,
            outputs=self.outputs,
            map=dict(self._pairs()),
            atol=ATOL if atol is None else atol,
            rtol=RTOL if rtol is None else rtol,
            trust=trust,
            listener=listener,
        )

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """Renamed inputs and outputs."""
        for old, new in self.names.items():
            node = self.model.graph.get(node_of(new))
            is_asked = node is not None and (node.op in PLACEHOLDER_OPS or new in self.outputs)
            if is_asked and node_of(old) in self.source.graph:
                yield old, new


@check_arguments
def edit(
    model: ModelLike,
    steps: Iterable[Step | tuple[str, str]] = (),
    *,
    recipe: str | os.PathLike[str] | None = None,
    outputs: Names = (),
    checkpoint: str | os.PathLike[str] | None = None,
    tags: str | Collection[str] = (),
    listener: Listener = SILENT,
) -> Edited:
    """Changes a model step by step: names, wiring, shapes, parts, signatures. Values follow; no TensorFlow.

    Args:
        steps: steps, or pairs of kind and text as on the command line: ``("rename", "^tower_0/=")``.
        recipe: a YAML file of steps to apply before ``steps``.
        outputs: tensors to keep in ``cleanup`` and to verify; by default the outputs of the signatures or the likely outputs.
        checkpoint, tags: see :func:`graphscope.load`; only for paths.

    Raises:
        UnknownNameError: a step names something that does not exist.
        ArgumentError: the text of a step does not have the expected form.
        GraphscopeError: a step cannot be applied, or its result is not valid; the error starts with the step.
    """
    source = as_model(model, tags=tags, checkpoint=checkpoint)
    source.refuse_invalid()
    edited = EditedModel(source, as_names(outputs))
    given = list(steps)
    for number, recipe_step in enumerate(read_recipe(recipe) if recipe is not None else (), 1):
        edited = _apply(edited, recipe_step, f"{os.fspath(recipe or '')}: step {number}")
    for step in given:
        edited = _apply(edited, step, " ".join(filter(None, step)) if isinstance(step, tuple) else "")
    refuse_dangling(edited)
    if edited.model.graph is not source.graph:
        refuse_misfits(source, edited.model)
    for note in edited.notes:
        listener.note(note)
    return Edited(source, edited.model, edited.names, edited.outputs)


def _apply(edited: EditedModel, step: Step | tuple[str, str], name: str) -> EditedModel:
    """The model after a step, which errors call ``name``."""
    try:
        return apply_step(step_by_name(*step) if isinstance(step, tuple) else step, edited)
    except GraphscopeError as error:
        if name:
            error.message = f"{name}: {error.message}"
        raise


__all__ = ["Edited", "SavedEdited", "Step", "edit"]
