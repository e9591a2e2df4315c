"""``graphscope.edit``: a model after some steps."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from graphscope.analysis.diff.report import DiffReport
from graphscope.api.opening import ModelLike, Names, as_model, as_names
from graphscope.api.proof import refuse_unproven
from graphscope.api.save import Saved, save
from graphscope.core.listener import SILENT, Listener
from graphscope.core.model import Model
from graphscope.core.op_sets import PLACEHOLDER_OPS
from graphscope.core.tensors import node_of
from graphscope.editing.edited import Edited as EditedModel
from graphscope.editing.recipe import read_recipe
from graphscope.editing.signatures import refuse_dangling
from graphscope.editing.steps import Step
from graphscope.editing.table import apply_step, step_by_name
from graphscope.errors import GraphscopeError
from graphscope.formats.registry import format_for
from graphscope.runtime.verify import ATOL, RTOL, Verification


@dataclass(frozen=True, slots=True)
class SavedEdited(Saved):
    """An edited model as it was written.

    Attributes:
        verification: what the comparison with the model before found; ``None`` where none was asked for.
    """

    verification: Verification | None = None


@dataclass(frozen=True)
class Edited:
    """A model after some steps.

    Attributes:
        source: the model before.
        model: the model after.
        names: tensor of ``source`` -> what it is called in ``model``, where that is another name.
        outputs: the tensors that were named as outputs, by their present names.
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
        listener: Listener = SILENT,
    ) -> SavedEdited:
        """Writes the model in the format that the name of ``path`` says; more arguments and errors as :func:`graphscope.save`.

        Args:
            verify: run both models in TensorFlow first; nothing is written unless they agree.
            atol, rtol, trust: of the verification.

        Raises:
            GraphscopeError: the models differ, or nothing can be said of outputs that are random.
        """
        format_for(path, to).refuse_unwritable(path, overwrite)
        found = None
        if verify:
            found = self.verify(atol=atol, rtol=rtol, trust=trust, listener=listener)
            refuse_unproven(found, "the edited model", self.model.graph)
        saved = save(self.model, path, to=to, overwrite=overwrite, listener=listener)
        return SavedEdited(saved.path, saved.format, saved.size_bytes, found)

    def diff(self) -> DiffReport:
        """What differs from the model before; see :func:`graphscope.diff`."""
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
        """Runs both models on the same inputs; what was renamed is paired. See :func:`graphscope.verify`."""
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
        """Inputs and named outputs that have other names now."""
        for old, new in self.names.items():
            node = self.model.graph.get(node_of(new))
            is_asked = node is not None and (node.op in PLACEHOLDER_OPS or new in self.outputs)
            if is_asked and node_of(old) in self.source.graph:
                yield old, new


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
        steps: each a step, or its kind and text as on the command line: ``("rename", "^tower_0/=")``.
        recipe: a YAML file of steps that come before these.
        outputs: tensors that must stay, for ``cleanup`` and the verification; by default those of signatures or likely ones.
        checkpoint, tags: see :func:`graphscope.load`; for paths only.

    Raises:
        UnknownNameError: a step names what is not there.
        ArgumentError: the text of a step is of another form.
        GraphscopeError: a step cannot be made, or its result is not valid; the error begins with the step.
    """
    source = as_model(model, tags=tags, checkpoint=checkpoint)
    source.refuse_invalid()
    edited = EditedModel(source, as_names(outputs))
    for step in [*(read_recipe(recipe) if recipe is not None else ()), *steps]:
        edited = _apply(edited, step)
    refuse_dangling(edited)
    for note in edited.notes:
        listener.note(note)
    return Edited(source, edited.model, edited.names, edited.outputs)


def _apply(edited: EditedModel, step: Step | tuple[str, str]) -> EditedModel:
    try:
        return apply_step(step_by_name(*step) if isinstance(step, tuple) else step, edited)
    except GraphscopeError as error:
        if isinstance(step, tuple):
            error.message = f"{' '.join(filter(None, step))}: {error.message}"
        raise


__all__ = ["Edited", "SavedEdited", "Step", "edit"]
