"""The watch over connections: whose server has gone silent, and when they are cut."""

from __future__ import annotations

import socket
import time
from collections import Counter
from contextlib import ExitStack, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from engines import watch

PAUSED, WELL = ("127.0.0.1", 1), ("127.0.0.1", 2)


def held(stack: ExitStack, server: tuple[str, int]) -> tuple[Any, socket.socket]:
    """Return a connection to a server that has been in use for a while, and the other end of its socket."""
    own, other = socket.socketpair()
    stack.enter_context(own)
    stack.enter_context(other).setblocking(False)
    connection: Any = SimpleNamespace(info=SimpleNamespace(host=server[0], port=server[1]), fileno=own.fileno)
    one = watch._Held(connection, {})
    one.since = time.monotonic() - watch.TRUSTED_S - 1
    return one, other


def cut(other: socket.socket) -> bool:
    with suppress(BlockingIOError):
        return other.recv(1) == b""
    return False


def test_a_silent_server_is_asked_once_for_all_its_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, silent = list[tuple[str, int]](), Counter[tuple[str, int]]()

    def answers(*server: Any) -> bool:
        asked.append(server)
        return server == WELL

    monkeypatch.setattr(watch, "answers", answers)
    with ExitStack() as stack:
        held_ones, ends = zip(*(held(stack, server) for server in (*[PAUSED] * 5, WELL)), strict=True)
        watch._look_after(held_ones, silent)
        assert sorted(asked) == [PAUSED, WELL]
        assert not any(map(cut, ends))
        watch._look_after(held_ones, silent)
        assert sorted(asked) == [PAUSED, PAUSED, WELL]
        assert [cut(other) for other in ends] == [True] * 5 + [False]
