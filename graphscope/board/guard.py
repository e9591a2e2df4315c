"""Answers only requests that are addressed to the served host.

A foreign page may let its host name resolve to this machine (DNS rebinding): the browser then treats the content served here as
that page's own. Such a request names the other host. A numeric address cannot be redirected in this way.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""A WSGI application: PEP 3333."""

_REFUSAL = b"This server answers only to the host that it serves.\n"


class Guard:
    """A WSGI application in front of another one.

    Args:
        app: the application that answers.
        host: the host that the server listens on: a name or an address, ``0.0.0.0`` and ``::`` for all addresses of this
            machine.
    """

    def __init__(self, app: App, host: str) -> None:
        self._app = app
        self._names = {"localhost", host.lower()}
        if is_any(host):
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answers, or refuses with status 403."""
        origin = environ.get("HTTP_ORIGIN")
        if self.is_ours(environ.get("HTTP_HOST", "")) and (origin is None or self.is_ours(urlsplit(origin).netloc)):
            return self._app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain"), ("Content-Length", str(len(_REFUSAL)))])
        return [_REFUSAL]

    def is_ours(self, netloc: str) -> bool:
        """Whether ``host`` or ``host:port`` is this server's name, or any address."""
        try:
            name = (urlsplit(f"//{netloc}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return name in self._names or _is_address(name)


def is_any(host: str) -> bool:
    """Whether ``host`` stands for all addresses of this machine."""
    return _is_address(host) and ipaddress.ip_address(host).is_unspecified


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
