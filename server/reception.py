"""The loop that reads requests and writes answers for all clients at once; only the app's own work takes threads."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from waitress.server import create_server
from waitress.wasyncore import dispatcher

from server.channels import Channel, Patience
from server.logs import quieten
from server.parsing import LARGEST_BODY, LARGEST_HEADERS
from server.service import Application

THREADS = 32
MOST_REPLACED = 64
CONNECTIONS = 1000
FULL = 10  # waitress counts its own sockets too
ROOM = 100
BACKLOG = 1024
SWEEP_S = 0.25
USUAL = Patience(silent=60, sending=60, reading=60)
LEAVING = Patience(silent=0, sending=5, reading=60)
ADJUSTMENTS: dict[str, Any] = {
    "threads": THREADS,
    "connection_limit": CONNECTIONS,
    "backlog": BACKLOG,
    "max_request_header_size": LARGEST_HEADERS,
    "max_request_body_size": 2 * LARGEST_BODY,  # the app refuses what is larger than once, this what would only fill the disk
    "inbuf_overflow": 64 * 1024,
    "outbuf_overflow": 1024 * 1024,
    "outbuf_high_watermark": 256 * 1024,  # of a stream that is faster than its reader
    "channel_timeout": 2**31,  # ours is finer
    "ident": None,
    "clear_untrusted_proxy_headers": False,  # guard/ believes as many proxies as TRUSTED_PROXIES says
}


Refused = Callable[[int], None]


class Reception:
    """Serves an app on a socket that listens already, one `turn` after the other.

    A client that is slow to send or to read costs no thread, but for an answer in parts that is longer than what is
    buffered: there a thread waits for the reader. Another takes its place, up to MOST_REPLACED.
    """

    def __init__(
        self, app: Application, listener: socket.socket, patience: Patience = USUAL, refused: Refused = lambda _status: None
    ) -> None:
        quieten()
        self._patience, self._swept = patience, 0.0
        self._server = create_server(app, sockets=[listener], **ADJUSTMENTS)
        self._server.channel_class, self._server.leaving, self._server.refused = Channel, False, refused

    def turn(self, timeout: float = SWEEP_S) -> None:
        """Read and write what can be read and written; wait for it no longer than the timeout."""
        self._server.asyncore.loop(timeout=timeout, use_poll=True, map=self._server._map, count=1)
        if time.monotonic() - self._swept >= SWEEP_S:
            self._sweep()

    def wake(self) -> None:
        """End the waiting of a turn. Any thread may do so, and a signal's handler."""
        self._server.pull_trigger()

    def leave(self) -> None:
        """Let in who stands at the door, and then nobody; connections that have nothing under way are closed."""
        self._let_in_the_last()
        self._server.leaving, self._patience = True, LEAVING
        dispatcher.close(self._server)
        self.turn(0)
        self._sweep()

    @property
    def busy(self) -> bool:
        """Whether a connection is open."""
        return bool(self._server.active_channels)

    def close(self) -> None:
        """Cut what is open, and end the threads that aren't at work."""
        for channel in self._channels():
            channel.handle_close()
        self._server.task_dispatcher.shutdown(timeout=1)
        self._server.close()

    def _let_in_the_last(self) -> None:
        for _ in range(BACKLOG):
            count = len(self._channels())
            self._server.handle_accept()
            if len(self._channels()) == count:
                return

    def _sweep(self) -> None:
        """Close the connections of who dawdles, and replace the threads that wait for readers."""
        self._swept = time.monotonic()
        for channel in self._channels():
            if channel.dawdles(self._patience):
                channel.dismiss()
        if len(self._channels()) >= CONNECTIONS - FULL:
            self._make_room()
        waiting = sum(channel.holds_a_thread for channel in self._channels())
        self._server.task_dispatcher.set_thread_count(THREADS + min(waiting, MOST_REPLACED))

    def _make_room(self) -> None:
        """Close connections that wait for their clients, while nobody else can be let in: the oldest of who has the most."""
        waiting = [channel for channel in self._channels() if channel.waits]
        most = Counter(channel.addr[0] for channel in waiting)
        waiting.sort(key=lambda channel: (-most[channel.addr[0]], channel.creation_time))
        for channel in waiting[:ROOM]:
            channel.handle_close()

    def _channels(self) -> list[Channel]:
        return list(self._server.active_channels.values())
