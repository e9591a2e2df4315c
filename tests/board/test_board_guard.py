"""TensorBoard answers only to the host that it serves."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any

import pytest

from graphscope.board.guard import Guard
from tests.support.fixture_files import FIXTURES, ROOT


def answer(guard: Guard, host: str | None, origin: str | None = None) -> str:
    environ: dict[str, Any] = {}
    if host is not None:
        environ["HTTP_HOST"] = host
    if origin is not None:
        environ["HTTP_ORIGIN"] = origin
    statuses = []
    list(guard(environ, lambda status, headers: statuses.append(status)))
    return statuses[0][:3]


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"pages"]


OURS = ["localhost:6006", "LOCALHOST", "localhost.", "127.0.0.1:6006", "[::1]:6006", "192.168.1.5", "board.example:1"]
FOREIGN = [
    "evil.example",
    "evil.example:6006",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "",
    "[",
    "a b",
    "x,localhost",
]


@pytest.mark.parametrize("host", OURS)
def test_served(host: str) -> None:
    assert answer(Guard(application, "board.example"), host) == "200"


@pytest.mark.parametrize("host", [*FOREIGN, None])
def test_refused(host: str | None) -> None:
    assert answer(Guard(application, "board.example"), host) == "403"


@pytest.mark.parametrize(
    ("origin", "status"), [("http://localhost:6006", "200"), ("http://evil.example", "403"), ("null", "403")]
)
def test_pages_of_others_get_no_answer(origin: str, status: str) -> None:
    assert answer(Guard(application, "127.0.0.1"), "localhost:6006", origin) == status


def test_all_of_this_machine_has_its_name() -> None:
    name = socket.gethostname()
    assert answer(Guard(application, "0.0.0.0"), name) == "200"
    assert answer(Guard(application, "127.0.0.1"), f"x{name}") == "403"
    assert answer(Guard(application, "0.0.0.0"), f"x{name}") == "403"


def test_the_server_is_guarded() -> None:
    command = [sys.executable, "-m", "graphscope", "board", str(FIXTURES / "softmax/frozen.pb"), "--port", "7300"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT) as board:
        try:
            assert board.stdout is not None
            url = board.stdout.readline().strip().partition("#")[0]
            with urllib.request.urlopen(url) as page:
                assert page.status == 200
            with pytest.raises(urllib.error.HTTPError, match="403"):
                urllib.request.urlopen(urllib.request.Request(url, headers={"Host": "evil.example"})).close()
        finally:
            board.kill()
