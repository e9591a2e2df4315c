"""Which GPU is whose: several processes of one machine take them in turn. Starts nothing that uses one.

Sources: the CUDA C++ Programming Guide, "CUDA Environment Variables" (``CUDA_VISIBLE_DEVICES``: numbers or identifiers; what
follows one that does not exist is not seen); the driver's README, "The /proc/driver/nvidia/ file system".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
"""The variable that says which GPUs a process may use; unset, all of them."""

GROWTH = "TF_FORCE_GPU_ALLOW_GROWTH"
"""With it, TensorFlow takes a GPU's memory as it is needed, and not all at once, so that several processes can use one."""

GPUS = Path("/proc/driver/nvidia/gpus")
"""A directory for each GPU of the machine."""


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as :data:`VISIBLE` names them; none if there is no driver of NVIDIA."""
    stated = os.environ.get(VISIBLE)
    if stated is None:
        return [str(number) for number in range(_count())]
    names: list[str] = []
    for name in map(str.strip, stated.split(",")):
        if not name or name == "-1":
            break
        names.append(name)
    return names


def _count() -> int:
    try:
        return len(list(GPUS.iterdir()))
    except OSError:
        return 0


def gpu_environment(number: int, count: int) -> Mapping[str, str]:
    """What the environment of process ``number`` of ``count`` says of GPUs: the next one in turn, and whether it is shared.

    Empty for a process that is alone, which has all of them, and if there are none.
    """
    gpus = visible_gpus()
    if count < 2 or not gpus:
        return {}
    own = {VISIBLE: gpus[number % len(gpus)]}
    return own | {GROWTH: "true"} if count > len(gpus) else own
