"""How the API answers a call: credentials, then the rate limit, then planned faults, then the endpoint."""

from __future__ import annotations

from emulator.endpoints.table import Endpoint, endpoints, match_endpoint
from emulator.faults.kinds import FaultContext
from emulator.faults.oddities import Oddities
from emulator.faults.plan import FaultPlan
from emulator.http.access import DAY_SECONDS, Allowance, Caller, LimitReached, RateLimits, caller
from emulator.http.messages import Call, EmulatorAnswer, Headers, Problem, unsupported_authentication
from emulator.query import MalformedQuery, hashtags, parse
from emulator.state import EmulatorState, RoutedCall

_EVERY_ANSWER: Headers = (("api-version", "2.167"), ("x-access-level", "read"))


class Api:
    """X's API over a state."""

    def __init__(self, state: EmulatorState) -> None:
        self.state = state
        self.endpoints = endpoints(state.settings)
        self.limits = RateLimits()
        self.faults = FaultPlan(list(dict.fromkeys(endpoint.name for endpoint in self.endpoints)))
        self.oddities = Oddities(state.settings.seed, chance=state.settings.odd_percent / 100)

    def answer(self, call: Call, now_ms: int) -> EmulatorAnswer:
        """Answer a call to the API that comes at an instant."""
        answer = self._answer(call, now_ms)
        return answer._replace(headers=(*answer.headers, *_EVERY_ANSWER)) if call.path.startswith("/2/") else answer

    def _answer(self, call: Call, now_ms: int) -> EmulatorAnswer:
        try:
            endpoint, item = match_endpoint(self.endpoints, call)
            allowance = self._take_allowance(endpoint, call, now_ms)
        except Problem as problem:
            return problem.answer
        fault = self.faults.take(endpoint.name, endpoint.method, _tags(call)) or self.oddities.draw(
            endpoint.name, endpoint.method, call.params
        )
        if fault and fault.effect.answer:
            return fault.effect.answer(FaultContext(fault.seconds, allowance, now_ms))._replace(fault=fault.kind)
        headers = allowance.headers() if endpoint.quota else ()
        try:
            answer = endpoint.answer(self.state, RoutedCall(call, now_ms, item, fault))
        except Problem as problem:
            return problem.answer._replace(headers=headers)
        answer = answer._replace(headers=(*answer.headers, *headers), fault=fault.kind if fault else None)
        return fault.effect.deliver(answer, fault.seconds) if fault and fault.effect.deliver else answer

    def _take_allowance(self, endpoint: Endpoint, call: Call, now_ms: int) -> Allowance:
        """Count the call and return what its caller may still do. Raises Problem 401, 403 or 429."""
        quota = endpoint.quota
        if quota is None:
            return Allowance(1, 1, now_ms // 1000)
        who = caller(call)
        limit = quota.bearer if who.bearer else quota.user
        if limit is None:
            raise Problem(403, unsupported_authentication())
        name = f"{endpoint.method} {endpoint.path}"
        if quota.pace:
            self.limits.take(who.id, f"{name}, pace", limit=1, now_ms=now_ms, seconds=quota.pace)
        return self._take_daily(who, name, self.limits.take(who.id, name, limit=limit, now_ms=now_ms), now_ms)

    def _take_daily(self, who: Caller, name: str, allowance: Allowance, now_ms: int) -> Allowance:
        """Count the call in the 24 hours of an account that has such a limit. Raises Problem 429, whose window has room."""
        limit, prefix = self.state.settings.daily_limit, f"x-{'app' if who.bearer else 'user'}-limit-24hour"
        if not limit:
            return allowance
        try:
            day = self.limits.take(who.id, f"{name}, day", limit=limit, now_ms=now_ms, seconds=DAY_SECONDS)
        except LimitReached as reached:
            daily = reached.allowance.headers(prefix)
            raise Problem(429, headers=allowance._replace(daily=daily).headers()) from reached
        return allowance._replace(daily=day.headers(prefix))


def _tags(call: Call) -> tuple[str, ...]:
    """Return the hashtags that a call's query names, none if it has no valid query."""
    try:
        return hashtags(parse(call.params.get("query", "")))
    except MalformedQuery:
        return ()
