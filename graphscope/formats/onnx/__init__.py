"""ONNX files, for inspection: read from the wire format, without the package onnx; weights stay in their files.

:mod:`graphscope.export.onnx` writes them.
"""
