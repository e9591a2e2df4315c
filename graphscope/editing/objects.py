"""The objects of a TensorFlow 2 SavedModel, which hold functions of their own beside the graph."""

from __future__ import annotations

from dataclasses import replace

from graphscope.core.model import Model
from graphscope.editing.edited import Edited, with_parts
from graphscope.editing.values import NamedValues, values_by_name
from graphscope.protos import MetaGraphDef

_NOTE = "the Python objects of the TensorFlow 2 SavedModel are dropped: tf.saved_model.load returns only the signatures"


def without_objects(edited: Edited) -> Edited:
    """``edited`` as a SavedModel that loaders take from its graph; with a note, if they took it from its objects.

    ``tf.saved_model.load`` calls the functions of the objects if there are any, whatever the graph computes.
    """
    model = plain_model(edited.model)
    return edited if model is edited.model else replace(edited, model=model).noted(_NOTE)


def plain_model(model: Model) -> Model:
    """``model`` with its values by the names of its variables, and without objects."""
    if not model.meta.HasField("object_graph_def"):
        return model
    meta = MetaGraphDef()
    meta.CopyFrom(model.meta)
    meta.ClearField("object_graph_def")
    meta.ClearField("saver_def")  # it knows the values by the paths of objects
    store = NamedValues(values_by_name(model)) if model.store is not None else None
    return with_parts(model, model.graph, meta, store)
