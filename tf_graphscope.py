"""What the console script calls: starts graphscope, unless another project's package of that name is in its place.

The distribution is ``tf-graphscope``. On PyPI, ``graphscope`` is a different project, which imports under the same name: where
both are installed, one overwrites files of the other.
"""

from __future__ import annotations

import sys

_MIXED_UP = """\
error: another project's package 'graphscope' is installed in place of tf-graphscope: {place}
hint: pip uninstall -y graphscope tf-graphscope && pip install tf-graphscope
"""


def main() -> None:
    """Runs the command line; exits with 1 where ``import graphscope`` finds somebody else's package."""
    try:
        import graphscope
    except ImportError as error:
        _refuse(str(error))
    if getattr(graphscope, "DISTRIBUTION", None) != "tf-graphscope":
        _refuse(str(getattr(graphscope, "__file__", graphscope)))
    from graphscope.__main__ import main as run

    run()


def _refuse(place: str) -> None:
    sys.stderr.write(_MIXED_UP.format(place=place))
    sys.exit(1)
