"""The collector of a process: starts collections, one at a time, and stops the one that runs here."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future, wait
from typing import NamedTuple, Protocol

from alchemy import Database, DatabaseUnavailable
from collector import lease, runs, sources, tags
from collector.collection import STOPS_WITHIN_S, Collection, OnProgress, Progress
from collector.prices import Prices, Spend
from collector.tries import Patience
from collector.values import TagRef
from collector.x import Access, X

log = logging.getLogger(__name__)


class CollectionRunning(Exception):
    """Another collection, or a command that must not run beside one, holds the lease."""

    def __init__(self, run_id: int | None) -> None:
        super().__init__("another collection runs" if run_id else "the database is being changed by another command")
        self.run_id = run_id


class NothingTracked(Exception):
    """No tag is tracked, so there is nothing to collect."""


class Started(NamedTuple):
    """A collection over so many tags that runs in this process; `over` is set when its record is closed."""

    run_id: int
    tags: int
    over: Future[None]


class XSource(Protocol):
    """Where tweets come from: `name` marks the database, `reach` says how to ask."""

    @property
    def name(self) -> str: ...

    def reach(self) -> Access: ...

    def close(self) -> None: ...


class Order(NamedTuple):
    """What is to be collected: the tags of the settings, the number of tweets per tag, how often to ask again, and prices."""

    tags: Sequence[str]
    tw_number: int
    patience: Patience
    prices: Prices


class Collector:
    """Collects into `database` from `source`, one collection at a time."""

    def __init__(self, database: Database, source: XSource, order: Order) -> None:
        self.database, self.source, self.order = database, source, order
        self._running: dict[int, tuple[Collection, Future[None]]] = {}

    def prepare(self) -> None:
        """Migrate the database and track the tags it has never known."""
        self.database.upgrade()
        with self.database.writing() as session:
            tags.track_new(session, self.order.tags)

    def start_first(self) -> Started | None:
        """Start a collection if the database has neither a tweet nor a collection on record."""
        with self.database.reading() as session:
            first = sources.source_of(session) is None and runs.none_yet(session)
        try:
            return self.start() if first else None
        except CollectionRunning:
            return None

    def start(self, *, on_progress: OnProgress | None = None) -> Started:
        """Start a collection in a thread of its own.

        Raises SourceRefused, NothingTracked, CollectionRunning, DatabaseUnavailable.
        """
        with self.database.reading() as session:
            sources.require(session, self.source.name)
        x = X(self.source.reach())
        run_id, token, tracked = self._begin()
        self._announce(run_id, tracked)
        collection = Collection(
            self.database, x, run_id=run_id, token=token, source=self.source.name, patience=self.order.patience
        )
        over: Future[None] = Future()
        self._running[run_id] = collection, over
        arguments = (collection, run_id, tracked, on_progress or _quiet, over)
        threading.Thread(target=self._run, args=arguments, name="collection", daemon=True).start()
        return Started(run_id, len(tracked), over)

    def stop(self) -> None:
        """Let the collections of this process end at their next page boundary."""
        for collection, _ in list(self._running.values()):
            collection.stop.set()

    def close(self, *, seconds: float = STOPS_WITHIN_S + 5) -> None:
        """Stop, wait for the end, and close the database and the way to X."""
        self.stop()
        wait([over for _, over in list(self._running.values())], timeout=seconds)
        self.source.close()
        self.database.close()

    def most(self, tags: int) -> Spend:
        """Return what a collection of so many tags can cost."""
        posts = tags * self.order.tw_number
        return self.order.prices.spend(posts=posts, users=posts)

    def _begin(self) -> tuple[int, int, Sequence[TagRef]]:
        with self.database.writing() as session:
            sources.require(session, self.source.name)
            tracked = tags.tracked(session)
            if not tracked:
                raise NothingTracked("no tag is tracked: set TAGS")
            token = lease.take(session, f"{socket.gethostname()}:{os.getpid()}")
            if token is None:
                raise CollectionRunning(runs.running(session))
            return runs.begin(session, tracked, token=token), token, tracked

    def _announce(self, run_id: int, tracked: Sequence[TagRef]) -> None:
        facts: dict[str, object] = {"collection": run_id, "tags": [tag.tag for tag in tracked], "x": self.source.name}
        if self.source.name == sources.REAL:
            most = self.most(len(tracked))
            facts |= {"floor_usd_at_most": most.floor / 1e6, "ceiling_usd_at_most": most.ceiling / 1e6}
        log.info("collection started", extra=facts)

    def _run(
        self, collection: Collection, run_id: int, tracked: Sequence[TagRef], on_progress: OnProgress, over: Future[None]
    ) -> None:
        try:
            collection.run(tracked, tw_number=self.order.tw_number, on_progress=on_progress)
        except (lease.LeaseLost, DatabaseUnavailable) as error:
            log.error("collection broken off", extra={"collection": run_id, "reason": str(error)})
        except Exception:
            log.exception("collection failed", extra={"collection": run_id})
        finally:
            log.info("collection ended", extra={"collection": run_id})
            self._running.pop(run_id, None)
            over.set_result(None)


def _quiet(_progress: Progress) -> None:
    """Report to nobody."""
