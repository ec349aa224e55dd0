"""HTTP/1.1 on one connection."""

from __future__ import annotations

import ipaddress
import re
import socket
import struct
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import BaseServer
from typing import NamedTuple, cast
from urllib.parse import parse_qsl

from emulator.http.answer import Call, EmulatorAnswer, Problem
from emulator.http.bodies import read

_LOCAL_NAME = re.compile(r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?", re.IGNORECASE)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Service(NamedTuple):
    """What a connection needs: pause sleeps, and returns true if the emulator stops meanwhile."""

    answer: Callable[[Call], EmulatorAnswer]
    now_ms: Callable[[], int]
    pause: Callable[[float], bool]


class Handler(BaseHTTPRequestHandler):
    """Reads requests and writes answers; each answer goes out in one piece, so that no delayed ACK holds it."""

    protocol_version = "HTTP/1.1"

    def __init__(self, connection: socket.socket, address: tuple[str, int], service: Service) -> None:
        self._service = service
        super().__init__(connection, address, cast(BaseServer, None))

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: the emulator keeps its own record, and stderr belongs to who started it."""

    def _answer(self) -> None:
        answer = self._find_answer()
        if answer.wait and self._service.pause(answer.wait):
            self.close_connection = True
        elif answer.delivery == "reset":
            self._reset()
        elif answer.delivery == "hang":
            self.close_connection = True
        else:
            self._send(answer)

    def _find_answer(self) -> EmulatorAnswer:
        try:
            return self._service.answer(self._call())
        except Problem as problem:  # what is left of the body would be read as the next request
            self.close_connection = True
            return problem.answer

    def _call(self) -> Call:
        """Return the request. Raises Problem for a body that can't be read."""
        path, _, query = self.path.partition("?")
        return Call(
            method=self.command,
            path=path,
            params=dict(parse_qsl(query, keep_blank_values=True)),
            authorization=self.headers.get("Authorization", ""),
            body=read(self.rfile, self.headers, path),
            local=_is_loopback(self.client_address[0]) and _is_local_name(self.headers.get("Host", "")),
            host=self.headers.get("Host") or "{}:{}".format(*self.connection.getsockname()),
        )

    def _send(self, answer: EmulatorAnswer) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in self._headers(answer))
        line = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
        body = b"" if self.command == "HEAD" else answer.body
        if answer.delivery == "cut":
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(f"{line}{head}\r\n".encode("latin-1") + body)

    def _headers(self, answer: EmulatorAnswer) -> list[tuple[str, str]]:
        return [
            ("Date", formatdate((self._service.now_ms() if answer.at_ms is None else answer.at_ms) / 1000, usegmt=True)),
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            *answer.headers,
            *([("Connection", "close")] if self.close_connection else []),
        ]

    def _reset(self) -> None:
        """Make closing the socket send a TCP RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.close_connection = True


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _is_local_name(host: str) -> bool:
    """Return whether a Host header names this machine, so that no web page reaches us by a name of its own."""
    return _LOCAL_NAME.fullmatch(host) is not None
