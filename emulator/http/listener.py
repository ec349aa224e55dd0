"""Sockets and threads: one daemon thread accepts, one serves each connection, and stop() leaves nothing behind."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable

Serve = Callable[[socket.socket, tuple[str, int], threading.Event], None]
_BACKLOG = 256


class Listener:
    """Listens from its making until stop(). serve is called in a thread of its own with each connection,
    its peer's address, and an event that is set when the listener stops."""

    def __init__(self, host: str, port: int, serve: Serve) -> None:
        self._serve = serve
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
        for unused in (self._socket, self._wake, self._woken):
            unused.close()
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
                    self._take()

    def _take(self) -> None:
        try:
            connection, address = self._socket.accept()
        except ConnectionError:  # the caller went away before we answered
            return
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        thread = threading.Thread(target=self._run, args=(connection, address[:2]), name="emulator-serve", daemon=True)
        with self._lock:
            self._open[connection] = thread
        thread.start()

    def _run(self, connection: socket.socket, address: tuple[str, int]) -> None:
        try:
            self._serve(connection, address, self.stopping)
        except ConnectionError:  # the caller hung up; nothing is owed
            pass
        finally:
            with self._lock:
                self._open.pop(connection, None)
            connection.close()
