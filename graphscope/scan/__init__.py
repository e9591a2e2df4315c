"""Files to findings: opens whatever is in a directory or archive and hands it to :mod:`graphscope.analysis.audit`.

Nothing that is found is executed or unpickled.
"""
