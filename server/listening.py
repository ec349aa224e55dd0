"""The socket, bound before anything else is done: a port in use is one line, and all workers share what waits at it."""

from __future__ import annotations

import os
import socket
import sys

from settings import Settings

BACKLOG = 1024
UNREAD_MS, SILENT_S = 60_000, 10


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens on HOST and PORT; raises OSError with one line that names them.

    A connection is accepted when its client has sent something, so that a worker that ends closes none before it has read the
    request; a client that takes nothing of its answer for a minute is cut off (tcp(7); connections inherit that).
    """
    host = settings.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise OSError(f"HOST, PORT: {host} port {settings.port} can't be listened on: {reason}") from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if sys.platform == "linux":
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT_S)
    return listener
