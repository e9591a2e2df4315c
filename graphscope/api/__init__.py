"""What ``import graphscope`` provides: one function for each command, and the types that they return.

A function takes a model or its path. Names are node or tensor names; in place of a list of names, a ``str`` is one name.
Nothing is printed: a :class:`graphscope.core.listener.Listener` receives notes, warnings and progress, and reports keep the
notes.
"""
