"""What tests of the server share: an app of the test's own, served by a reception in a thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection

import pytest

from server.channels import Patience
from server.reception import USUAL, Reception
from server.service import Application

Serve = Callable[..., "Served"]


class Served:
    """A reception that turns in a thread of its own until it is told to leave."""

    def __init__(self, app: Application, patience: Patience = USUAL) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = listener.getsockname()[1]
        self.reception = Reception(app, listener, patience)
        self._told, self._cut = threading.Event(), False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def connect(self, sent: bytes = b"", *, window: int | None = None, address: str = "127.0.0.1") -> socket.socket:
        """Return a connection from an address, over which something has been sent; `window` bounds what is taken in unread."""
        client = socket.socket()
        client.bind((address, 0))
        if window:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        client.settimeout(20)
        client.connect(("127.0.0.1", self.port))
        client.sendall(sent)
        return client

    def http(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=20)

    def leave(self) -> None:
        """Tell it to leave; returns at once."""
        if not self._told.is_set():
            self._told.set()
            self.reception.wake()

    def over(self) -> bool:
        """Tell whether it has left."""
        return not self._thread.is_alive()

    def end(self) -> None:
        """Let it leave, cut what is open still, and wait for that."""
        self._cut = True
        self.leave()
        self._thread.join()

    def _run(self) -> None:
        while not self._told.is_set():
            self.reception.turn()
        self.reception.leave()
        while self.reception.busy and not self._cut:
            self.reception.turn()
        self.reception.close()


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve an app until the test ends."""
    started: list[Served] = []

    def start(app: Application, patience: Patience = USUAL) -> Served:
        started.append(Served(app, patience))
        return started[-1]

    yield start
    for served in started:
        served.end()


def everything(client: socket.socket) -> bytes:
    """Return what comes until the other side closes."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)
