"""The API's answers: credentials, then the rate limit, then planned faults, then the request itself."""

from __future__ import annotations

from emulator.billing.ledger import Ledger
from emulator.clock import Clock
from emulator.credits import CreditsEndpoint
from emulator.endpoints.compliance import Compliance
from emulator.endpoints.jobs import Jobs
from emulator.endpoints.selling import Selling
from emulator.endpoints.storage import Storage
from emulator.endpoints.usage import UsageEndpoint
from emulator.faults.blemishes import deliver
from emulator.faults.failures import failure
from emulator.faults.faults import Faults
from emulator.http import problems
from emulator.http.answer import Call, EmulatorAnswer, Problem
from emulator.http.credentials import Caller, bearer_token, caller
from emulator.http.limits import Allowance, RateLimits
from emulator.http.routes import Quota, Route, RoutedCall, route_of
from emulator.query import MalformedQuery, hashtags, parse
from emulator.settings import EmulatorSettings
from emulator.world.world import RemovedPosts, World


class Api:
    """X's side. latency may be changed at any time, in seconds."""

    def __init__(self, settings: EmulatorSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock
        self.latency = settings.latency
        self.removals = RemovedPosts()
        self.world = World(settings.seed, tweets=settings.tweets, removals=self.removals)
        self.ledger = Ledger()
        self.limits = RateLimits()
        self.faults = Faults()
        self.usage = UsageEndpoint(self.ledger, settings.billing_day)
        self.credits = CreditsEndpoint(self.ledger, settings)
        self.jobs = Jobs(settings.compliance_seconds)
        self._routes = (
            *Selling(self.world, self.ledger).routes(settings),
            *Compliance(self.jobs).routes(settings),
            *Storage(self.jobs, self.world, self.removals).routes(),
            *self.usage.routes(settings),
            *self.credits.routes(settings),
            Route("POST", "/oauth2/token", "token", None, lambda asked: bearer_token(asked.call)),
        )

    def answer(self, call: Call, now_ms: int) -> EmulatorAnswer:
        """Return the answer to a call that comes at an instant and isn't one to the controls."""
        try:
            route, item = route_of(self._routes, call)
            allowance = self._allowance(route, call, now_ms)
        except Problem as problem:
            return problem.answer
        return self._answer(route, RoutedCall(call, now_ms, None, item), allowance)

    def _answer(self, route: Route, asked: RoutedCall, allowance: Allowance) -> EmulatorAnswer:
        fault = self.faults.take(route.endpoint, _tags(asked.call), route.kinds)
        replaced = failure(fault, allowance, asked.now_ms) if fault else None
        if replaced:
            return replaced
        headers = allowance.headers() if route.quota else ()
        try:
            answer = route.answer(asked._replace(fault=fault))
        except Problem as problem:
            return problem.answer._replace(headers=headers)
        answer = answer._replace(headers=(*answer.headers, *headers))
        return deliver(fault, answer) if fault else answer

    def _allowance(self, route: Route, call: Call, now_ms: int) -> Allowance:
        """Return what the caller may still do. Raises Problem 401, 403 or 429."""
        if route.quota is None:
            return Allowance(1, 1, now_ms // 1000, exhausted=False)
        who = caller(call)
        limit = _limit(route.quota, who)
        if route.quota.pace:
            self._take(who.who, f"{route.name}, pace", limit=1, now_ms=now_ms, seconds=route.quota.pace)
        return self._take(who.who, route.name, limit=limit, now_ms=now_ms)

    def _take(self, who: str, endpoint: str, **window: int) -> Allowance:
        allowance = self.limits.take(who, endpoint, **window)
        if allowance.exhausted:
            raise Problem(429, problems.plain(429, "Too Many Requests"), allowance.headers())
        return allowance


def _limit(quota: Quota, who: Caller) -> int:
    limit = quota.bearer if who.bearer else quota.user
    if limit is None:
        raise Problem(403, problems.unsupported_authentication())
    return limit


def _tags(call: Call) -> tuple[str, ...]:
    """Return the tags that a call's query names, none if it has no good query."""
    try:
        return hashtags(parse(call.params.get("query", "")))
    except MalformedQuery:
        return ()
