"""A TCP server that stands in for Logstash's input: it keeps the lines it read, and can be stopped and stalled."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from tests.fixtures.waiting import LONGEST_WAIT_S

TAKEN_UNREAD = 65536
"""How many bytes the system takes in that nobody reads."""


class Sink:
    """Listens on a port of loopback that it keeps over a stop and a start."""

    def __init__(self) -> None:
        self.port, self.opened = 0, 0
        self.lines, self.stalled = list[bytes](), threading.Event()
        self._listener: socket.socket | None = None
        self._held: socket.socket | None = None
        self._threads, self._connections = list[threading.Thread](), list[socket.socket]()

    def start(self) -> None:
        """Listen; between a stop and a start the port is held, so that nobody else gets it."""
        self._listener, self._held = self._held or self._bound(), None
        self._listener.listen()
        self._thread(self._accept, self._listener)

    def _bound(self) -> socket.socket:
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TAKEN_UNREAD)
        bound.bind(("127.0.0.1", self.port))
        self.port = bound.getsockname()[1]
        return bound

    def stop(self) -> None:
        """Stop listening; open connections are told so, and read to their end: nothing is lost in the kernel."""
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener, self._held = None, self._bound()
        self.stalled.clear()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
        self._connections.clear()

    def close(self) -> None:
        """Stop, wait until all connections have been closed by who sends, and give the port back."""
        self.stop()
        for thread in self._threads:
            thread.join(LONGEST_WAIT_S)
        if self._held:
            self._held.close()

    def numbers(self) -> list[int]:
        """Return the numbers of the test's own records, in order of arrival."""
        return [json.loads(line)["monitor"]["number"] for line in list(self.lines)]

    def _thread(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            self.opened += 1
            self._thread(self._read, connection)

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                while self.stalled.is_set():
                    time.sleep(0.01)
                self.lines.append(line)
