"""The watch over connections: whose server has gone silent, and when they are cut."""

from __future__ import annotations

import socket
import time
from collections import Counter
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from engines import watch

PAUSED, WELL = ("127.0.0.1", 1), ("127.0.0.1", 2)


def held(stack: ExitStack, server: tuple[str, int]) -> Any:
    """Return a connection to a server that has been in use for a while, and the other end of its socket."""
    own, other = socket.socketpair()
    stack.enter_context(own)
    stack.enter_context(other).setblocking(False)
    connection: Any = SimpleNamespace(info=SimpleNamespace(host=server[0], port=server[1]), fileno=own.fileno)
    one = watch._Held(connection, {})
    one.since = time.monotonic() - watch.TRUSTED_S - 1
    return one, other


def cut(other: socket.socket) -> bool:
    try:
        return other.recv(1) == b""
    except BlockingIOError:
        return False


def test_a_silent_server_is_asked_once_for_all_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answers(host: str, port: int) -> bool:
        asked.append((host, port))
        return (host, port) == WELL

    monkeypatch.setattr(watch, "answers", answers)
    silent = Counter[tuple[str, int]]()
    with ExitStack() as stack:
        paused, well = [held(stack, PAUSED) for _ in range(5)], held(stack, WELL)
        everything = [one for one, _ in (*paused, well)]
        watch._look_after(everything, silent)
        assert sorted(asked) == [PAUSED, WELL]
        assert not any(cut(other) for _, other in (*paused, well))
        watch._look_after(everything, silent)
        assert sorted(asked) == [PAUSED, PAUSED, WELL]
        assert all(cut(other) for _, other in paused)
        assert not cut(well[1])
