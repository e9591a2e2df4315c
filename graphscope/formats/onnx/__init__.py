"""ONNX files, to look at: read from the wire, without the package onnx; weights stay in their files.

:mod:`graphscope.export.onnx` writes them.
"""
