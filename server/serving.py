"""Granian, configured by our settings: it starts workers, replaces those that die, and passes signals on."""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import signal
import socket
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
from server.listening import BACKLOG
from settings import Settings

log = logging.getLogger(__name__)

THREADS = 192  # more than middleware/, the streams and the waits for wrong tokens can hold together
CONNECTIONS, OTHER_FILES = 4096, 256
DRAIN_S, CLOSING_S, PARENT_S = 30, 5, 1.0
SILENT_MS, LARGEST_HEADERS = 10_000, 64 * 1024
ENDS = (signal.SIGTERM, signal.SIGINT)
LOGGERS = {"_granian": {"propagate": True}, "_granian.utils": {"level": "CRITICAL"}}  # the second repeats what the app logs
LOGGING = {"handlers": {}, "formatters": {}, "loggers": LOGGERS}

Application = Callable[..., Iterable[bytes]]
Load = Callable[[], tuple[Application, Work]]


class GranianServer(MPServer):
    """Granian on a socket that listens already. Its own would be one a worker, which takes those who wait at it along."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        super().__init__(
            "app",
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=SILENT_MS, max_buffer_size=LARGEST_HEADERS),
            workers=settings.workers,
            blocking_threads=THREADS,
            backpressure=_connections(),
            respawn_failed_workers=True,
            workers_kill_timeout=DRAIN_S + CLOSING_S,
            log_level=LogLevels.error,
            log_dictconfig=LOGGING,
        )
        self._listener = listener

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder  # its stub knows no parameters
        self._shd, self._sso = cast(Any, (holder(self._listener.fileno(), False, BACKLOG), None))


def serve(settings: Settings, listener: socket.socket, load: Load) -> None:
    """Serve what `load` gives, called once by each worker, until SIGTERM or SIGINT."""
    multiprocessing.set_start_method("fork")
    server = GranianServer(settings, listener)
    begin = partial(_begin, load, collect=settings.collect_on_start, told=lambda: server.interrupt_signal)
    server.serve(target_loader=begin, wrap_loader=False)


def _begin(load: Load, *, collect: bool, told: Callable[[], bool]) -> Application:
    """Start what a worker does beside the requests, and return the app that answers them.

    At SIGTERM the rest stops at once. Granian ends the worker when all answers are given; after DRAIN_S it ends all the same.
    Before Granian looks out for a signal, the parent's handler takes it, and `told` says so.
    """
    os.setpgrp()  # Ctrl-C is for the parent, which tells its workers
    ours = signal.getsignal(signal.SIGTERM)
    app, work = load()
    Finalize(None, work.close, exitpriority=2)
    Finalize(None, logging.shutdown, exitpriority=1)  # sends what waits; the process doesn't end by what atexit knows
    heard, hears = os.pipe()
    os.set_blocking(hears, False)
    signal.set_wakeup_fd(hears)
    threading.Thread(target=_watch, args=(work, heard, told, ours, os.getppid()), name="end", daemon=True).start()
    work.start(collect=collect)
    return app


def _watch(work: Work, heard: int, told: Callable[[], bool], ours: Any, parent: int) -> None:
    """Wait for a signal, or for the end of the parent, which nobody else would tell the worker."""
    while not told() and os.getppid() == parent:
        if select([heard], [], [], PARENT_S)[0] and os.read(heard, 1)[0] in ENDS:
            break
    work.stop()
    while signal.getsignal(signal.SIGTERM) is ours:
        time.sleep(PARENT_S / 10)
    os.kill(os.getpid(), signal.SIGTERM)  # so that Granian hears of it, or once more
    for _ in range(DRAIN_S):  # where the worker ends before, this thread is cut off
        time.sleep(1)
        work.stop()  # what a request under way has begun since
    log.warning("answers cut off", extra={"reason": f"not over {DRAIN_S} s after the signal"})
    work.close()
    logging.shutdown()
    os._exit(0)


def _connections() -> int:
    """Return how many connections a worker may have, after allowing it as many files as they need and the system permits."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    allowed = max(soft, wanted if hard == resource.RLIM_INFINITY else min(wanted, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return min(CONNECTIONS, max(allowed - OTHER_FILES, allowed // 2))
