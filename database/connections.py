"""A connection that waits for an answer only so long: a driver alone would wait for ever for a server that has stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

from database.limits import SHORT_S, seconds_left, short_s
from database.watch import TRUSTED_S, Address, Watch

LOOKED_EVERY_S = 0.1
LONGEST_COMMIT_S = 10.0
"""A commit that no standby confirms waits for one without end; what becomes of it is found out afterwards."""

RV = TypeVar("RV")


class MemberConnection(psycopg.Connection[Any]):
    """A connection of which each question has a limit. One that is not answered in time closes it.

    It knows on which timeline its server was, if that was the primary, when it was used (monotonic), whether its limit is one
    that every server keeps that is well, and, once it is in use, who learns of its server's silence and by which address.
    """

    timeline = 0
    used = -math.inf
    limit_s = SHORT_S
    watch: Watch | None = None
    address: Address = ("", 0)
    blames = True

    @property
    def rests(self) -> bool:
        """Whether its server is left alone now."""
        return self.watch is not None and self.watch.rests(self.address)

    @contextmanager
    def limit_answers(self, seconds: float, *, blames: bool = False) -> Iterator[None]:
        """Wait for each answer so long until the block ends; `blames` says whether a lack of it is the server's fault."""
        before = self.limit_s, self.blames
        self.limit_s, self.blames = seconds, blames
        try:
            yield
        finally:
            self.limit_s, self.blames = before

    def wait(self, gen: PQGen[RV], interval: float = LOOKED_EVERY_S, timeout: float | None = None) -> RV:
        """Wait for an answer; raises psycopg.OperationalError where there is none in time."""
        return super().wait(self._watch_wait(gen), interval, timeout)

    def commit(self) -> None:
        """Commit, which may wait for a standby: that is not the fault of this server."""
        with self.limit_answers(LONGEST_COMMIT_S):
            super().commit()

    def rollback(self) -> None:
        """Roll back, which waits for nothing."""
        with self.limit_answers(SHORT_S, blames=True):
            super().rollback()

    def _watch_wait(self, gen: PQGen[RV]) -> PQGen[RV]:
        """Go on with a question, and look after its server whenever nothing has come for LOOKED_EVERY_S."""
        began = time.monotonic()
        try:
            ready = yield next(gen)
            while True:
                if not ready:
                    self._look(time.monotonic() - began)
                ready = yield gen.send(ready)
        except StopIteration as end:
            answer: RV = end.value
            return answer

    def _look(self, waited: float) -> None:
        """Close the connection if its question takes too long, or its server is silent."""
        if waited > TRUSTED_S and self.watch and self.watch.is_silent((self.info.host, self.info.port)):
            self._give_up(psycopg.OperationalError("the server gives no sign of life"), blames=True)
        limit_s = min(self.limit_s, short_s()) if self.blames else self.limit_s
        if waited > limit_s:
            self._give_up(psycopg.OperationalError(f"no answer within {limit_s:.1f} s"), blames=self.blames)
        if not seconds_left():
            self._give_up(psycopg.errors.QueryCanceled("the request's time is over"), blames=False)

    def _give_up(self, error: psycopg.Error, *, blames: bool) -> None:
        """Close the connection and raise the error; a server that is to be blamed rests."""
        if blames and self.watch:
            self.watch.rest(self.address)
        self.close()
        raise error
