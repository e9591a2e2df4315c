"""Runtimes that run a graph: TensorFlow itself, and others that start in a fraction of its time.

One row of :mod:`graphscope.runtime.engines.table` for each, one module for each that is not TensorFlow.
"""
