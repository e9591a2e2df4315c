"""What ``import graphscope`` gives: one function for each command, and what it returns.

A function takes a model, or the path of one. Names are node or tensor names; where a list of names is wanted, a ``str`` is one
name. Nothing is printed: a :class:`graphscope.core.listener.Listener` hears of the work, reports keep what it was told.
"""
