"""Granian, configured by our settings: it starts workers, replaces those that die, and passes signals on.

The socket is bound first of all: a port in use is reported in one line, and all workers share one backlog.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing.util import Finalize
from select import select
from typing import Any, cast

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]
from granian.server import MPServer

from collector.jobs.work import Work
from settings import Settings

log = logging.getLogger(__name__)

BACKLOG, CONNECTIONS, OTHER_FILES = 1024, 4096, 256
THREADS = 192  # more than the limits of security/capacity.py, the streams and the delays of wrong tokens can occupy together
HEADER_TIMEOUT_S, UNREAD_TIMEOUT_MS, LARGEST_HEADERS = 10, 60_000, 64 * 1024
DRAIN_S, CLOSING_S, POLL_S = 30, 5, 1.0
END_SIGNALS = (signal.SIGTERM, signal.SIGINT)
LOGGERS = {"_granian": {"propagate": True}, "_granian.utils": {"level": "CRITICAL"}}  # the second repeats the app's logs
LOGGING = {"handlers": {}, "formatters": {}, "loggers": LOGGERS}

Application = Callable[..., Iterable[bytes]]
Load = Callable[[], tuple[Application, Work]]


def listen(settings: Settings) -> socket.socket:
    """Returns a socket that listens on HOST and PORT. Raises OSError with one line that names them.

    On Linux a connection is accepted once its client has sent something, so a worker that ends closes no connection with an
    unread request. A client that reads nothing of its response for a minute is disconnected (tcp(7); connections inherit both).
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
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_TIMEOUT_MS)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, HEADER_TIMEOUT_S)
    return listener


class GranianServer(MPServer):
    """Granian on a socket that already listens. Its own sockets, one per worker, would end with their backlog."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        super().__init__(
            "app",
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_S * 1000, max_buffer_size=LARGEST_HEADERS),
            workers=settings.workers,
            blocking_threads=THREADS,
            backpressure=_raise_file_limit(),
            respawn_failed_workers=True,
            workers_kill_timeout=DRAIN_S + CLOSING_S,
            log_level=LogLevels.error,
            log_dictconfig=LOGGING,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder  # its stub lacks the parameters
        self._shd, self._sso = cast(Any, (holder(self._listener.fileno(), False, BACKLOG), None))


def serve(settings: Settings, listener: socket.socket, load: Load) -> None:
    """Serves until SIGTERM or SIGINT. Each worker calls `load` once."""
    multiprocessing.set_start_method("fork")
    server = GranianServer(settings, listener)
    start = partial(
        _start_worker,
        load,
        collect=settings.collect_on_start,
        is_stopping=lambda: server.interrupt_signal,
        parent=os.getpid(),
    )
    server.serve(target_loader=start, wrap_loader=False)


def _start_worker(load: Load, *, collect: bool, is_stopping: Callable[[], bool], parent: int) -> Application:
    """Starts a worker's background work, and returns the app that answers its requests.

    At SIGTERM the background work stops at once. Granian ends the worker when all responses are sent; after DRAIN_S it ends
    anyway. Until Granian installs its own signal handler, the parent's handler runs, which `is_stopping` reports. `parent`
    is the process that it belongs to, which may die before the app is loaded.
    """
    os.setpgrp()  # Ctrl-C goes to the parent, which signals its workers
    inherited = signal.getsignal(signal.SIGTERM)
    app, work = load()
    Finalize(None, work.close, exitpriority=2)
    Finalize(None, logging.shutdown, exitpriority=1)  # sends queued records; atexit handlers do not run in this process
    signals, wakeup = os.pipe()
    os.set_blocking(wakeup, False)
    signal.set_wakeup_fd(wakeup)
    watch = partial(_watch, work, signals, is_stopping, inherited, parent)
    threading.Thread(target=watch, name="end", daemon=True).start()
    work.start(collect=collect)
    return app


def _watch(work: Work, signals: int, is_stopping: Callable[[], bool], inherited: Any, parent: int) -> None:
    """Waits for a signal or the parent's death, then stops the background work, and the process after DRAIN_S."""
    while not is_stopping() and os.getppid() == parent:
        if select([signals], [], [], POLL_S)[0] and os.read(signals, 1)[0] in END_SIGNALS:
            break
    work.stop()
    while signal.getsignal(signal.SIGTERM) is inherited:
        time.sleep(POLL_S / 10)
    os.kill(os.getpid(), signal.SIGTERM)  # for Granian, which may have missed the first one
    for _ in range(DRAIN_S):  # usually the worker ends earlier, and this thread with it
        time.sleep(1)
        work.stop()  # also what requests in progress have started since
    log.warning("answers cut off", extra={"reason": f"not over {DRAIN_S} s after the signal"})
    work.close()
    logging.shutdown()
    os._exit(0)


def _raise_file_limit() -> int:
    """Raises the limit of open files as far as needed and permitted, and returns how many connections a worker may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = CONNECTIONS + OTHER_FILES
    allowed = max(soft, needed if hard == resource.RLIM_INFINITY else min(needed, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return min(CONNECTIONS, max(allowed - OTHER_FILES, allowed // 2))
