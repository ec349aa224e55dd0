"""A psycopg connection with a time limit for each answer: psycopg alone would wait forever for a server that hangs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from database.health import TRUSTED_S, Address, ServerHealth
from database.limits import SHORT_S, seconds_left, short_s

CHECK_EVERY_S = 0.1
LONGEST_COMMIT_S = 10.0
"""A commit waits for a standby's confirmation without a limit of the server's; what became of it is found out afterwards."""

RV = TypeVar("RV")


class LimitedConnection(psycopg.Connection[Any]):
    """A connection that closes itself when an answer takes too long.

    `prompt` says that every healthy server answers within the limit, so that exceeding it is the server's fault. `health` and
    `timeline` are for clusters: who is told of such a fault, and the timeline of the primary that was connected to.
    """

    limit_s = SHORT_S
    prompt = True
    used = -math.inf
    """When it was last returned to the pool (monotonic)."""
    timeline = 0
    health: ServerHealth | None = None
    address: Address = ("", 0)

    @contextmanager
    def limit_answers(self, seconds: float, *, prompt: bool = False) -> Iterator[None]:
        """Sets the time limit of each answer until the block ends."""
        before = self.limit_s, self.prompt
        self.limit_s, self.prompt = seconds, prompt
        try:
            yield
        finally:
            self.limit_s, self.prompt = before

    def wait(self, gen: PQGen[RV], interval: float = CHECK_EVERY_S, timeout: float | None = None) -> RV:
        """Waits for an answer. Raises psycopg.OperationalError if there is none in time."""
        return super().wait(self._check_while_waiting(gen), interval, timeout)

    def commit(self) -> None:
        """Commits. A long wait for a standby's confirmation is not the fault of this server."""
        with self.limit_answers(LONGEST_COMMIT_S):
            super().commit()

    def rollback(self) -> None:
        with self.limit_answers(SHORT_S, prompt=True):
            super().rollback()

    def _check_while_waiting(self, gen: PQGen[RV]) -> PQGen[RV]:
        """Runs psycopg's generator, and checks the limits whenever nothing has arrived for CHECK_EVERY_S."""
        began = time.monotonic()
        try:
            ready = yield next(gen)
            while True:
                if not ready:
                    self._check_limits(time.monotonic() - began)
                ready = yield gen.send(ready)
        except StopIteration as end:
            answer: RV = end.value
            return answer

    def _check_limits(self, waited: float) -> None:
        if self.health and waited > TRUSTED_S and self.health.is_silent((self.info.host, self.info.port)):
            self._give_up(psycopg.OperationalError("the server gives no sign of life"), fault=True)
        limit_s = min(self.limit_s, short_s()) if self.prompt else self.limit_s
        if waited > limit_s:
            self._give_up(psycopg.OperationalError(f"no answer within {limit_s:.1f} s"), fault=self.prompt)
        if not seconds_left():
            self._give_up(psycopg.errors.QueryCanceled("the request's time is over"), fault=False)

    def _give_up(self, error: psycopg.Error, *, fault: bool) -> None:
        """Closes the connection and raises the error. A cluster then avoids a server that is at fault for a moment."""
        if fault and self.health:
            self.health.rest(self.address)
        self.close()
        raise error
