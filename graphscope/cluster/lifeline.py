"""A process that ends with its launcher, no matter how the launcher ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1
"""<sys/prctl.h>"""


class Lifeline:
    """The link of a process to its launcher.

    Attributes:
        is_asked: whether the launcher asked it to end.
    """

    def __init__(self, launcher: int, pipe: int) -> None:
        """From now on this process ends when the one that started it is gone.

        On Linux the kernel sends SIGKILL. A thread waits for the end of a pipe as well: it also works on other systems, and
        where the launcher ended before this was called.

        Args:
            launcher: its process number.
            pipe: the reading end of a pipe whose writing end only the launcher has; a byte in it asks for an end.
        """
        self.is_asked = False
        if sys.platform == "linux":
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != launcher:
            os._exit(1)
        threading.Thread(target=self._listen, args=(pipe,), daemon=True).start()

    def _listen(self, pipe: int) -> None:
        with contextlib.suppress(OSError):
            while os.read(pipe, 1):
                self.is_asked = True
        os._exit(1)
