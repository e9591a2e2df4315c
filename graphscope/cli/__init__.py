"""The command line: a command loads a model, makes one library call and renders what it returns.

Data goes to stdout; notes, hints and errors go to stderr (:mod:`graphscope.cli.terminal.output`). The library imports nothing
from here.
"""
