"""Planning: PostgreSQL takes no hints, but its planner can be told, for one question, what not to think of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, select
from sqlalchemy.orm import Session

_OTHERS = ("enable_seqscan", "enable_indexscan", "enable_indexonlyscan")


@contextmanager
def by_bitmaps(session: Session) -> Iterator[None]:
    """Let rows be found by bitmaps of indexes only, which is how a list of words is looked up. PostgreSQL only."""
    if session.get_bind().dialect.name != "postgresql":
        yield
        return
    for state in ("off", "on"):
        session.execute(select(*(func.set_config(name, state, True) for name in _OTHERS)))
        if state == "off":
            yield


def part_by_part(session: Session) -> None:
    """Let tables in parts be joined part by part for the rest of the transaction, with memory for one. PostgreSQL only."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(
            select(func.set_config("enable_partitionwise_join", "on", True), func.set_config("work_mem", "64MB", True))
        )
