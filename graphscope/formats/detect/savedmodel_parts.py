"""Files that are parts of a SavedModel, not models themselves: the error suggests their directory."""

from __future__ import annotations

import os
from pathlib import Path

from graphscope.advice import Advice, Call
from graphscope.errors import NotTensorFlowError
from graphscope.formats.io.paths import is_file

SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.pbtxt")

PARTS = {
    "fingerprint.pb": "the fingerprint of a SavedModel",
    "keras_metadata.pb": "what Keras adds to a SavedModel",
    "tfhub_module.pb": "the mark of a TensorFlow Hub module",
}
_ASSET_DIRECTORIES = {"assets": "an asset", "assets.extra": "an extra asset"}


def saved_model_around(path: Path) -> Path | None:
    """The SavedModel directory that the file ``path`` is in, at any depth that one has."""
    for directory in (path.parent, path.parent.parent):
        if any(is_file(directory / name) for name in SAVED_MODEL_FILES):
            return directory
    below_assets = next((p for p in path.parents if p.name in _ASSET_DIRECTORIES), None)
    if below_assets is not None and any(is_file(below_assets.parent / name) for name in SAVED_MODEL_FILES):
        return below_assets.parent
    return None


def refuse_part(path: Path) -> None:
    """Raises an error if ``path`` is a part of a SavedModel by its name and place.

    Raises:
        NotTensorFlowError: it is.
    """
    directory = saved_model_around(path)
    if path.name in PARTS:
        elsewhere = "name the directory of the SavedModel; saved_model.pb is not beside this file"
        hint = elsewhere if directory != path.parent else _info(directory)
        raise NotTensorFlowError(f"this is {PARTS[path.name]}, not a model by itself", path=path, hint=hint)
    if directory is None or path.parent == directory:
        return
    top = path.relative_to(directory).parts[0]
    if top in _ASSET_DIRECTORIES:
        message = f"this is {_ASSET_DIRECTORIES[top]} of a SavedModel, not a model by itself"
        raise NotTensorFlowError(message, path=path, hint=_info(directory))


def _info(directory: Path) -> Advice:
    return Advice("name the directory: ", Call("summarize", (os.fspath(directory),)))
