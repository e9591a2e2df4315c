"""Rules for versions and shapes in both checkpoint formats.

Sources: ``CheckVersions`` in ``tensorflow/core/framework/versions.cc``; ``tensorflow/core/framework/tensor_shape.h``. Both
formats have been at version 1 since 2016 (``kTensorBundleVersion``, ``TF_CHECKPOINT_VERSION``).
"""

from __future__ import annotations

import math

from graphscope.errors import UnsupportedError
from graphscope.formats.io.wire import FileSource
from graphscope.protos import VersionDef

CHECKPOINT_VERSION = 1

MAX_RANK = 254
"""TensorFlow's limit on dimensions."""

MAX_ELEMENTS = 1 << 59
"""Of 16 bytes each, more than this have no place in an address space. Dimensions of size 0 count as 1."""


def check_versions(versions: VersionDef, source: FileSource) -> None:
    """Applies TensorFlow's rule to the versions that ``source`` states.

    Raises:
        UnsupportedError: the checkpoint says that readers of version 1 cannot read it.
    """
    if versions.min_consumer > CHECKPOINT_VERSION or CHECKPOINT_VERSION in versions.bad_consumers:
        needed = max(versions.min_consumer, CHECKPOINT_VERSION + 1)
        raise UnsupportedError(
            f"the checkpoint needs a reader of format version {needed}; this one knows version {CHECKPOINT_VERSION}",
            path=source.path,
        )


def is_shape(shape: tuple[int, ...]) -> bool:
    """Whether a tensor can have this shape."""
    if not shape:
        return True
    return min(shape) >= 0 and len(shape) <= MAX_RANK and math.prod([d or 1 for d in shape]) <= MAX_ELEMENTS
