"""The API's answers: credentials, then the rate limit, then planned faults, then the request itself."""

from __future__ import annotations

from emulator import problems
from emulator.answer import Answer, Call, Problem, as_json
from emulator.blemishes import blemished, delivered
from emulator.clock import Clock
from emulator.counts import counts
from emulator.credentials import Caller, bearer_token, caller
from emulator.failures import failure
from emulator.faults import Fault, Faults
from emulator.grammar import Malformed, parse
from emulator.ledger import Ledger
from emulator.limits import Allowance, Limits
from emulator.query import hashtags
from emulator.search import page
from emulator.settings import Settings
from emulator.world import World

SEARCH, COUNTS, TOKEN, USAGE = (
    "/2/tweets/search/recent",
    "/2/tweets/counts/recent",
    "/oauth2/token",
    "/2/usage/tweets",
)
_METHODS = {SEARCH: "GET", COUNTS: "GET", USAGE: "GET", TOKEN: "POST"}


class Api:
    """X's side. latency may be changed at any time, in seconds."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.latency = settings.latency
        self.world = World(settings.seed, tweets=settings.tweets)
        self.ledger = Ledger()
        self.limits = Limits()
        self.faults = Faults()

    def answer(self, call: Call, now_ms: int) -> Answer:
        """Return the answer to a call below /2 or to /oauth2/token that comes at an instant."""
        method = _METHODS.get(call.path)
        if method is None:
            return as_json(problems.plain(404, "Not Found"), status=404)
        if call.method != method:
            return as_json(problems.plain(405, "Method Not Allowed"), status=405, headers=(("Allow", method),))
        try:
            return self._answered(call, now_ms)
        except Problem as problem:
            return problem.answer

    def _answered(self, call: Call, now_ms: int) -> Answer:
        if call.path == TOKEN:
            return self._token(call, now_ms)
        who = caller(call)
        if call.path == USAGE:
            return as_json(self._usage())
        allowance = self._allowance(who, call, now_ms)
        try:
            return (self._search if call.path == SEARCH else self._counts)(call, allowance, now_ms)
        except Problem as problem:
            return problem.answer._replace(headers=allowance.headers())

    def _allowance(self, who: Caller, call: Call, now_ms: int) -> Allowance:
        """Return what the caller may still do. Raises Problem 403 or 429."""
        if call.path == COUNTS and not who.bearer:
            raise Problem(403, problems.unsupported_authentication())
        by_caller = self.settings.bearer_limit if who.bearer else self.settings.user_limit
        limit = self.settings.counts_limit if call.path == COUNTS else by_caller
        allowance = self.limits.take(who.who, call.path, limit=limit, now_ms=now_ms)
        if allowance.exhausted:
            raise Problem(429, problems.plain(429, "Too Many Requests"), allowance.headers())
        return allowance

    def _search(self, call: Call, allowance: Allowance, now_ms: int) -> Answer:
        fault = self.faults.take("search", _tags(call))
        replaced = failure(fault, allowance, now_ms) if fault else None
        if replaced:
            return replaced
        found = page(self.world, call.params, now_ms)
        found = blemished(fault, found) if fault else found
        self.ledger.sell(now_ms, posts=found.posts, users=found.users)
        return _delivered(fault, found.body, allowance)

    def _counts(self, call: Call, allowance: Allowance, now_ms: int) -> Answer:
        fault = self.faults.take("counts", _tags(call))
        replaced = failure(fault, allowance, now_ms) if fault else None
        if replaced:
            return replaced
        body = counts(self.world, call.params, now_ms)
        self.ledger.sell_counts(now_ms)
        return _delivered(fault, body, allowance)

    def _token(self, call: Call, now_ms: int) -> Answer:
        fault = self.faults.take("token", ())
        unlimited = Allowance(self.settings.bearer_limit, self.settings.bearer_limit, now_ms // 1000, False)
        return (failure(fault, unlimited, now_ms) if fault else None) or bearer_token(call)

    def _usage(self) -> dict[str, object]:
        sold = self.ledger.total().posts_billed
        return {"data": {"project_id": "1", "project_cap": "3000000", "project_usage": str(sold), "cap_reset_day": 1}}


def _tags(call: Call) -> tuple[str, ...]:
    """Return the tags that a call's query names, none if it has no good query."""
    try:
        return hashtags(parse(call.params.get("query", "")))
    except Malformed:
        return ()


def _delivered(fault: Fault | None, body: object, allowance: Allowance) -> Answer:
    headers = allowance.headers()
    return delivered(fault, body, headers) if fault else as_json(body, headers=headers)
