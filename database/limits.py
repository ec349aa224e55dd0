"""Limits of time: how long whoever asks a database may wait for it, whatever the database does."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

MARGIN_S, LATE_S = 1.0, 0.5
"""How much later than its limit a request is given up, and a question that its server should have ended."""
SHORT_S, SHARE = 2.5, 1 / 3
"""How long to wait for what a server that is well answers at once (a ping, BEGIN, ROLLBACK, settings), and which share of a
request's time at most, so that another server can still answer."""


class Limits(NamedTuple):
    """Until when (monotonic) a request may wait for the database, how long for a question that has no limit of its own, and how
    long for what is answered at once."""

    deadline: float = math.inf
    question_s: float = math.inf
    short_s: float = SHORT_S


_limits: ContextVar[Limits] = ContextVar("limits", default=Limits())  # noqa: B039 (it is frozen)


@contextmanager
def limit_waiting(*, seconds: float) -> Iterator[None]:
    """Let this thread wait for the database so long until the block ends."""
    token = _limits.set(Limits(time.monotonic() + seconds, short_s=min(SHORT_S, seconds * SHARE)))
    try:
        yield
    finally:
        _limits.reset(token)


def limit_questions(seconds: float) -> None:
    """Let the block of `limit_waiting` take as long as it takes, but each of its questions only so long."""
    _limits.set(Limits(question_s=seconds))


def seconds_left(most: float = math.inf) -> float:
    """Return for how many seconds one may still wait, `most` at most."""
    return max(0.0, min(most, _limits.get().deadline - time.monotonic()))


def short_s() -> float:
    """Return for how many seconds to wait for what is answered at once."""
    return _limits.get().short_s


def question_limit(within_s: float | None) -> float:
    """Return for how many seconds the server may answer a question; infinite where nobody said."""
    most = _limits.get().question_s if within_s is None else within_s
    return max(0.001, seconds_left(most + MARGIN_S) - MARGIN_S)
