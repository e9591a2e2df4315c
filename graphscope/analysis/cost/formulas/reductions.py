"""Ops that reduce many elements to one.

Source: ``flops_registry.py`` of TensorFlow 2.21 for ``Sum``, ``Mean``, ``ArgMax``, ``ArgMin``, ``BiasAddGrad`` and ``L2Loss``.
The others are counted by its measure, which adds n numbers by n - 1 additions.
"""

from __future__ import annotations

from graphscope.analysis.cost.table import row

row("Sum Prod Max Min All Any ArgMax ArgMin BiasAddGrad", lambda o: o.taken() - o.given())
row("Mean", lambda o: o.taken())
row("L2Loss", lambda o: 3 * o.taken() - 1)
row("EuclideanNorm", lambda o: 2 * o.taken())
row("Cumsum Cumprod", lambda o: o.taken())
row("SegmentSum SegmentMax SegmentMin SegmentProd SegmentMean", lambda o: o.taken())
row("UnsortedSegmentSum UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd", lambda o: o.taken())
