"""The endpoints that cost money: search and counts, of the last seven days and of the whole archive."""

from __future__ import annotations

from collections.abc import Callable

from emulator.billing.ledger import Ledger
from emulator.endpoints.counts import counts
from emulator.endpoints.reach import ARCHIVE, RECENT, SearchReach
from emulator.endpoints.search import page
from emulator.faults.blemishes import spoil
from emulator.http.answer import EmulatorAnswer, as_json
from emulator.http.routes import Quota, Route, RoutedCall
from emulator.settings import EmulatorSettings
from emulator.world.world import World


class Selling:
    """Sells posts and counts of a world and keeps the ledger of it."""

    def __init__(self, world: World, ledger: Ledger) -> None:
        self._world = world
        self._ledger = ledger

    def routes(self, settings: EmulatorSettings) -> tuple[Route, ...]:
        """Return the endpoints."""
        search = Quota(settings.bearer_limit, settings.user_limit)
        archive = Quota(settings.archive_limit, pace=settings.archive_pace)
        return (
            Route("GET", "/2/tweets/search/recent", "search", search, self._search(RECENT)),
            Route("GET", "/2/tweets/search/all", "search_all", archive, self._search(ARCHIVE)),
            Route("GET", "/2/tweets/counts/recent", "counts", Quota(settings.counts_limit), self._counts(RECENT)),
            Route("GET", "/2/tweets/counts/all", "counts_all", archive, self._counts(ARCHIVE)),
        )

    def _search(self, reach: SearchReach) -> Callable[[RoutedCall], EmulatorAnswer]:
        def answer(asked: RoutedCall) -> EmulatorAnswer:
            found = page(self._world, asked.call.params, asked.now_ms, reach)
            found = spoil(asked.fault, found) if asked.fault else found
            query = asked.call.params["query"]
            self._ledger.sell(asked.now_ms, posts=found.posts, users=found.users, query=query)
            return as_json(found.body)

        return answer

    def _counts(self, reach: SearchReach) -> Callable[[RoutedCall], EmulatorAnswer]:
        def answer(asked: RoutedCall) -> EmulatorAnswer:
            body = counts(self._world, asked.call.params, asked.now_ms, reach)
            self._ledger.sell_counts(asked.now_ms, archive=reach is ARCHIVE)
            return as_json(body)

        return answer
