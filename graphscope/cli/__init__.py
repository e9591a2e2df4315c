"""The command line: a command loads a model, makes one library call and renders what it returns.

Data goes to stdout, talk to stderr (:mod:`graphscope.cli.output`). Nothing in here is needed by, or imported from, the library.
"""
