"""The faults that replace an answer. None of them is sold.

Shapes and titles are those of X's error table; hang and reset are what networks do.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from emulator.endpoints.parameters import stale
from emulator.faults.faults import PlannedFault
from emulator.http import problems
from emulator.http.answer import HTML, EmulatorAnswer, as_json
from emulator.http.limits import Allowance, rate_headers
from emulator.world import snowflake
from emulator.world.slots import WEEK_MS

_ACCOUNT = "1000000000000000001"
_HANG_SECONDS = 120
_PAGE = b"<!DOCTYPE html><html><head><title>Over capacity</title></head><body><h1>Something broke</h1></body></html>"
Headers = tuple[tuple[str, str], ...]
Limited = Callable[[PlannedFault, Allowance, int], EmulatorAnswer]


def failure(fault: PlannedFault, allowance: Allowance, now_ms: int) -> EmulatorAnswer | None:
    """Return the answer in place of the right one, or None for a fault that only spoils it."""
    if fault.kind in _LIMITED:
        return _LIMITED[fault.kind](fault, allowance, now_ms // 1000)
    if fault.kind in _BODIES:
        status, body = _BODIES[fault.kind]
        return as_json(body(now_ms), status=status, headers=() if status == 401 else allowance.headers())
    plain = _PLAIN.get(fault.kind)
    return plain._replace(wait=fault.seconds) if plain and fault.seconds is not None else plain


def _limited(headers: Callable[[PlannedFault, Allowance, int], Headers], body: object) -> Limited:
    def answer(fault: PlannedFault, allowance: Allowance, now: int) -> EmulatorAnswer:
        return as_json(body, status=429, headers=headers(fault, allowance, now))

    return answer


def _ahead(fault: PlannedFault, allowance: Allowance, now: int) -> Headers:
    return rate_headers(allowance.limit, 0, now + int(900 if fault.seconds is None else fault.seconds))


def _behind(fault: PlannedFault, allowance: Allowance, now: int) -> Headers:
    return rate_headers(allowance.limit, 0, now - int(60 if fault.seconds is None else fault.seconds))


def _plainly(status: int, title: str) -> EmulatorAnswer:
    return as_json(problems.plain(status, title), status=status)


_TOO_MANY = problems.plain(429, "Too Many Requests")
_LIMITED: dict[str, Limited] = {
    "rate_limit": _limited(_ahead, _TOO_MANY),
    "rate_limit_no_header": _limited(lambda fault, allowance, now: (), _TOO_MANY),
    "rate_limit_past_reset": _limited(_behind, _TOO_MANY),
    "rate_limit_code_88": _limited(_ahead, {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}),
}
_PLAIN: dict[str, EmulatorAnswer] = {
    "server_500": _plainly(500, "Internal Server Error"),
    "server_502": _plainly(502, "Bad Gateway"),
    "server_503": _plainly(503, "Service Unavailable"),
    "server_504": _plainly(504, "Gateway Timeout"),
    "not_found": _plainly(404, "Not Found"),
    "html": EmulatorAnswer(503, _PAGE, content_type=HTML),
    "html_200": EmulatorAnswer(200, _PAGE, content_type=HTML),
    "empty_body": EmulatorAnswer(503, b""),
    "list_body": as_json([{"message": "Internal error", "code": 131}], status=500),
    "list_200": as_json([]),
    "reset": EmulatorAnswer(200, b"", delivery="reset"),
    "hang": EmulatorAnswer(200, b"", delivery="hang", wait=_HANG_SECONDS),
}


def _usage_cap(now_ms: int) -> problems.Body:
    return {
        "account_id": _ACCOUNT,
        "product_name": "pay-per-use",
        "title": "UsageCapExceeded",
        "period": "Monthly",
        "scope": "Product",
        "detail": "Usage cap exceeded: Monthly product cap",
        "type": f"{problems.OLD_HOST}/usage-capped",
    }


def _credits_depleted(now_ms: int) -> problems.Body:
    return {
        "account_id": _ACCOUNT,
        "title": "CreditsDepleted",
        "detail": f"The enrolled account [{_ACCOUNT}] has no credits left for this request.",
        "type": f"{problems.NEW_HOST}/credits",
    }


def _spend_cap(now_ms: int) -> problems.Body:
    month = snowflake.to_datetime(now_ms).replace(day=1) + timedelta(days=32)
    return {
        "account_id": _ACCOUNT,
        "title": "SpendCapReached",
        "detail": f"The enrolled account [{_ACCOUNT}] has reached its spending cap.",
        "reset_date": f"{month:%Y-%m}-01",
        "type": f"{problems.NEW_HOST}/credits",
    }


def _not_enrolled(now_ms: int) -> problems.Body:
    return {
        "client_id": "10000001",
        "title": "Client Forbidden",
        "required_enrollment": "Appropriate Level of API Access",
        "reason": "client-not-enrolled",
        "registration_url": "https://developer.twitter.com/en/docs/projects/overview",
        "detail": "The keys and tokens must be those of a developer App that is attached to a Project.",
        "type": f"{problems.OLD_HOST}/client-forbidden",
    }


def _invalid_request(now_ms: int) -> problems.Body:
    return problems.invalid_request("The `query` query parameter value is not valid", {"query": "#planned"})


def _stale_since_id(now_ms: int) -> problems.Body:
    oldest_ms = now_ms - WEEK_MS
    old = str(snowflake.first_id(oldest_ms - 60_000))
    return problems.invalid_request(stale("since_id", old, oldest_ms), {"since_id": old})


_BODIES: dict[str, tuple[int, Callable[[int], problems.Body]]] = {
    "usage_cap": (429, _usage_cap),
    "credits_depleted": (402, _credits_depleted),
    "spend_cap": (403, _spend_cap),
    "not_enrolled": (403, _not_enrolled),
    "unauthorized": (401, lambda now_ms: problems.plain(401, "Unauthorized")),
    "invalid_request": (400, _invalid_request),
    "stale_since_id": (400, _stale_since_id),
}
