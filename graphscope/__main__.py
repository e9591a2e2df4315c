"""``python -m graphscope``, and what the console script calls."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Runs the command line; Ctrl-C ends it without a traceback even while modules are still being imported."""
    _occupy_standard_streams()
    gc.disable()  # a command ends soon and makes hundreds of thousands of objects, none of them in cycles
    try:
        from graphscope.cli.plain import plain_command, run_plainly

        plain = plain_command(sys.argv[1:])
        if plain is not None:
            code = run_plainly(*plain)
            os._exit(code)  # all is written, and taking the interpreter apart would take a twentieth of the time
        from graphscope.cli.help_page import HELP_OPTIONS, write_help

        if len(sys.argv) == 2 and sys.argv[1] in HELP_OPTIONS:
            sys.exit(write_help())
        from graphscope.cli.app import app

        app(prog_name="graphscope")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # the end of the process looks for cycles even so, a tenth of the time of a small command


def _occupy_standard_streams() -> None:
    """Opens what a shell has closed (``2>&-``): a file to be written would get their numbers, and the log into it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


if __name__ == "__main__":
    main()
