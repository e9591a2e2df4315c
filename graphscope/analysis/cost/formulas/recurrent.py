"""Recurrent cells in one op: matrix products, and what each gate does to an element.

Source: ``lstm_ops.cc`` and ``gru_ops.cc`` of TensorFlow 2.21.
"""

from __future__ import annotations

import math

from graphscope.analysis.cost.operands import Operands, at
from graphscope.analysis.cost.table import formula

_LSTM_ELEMENT = 4 + 5 + 4
"""For each unit: four biases, five activations, and the sums and products that make the new state and output."""

_GRU_ELEMENT = 3 + 3 + 5


@formula("LSTMBlockCell")
def lstm_cell(o: Operands) -> int:
    """``[x, h] w`` once."""
    batch, units = at(o.output(), 0), at(o.output(), -1)
    return batch * (2 * o.taken(3) + _LSTM_ELEMENT * units)


@formula("BlockLSTM BlockLSTMV2")
def lstm(o: Operands) -> int:
    """``[x, h] w`` for each step, of the longest sequence."""
    steps_and_batch, units = math.prod(o.output()[:-1]), at(o.output(), -1)
    return steps_and_batch * (2 * o.taken(4) + _LSTM_ELEMENT * units)


@formula("GRUBlockCell")
def gru_cell(o: Operands) -> int:
    """``[x, h] w`` for both gates and the candidate."""
    batch, units = at(o.output(), 0), at(o.output(), -1)
    return batch * (2 * (o.taken(2) + o.taken(3)) + _GRU_ELEMENT * units)
