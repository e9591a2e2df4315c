"""Audits what a model can do to the machine that opens or runs it, without running it."""
