"""Constant folding: what becomes a constant, what stays, and what it may cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphscope.core.build import constant, node, type_attr, with_inputs
from graphscope.core.dtypes import DataType
from graphscope.core.graph import Function, Graph, Node
from graphscope.core.payload import ArrayPayload
from graphscope.formats.graphdef import graph_from
from graphscope.formats.holders import NoHolder
from graphscope.protos import AttrValue, FunctionDef, GraphDef
from graphscope.transforms.fold import fold
from tests.running import Array, run_graph, tf
