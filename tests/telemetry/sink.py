"""A TCP server that stands in for Logstash's input: it keeps the lines it read, and can be stopped, stalled and slowed."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from typing import Any


class Sink:
    """Listens on a port of loopback that it keeps over a stop and a start."""

    def __init__(self, *, port: int = 0, delay: float = 0) -> None:
        self.port, self.delay = port, delay
        self.lines: list[bytes] = []
        self.stalled = threading.Event()
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._connections: list[socket.socket] = []
        self.opened = 0

    def start(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._thread(self._accept, self._listener)

    def stop(self) -> None:
        """Stop listening; connections that are open are read to their end first, so that nothing is lost in the kernel."""
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.stalled.clear()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
        self._connections.clear()
        for thread in self._threads:
            thread.join(10)
        self._threads.clear()

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self.lines)]

    def numbers(self) -> list[int]:
        """Return the numbers of the test's own records, in order of arrival."""
        return [record["monitor"]["number"] for record in self.records() if "number" in record.get("monitor", {})]

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
                if self.delay:
                    time.sleep(self.delay)
                self.lines.append(line)
