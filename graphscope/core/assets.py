"""The assets that a SavedModel declares: files below its ``assets`` directory that the graph names.

Source: ``meta_graph.proto``; ``get_asset_tensors`` in ``tensorflow/python/saved_model/loader_impl.py`` (2.21).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from graphscope.protos import AssetFileDef, MetaGraphDef

COLLECTION = "saved_model_assets"


def stated_assets(meta: MetaGraphDef) -> Sequence[AssetFileDef]:
    """What the meta graph lists, or what the collection of earlier versions holds.

    Raises:
        DecodeError: a value of that collection is no ``AssetFileDef``.
    """
    if meta.asset_file_def or COLLECTION not in meta.collection_def:
        return meta.asset_file_def
    return [AssetFileDef.FromString(value.value) for value in meta.collection_def[COLLECTION].any_list.value]


def asset_parts(filename: str) -> tuple[str, ...]:
    """The parts of an asset's path below the directory of assets; none for a name that leads elsewhere."""
    parts = PurePosixPath(filename.replace("\\", "/")).parts
    is_inside = bool(parts) and ".." not in parts and parts[0] != "/" and "\0" not in filename
    return parts if is_inside else ()
