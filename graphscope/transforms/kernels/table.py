"""The table of NumPy kernels, and the one place that calls them.

Each gives the same bits as TensorFlow's; a kernel that could not is not here. TensorFlow's own kernels can compute the rest
(:class:`graphscope.transforms.borrowed_kernels.Evaluate`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphscope.core.graph import Node
from graphscope.core.ops.table import ArgumentType
from graphscope.core.values.dtypes import DataType
from graphscope.core.values.payload import ArrayPayload, Payload
from graphscope.protos import OpDef
from graphscope.transforms.kernels import arithmetic, indexing, reductions, shaping
from graphscope.transforms.kernels.kernel import MAX_VALUE_BYTES, Array, Call, DeclinedError, Kernel, flush_subnormals

TABLE: Mapping[str, Kernel] = {
    **arithmetic.TABLE,
    **shaping.TABLE,
    **indexing.TABLE,
    **reductions.TABLE,
}
"""Op -> how its nodes are computed."""


def compute(
    node: Node, definition: OpDef, payloads: Sequence[Payload], outputs: Sequence[ArgumentType],
    limit: int = MAX_VALUE_BYTES,
) -> list[Payload] | None:  # fmt: skip
    """The outputs of ``node``; ``None`` if there is no kernel for it, or the kernel declines.

    Args:
        payloads: its data inputs, in order, of the types that ``definition`` states.
        outputs: the types of its outputs.
        limit: bytes that its inputs, and its output, may take.

    Raises:
        CorruptFileError, IncompleteModelError: an input cannot be read.
    """
    kernel = TABLE.get(node.op)
    if kernel is None or not kernel.types.issuperset(p.dtype for p in payloads):
        return None
    try:
        with np.errstate(all="ignore"):
            results = kernel.run(Call(node, definition, payloads, outputs, limit, flushes=kernel.flushes))
    except (DeclinedError, ValueError, IndexError, OverflowError):
        # TensorFlow refuses this node too, with its own words, if it is ever run.
        return None
    if len(results) != len(outputs):
        return None
    return [_payload(result, output, kernel) for result, output in zip(results, outputs)]


def _payload(result: Array | Payload, output: ArgumentType, kernel: Kernel) -> Payload:
    if isinstance(result, Payload):
        return result
    # NumPy gives an element, not an array, where no dimension is left; of strings, it is bytes.
    array = np.asarray(result, object if output.dtype is DataType.STRING else None)
    return ArrayPayload(flush_subnormals(array) if kernel.flushes else array, output.dtype)
