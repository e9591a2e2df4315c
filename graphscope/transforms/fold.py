"""Constant folding: what depends on constants only becomes a constant.

Loops and branches are safe: a node that ``Enter``, ``Switch`` or ``Merge`` feeds has no constant inputs, and a constant keeps the
control edges that say in which branch or iteration it lives.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from graphscope.core.build import constant, with_inputs
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Graph, Node
from graphscope.core.ops import OutputType, input_types
from graphscope.core.payload import ArrayPayload, Payload
from graphscope.core.tensors import TensorName, node_of
from graphscope.protos import OpDef
from graphscope.transforms.effects import Effects
from graphscope.transforms.kernel import MAX_VALUE_BYTES, size_bytes
from graphscope.transforms.kernels import TABLE, compute
from graphscope.transforms.sweep import sweep

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_GROWTH_BYTES = 1 << 20
"""How much larger the constants of a graph may become by folding, unless the caller says otherwise."""
