"""The HTTP server: one daemon thread accepts, one serves each connection, and stop() leaves nothing behind."""

from __future__ import annotations

import contextlib
import gzip
import ipaddress
import re
import selectors
import socket
import struct
import threading
from collections.abc import Callable
from email.message import Message
from email.utils import formatdate
from http.client import responses
from http.server import BaseHTTPRequestHandler
from io import BufferedIOBase
from socketserver import BaseServer
from typing import cast
from urllib.parse import parse_qsl

from emulator.http.messages import Call, EmulatorAnswer, Problem, plain

Answer = Callable[[Call, threading.Event], EmulatorAnswer]
_BACKLOG = 256
_LONGEST = 1_000_000
_LONGEST_UPLOAD = 64_000_000  # a million ids are 20 MB
_UPLOADS = "/compliance/upload/"
_SMALLEST_GZIP = 200
_LOCAL_NAME = re.compile(r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?", re.IGNORECASE)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class EmulatorServer:
    """Listens from its creation until stop(). Raises OSError if the port is taken.

    answer is called with each request and an event that is set when the server stops; now_ms gives the Date header.
    """

    def __init__(self, host: str, port: int, answer: Answer, now_ms: Callable[[], int]) -> None:
        self.answer = answer
        self.now_ms = now_ms
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self.stopping = threading.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, port), family=family, backlog=_BACKLOG)
        self.port: int = self._socket.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="emulator-accept", daemon=True)
        self._acceptor.start()

    def stop(self) -> None:
        """Close every socket and join every thread."""
        self.stopping.set()
        self._wake.send(b"x")
        self._acceptor.join()
        for listening in (self._socket, self._wake, self._woken):
            listening.close()
        with self._lock:
            serving = dict(self._open)
        for connection, thread in serving.items():
            with contextlib.suppress(OSError):  # it may have been closed a moment ago
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self.stopping.is_set():
                ready = [key.fileobj for key, _ in selector.select()]
                if self._socket in ready:
                    self._accept_one()

    def _accept_one(self) -> None:
        try:
            connection, address = self._socket.accept()
        except ConnectionError:  # the caller closed the connection before it was accepted
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=self._serve, args=(connection, address[:2]), name="emulator-serve", daemon=True)
        with self._lock:
            self._open[connection] = thread
        thread.start()

    def _serve(self, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            Handler(connection, address, self)
        except ConnectionError:  # the caller closed the connection
            pass
        finally:
            with self._lock:
                self._open.pop(connection, None)
            connection.close()


class Handler(BaseHTTPRequestHandler):
    """Reads requests and writes answers; each answer goes out in one piece, so that no delayed ACK holds it."""

    protocol_version = "HTTP/1.1"

    def __init__(self, connection: socket.socket, address: tuple[str, int], server: EmulatorServer) -> None:
        self._server = server
        super().__init__(connection, address, cast(BaseServer, None))

    def do_GET(self) -> None:
        """Answer a GET."""
        self._answer()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing: the emulator records requests itself."""

    def _answer(self) -> None:
        try:
            answer = self._server.answer(self._call(), self._server.stopping)
        except Problem as problem:  # the rest of the body would be read as the next request
            self.close_connection = True
            answer = problem.answer
        stopped = bool(answer.wait) and self._server.stopping.wait(answer.wait)
        if not stopped and answer.delivery in ("whole", "cut"):
            self._send(answer)
            return
        self.close_connection = True
        if not stopped and answer.delivery == "reset":  # closing the socket will send a TCP RST
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def _call(self) -> Call:
        """Return the request. Raises Problem for a body that can't be read."""
        path, _, query = self.path.partition("?")
        return Call(
            method=self.command,
            path=path,
            params=dict(parse_qsl(query, keep_blank_values=True)),
            authorization=self.headers.get("Authorization", ""),
            body=_read_body(self.rfile, self.headers, path),
            local=_is_local(self.client_address[0], self.headers.get("Host", "")),
            host=self.headers.get("Host") or "{}:{}".format(*self.connection.getsockname()),
        )

    def _send(self, answer: EmulatorAnswer) -> None:
        answer = _compressed(answer, self.headers.get("Accept-Encoding", ""))
        head = "".join(f"{name}: {value}\r\n" for name, value in self._headers(answer))
        line = f"HTTP/1.1 {answer.status} {responses.get(answer.status, '')}\r\n"
        body = b"" if self.command == "HEAD" else answer.body
        if answer.delivery == "cut":
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(f"{line}{head}\r\n".encode("latin-1") + body)

    def _headers(self, answer: EmulatorAnswer) -> list[tuple[str, str]]:
        return [
            ("Date", formatdate((self._server.now_ms() if answer.at_ms is None else answer.at_ms) / 1000, usegmt=True)),
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            *answer.headers,
            *([("Connection", "close")] if self.close_connection else []),
        ]


def _compressed(answer: EmulatorAnswer, accepted: str) -> EmulatorAnswer:
    """Return an answer as X sends it to a caller who takes gzip."""
    if "gzip" not in accepted.casefold() or len(answer.body) < _SMALLEST_GZIP:
        return answer
    body = gzip.compress(answer.body, compresslevel=1, mtime=0)
    return answer._replace(body=body, headers=(*answer.headers, ("Content-Encoding", "gzip")))


def _is_local(address: str, host: str) -> bool:
    """Return whether a request came over loopback and its Host names this machine, as that of a web page's own name doesn't."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback and _LOCAL_NAME.fullmatch(host) is not None


def _read_body(stream: BufferedIOBase, headers: Message, path: str) -> bytes:
    """Return the body of a request, by its length or in chunks (RFC 9112, 7.1).

    Raises Problem 413, or 400 for a length or chunk that makes no sense.
    """
    longest = _LONGEST_UPLOAD if path.startswith(_UPLOADS) else _LONGEST
    if headers.get("Transfer-Encoding", "").casefold() != "chunked":
        return _read(stream, _size(headers.get("Content-Length", "0"), 10), longest)
    body = bytearray()
    while size := _size(stream.readline(100).decode("latin-1").partition(";")[0].strip(), 16):
        body += _read(stream, size, longest - len(body))
        stream.readline(100)
    while stream.readline(1_000).strip():  # trailers
        pass
    return bytes(body)


def _read(stream: BufferedIOBase, size: int, longest: int) -> bytes:
    if size > longest:
        raise Problem(413)
    body = stream.read(size)
    if len(body) < size:
        raise ConnectionAbortedError("the connection was closed in the middle of a body")
    return body


def _size(text: str, base: int) -> int:
    try:
        size = int(text, base)
    except ValueError:
        size = -1
    if size < 0:
        raise Problem(400, plain(400, "the length of the body makes no sense"))
    return size
