"""The socket, bound before anything else is done: a port in use is one line and not five tries."""

from __future__ import annotations

import os
import socket

from server.reception import BACKLOG
from settings import Settings


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens on HOST and PORT; raises OSError with one line that names them."""
    host = settings.host.strip("[]")
    try:
        family = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
        raise OSError(f"HOST, PORT: {host} port {settings.port} can't be listened on: {reason}") from error
