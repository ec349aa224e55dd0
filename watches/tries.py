"""Tries: each in a thread whose connections are shut down when its time is over, whatever its destination does.

The time limits of HTTP and mail libraries are of each read: an answer that drips would never end.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from typing import Any

ENDING_S, AGAIN_S = 5.0, 0.1
TOO_SLOW = "it answers too slowly"

_own = threading.local()


class TrySockets:
    """The sockets that a thread opens. Once they are shut down, it can open no other."""

    def __init__(self) -> None:
        self._opened: list[weakref.ref[socket.socket]] = []
        self._is_over = False

    def add(self, opened: socket.socket) -> None:
        """Note a socket; raises OSError once the time is over."""
        if self._is_over:
            raise OSError("the time is over")
        self._opened.append(weakref.ref(opened))

    def shut_down(self) -> None:
        """End all reading and writing."""
        self._is_over = True
        for one in [found for known in self._opened if (found := known())]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it is closed, or not connected


def within(seconds: float, send: Callable[[], str | None], *, name: str) -> str | None:
    """Return what `send` returns, which is called in a thread of this name, or after so many seconds TOO_SLOW.

    Raises what it raises.
    """
    _note_sockets()
    answer, connections = Future[str | None](), TrySockets()
    thread = threading.Thread(target=_call, args=(send, answer, connections), name=name, daemon=True)
    thread.start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        if answer.done():
            raise
    deadline = time.monotonic() + ENDING_S
    while thread.is_alive() and time.monotonic() < deadline:
        connections.shut_down()
        thread.join(AGAIN_S)
    was_sent = answer.done() and answer.exception() is None and answer.result() is None
    return None if was_sent else TOO_SLOW


def _call(send: Callable[[], str | None], answer: Future[str | None], connections: TrySockets) -> None:
    _own.connections = connections
    try:
        answer.set_result(send())
    except Exception as error:  # noqa: BLE001 (it is raised where the answer is waited for)
        answer.set_exception(error)


@cache
def _note_sockets() -> None:
    """Let each thread that tries something note the sockets that it makes, those of TLS included (CPython's audit events)."""
    sys.addaudithook(_note)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.__new__" and (connections := getattr(_own, "connections", None)):
        connections.add(arguments[0])
