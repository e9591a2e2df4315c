"""A private network for some processes of this machine: a namespace with only a loopback interface. Linux only.

Source: network_namespaces(7), user_namespaces(7), setns(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NEWUSER, _NEWNET = 0x10000000, 0x40000000
"""<linux/sched.h>"""

_GETFLAGS, _SETFLAGS, _UP = 0x8913, 0x8914, 1
"""<linux/sockios.h>, <linux/if.h>"""

_WAYS = ((b"n", ("net",), _NEWNET), (b"u", ("user", "net"), _NEWUSER | _NEWNET))
"""What a process of root may do; what any other may, if the kernel lets it have a user namespace as well."""


class PrivateNetwork:
    """Entered by processes that have one thread yet. It is gone with the last of them and with this object's process."""

    def __init__(self, namespaces: Sequence[int]) -> None:
        self._namespaces = namespaces

    def enter(self) -> None:
        """From now on this process has this network, and no other.

        Raises:
            OSError: the kernel refuses.
        """
        for namespace in self._namespaces:
            _call("setns", namespace, 0)


def private_network() -> PrivateNetwork | None:
    """Creates a network; ``None`` if the kernel allows none, or there are no namespaces."""
    if sys.platform != "linux":
        return None
    reader, writer = os.pipe()
    holder = os.fork()
    if holder == 0:
        try:
            os.write(writer, _made())
            signal.pause()
        finally:
            os._exit(1)  # whatever happens, it must not go on as the caller
    os.close(writer)
    try:
        way = os.read(reader, 1)
        names = next((names for key, names, _ in _WAYS if key == way), ())
        namespaces = [os.open(f"/proc/{holder}/ns/{name}", os.O_RDONLY) for name in names]
    finally:
        os.close(reader)
        os.kill(holder, signal.SIGKILL)
        os.waitpid(holder, 0)
    return PrivateNetwork(namespaces) if namespaces else None


def _made() -> bytes:
    """In a process of its own: leaves the network, and tells in which way; ``-`` if none is allowed."""
    user, group = os.getuid(), os.getgid()
    for key, names, flags in _WAYS:
        with contextlib.suppress(OSError):
            _call("unshare", flags)
            if "user" in names:
                Path("/proc/self/setgroups").write_text("deny")
                Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
                Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
            _raise_loopback()
            return key
    return b"-"


def _raise_loopback() -> None:
    with socket.socket() as any_socket:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        flags = struct.unpack("16sH14s", fcntl.ioctl(any_socket, _GETFLAGS, request))[1]
        fcntl.ioctl(any_socket, _SETFLAGS, struct.pack("16sH14s", b"lo", flags | _UP, b""))


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
