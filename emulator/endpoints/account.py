"""What belongs to an app's account: its token, X's own count of the posts it was billed for, and its balance.

X's OpenAPI document on usage: cap_reset_day is the number of days until the cap is reset; counts are texts. Without
usage.fields an answer has no daily counts. Days on which nothing was sold are left out.

Credits are as X's guide to its MCP server shows them. Grants are used up before prepaid credits, those that expire first
before others; what is left of a grant when it expires is lost.
"""

from __future__ import annotations

import base64
import binascii
from calendar import monthrange
from datetime import date, timedelta
from urllib.parse import parse_qs

from emulator.endpoints.parameters import USAGE_FIELDS, USAGE_PARAMETERS, integer, names, refuse_unknown
from emulator.http.access import digest
from emulator.http.messages import EmulatorAnswer, Json, as_json
from emulator.state import EmulatorState, Grant, RoutedCall
from emulator.world import snowflake

_PROJECT, _CLIENT_APP = "1", "10000001"
_CAP = 3_000_000
_DEFAULT = frozenset({"cap_reset_day", "project_cap", "project_id", "project_usage"})


def answer_token(state: EmulatorState, request: RoutedCall) -> EmulatorAnswer:
    """Issue an app's token for the consumer key and secret in Basic authentication (RFC 6749, 4.4)."""
    call = request.call
    scheme, _, credentials = call.authorization.partition(" ")
    grant = parse_qs(call.body.decode("utf-8", "replace")).get("grant_type", [call.params.get("grant_type", "")])
    if scheme.casefold() != "basic" or not _is_pair(credentials):
        return _refusal(403, 99, "Unable to verify your credentials", "authenticity_token_error")
    if grant != ["client_credentials"]:
        return _refusal(400, 170, "Missing required parameter: grant_type", "forbidden_missing_parameter")
    return as_json({"token_type": "bearer", "access_token": f"AAAAEMULATED{digest(credentials)}"})


def _is_pair(text: str) -> bool:
    try:
        key, colon, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return bool(key and colon and secret)


def _refusal(status: int, code: int, message: str, label: str) -> EmulatorAnswer:
    return as_json({"errors": [{"code": code, "message": message, "label": label}]}, status=status)


def answer_usage(state: EmulatorState, request: RoutedCall) -> EmulatorAnswer:
    """Return how many posts were billed in this billing month and on each of the last days."""
    params, today = request.call.params, snowflake.to_datetime(request.now_ms).date()
    refuse_unknown(params, USAGE_PARAMETERS)
    everything = _usage(state, today, integer(params, "days", 7, 1, 90))
    wanted = names(params, "usage.fields") or _DEFAULT
    return as_json({"data": {name: everything[name] for name in USAGE_FIELDS if name in wanted}})


def _usage(state: EmulatorState, today: date, days: int) -> Json:
    billed = {date.fromisoformat(day): sales.posts_billed for day, sales in state.ledger.days().items()}
    billed[today] = max(billed.get(today, 0) + state.usage_drift, 0)
    first = month_start(today, state.settings.billing_day)
    left = (next_month(first, state.settings.billing_day) - today).days
    daily = [
        {"date": f"{day}T00:00:00.000Z", "usage": str(posts)}
        for day, posts in sorted(billed.items())
        if posts and today - timedelta(days=days) < day <= today
    ]
    return {
        "cap_reset_day": state.settings.billing_day if state.settings.reset_as_day else left,
        "daily_client_app_usage": [{"client_app_id": _CLIENT_APP, "usage": daily, "usage_result_count": len(daily)}],
        "daily_project_usage": {"project_id": _PROJECT, "usage": daily},
        "project_cap": str(_CAP),
        "project_id": _PROJECT,
        "project_usage": str(sum(posts for day, posts in billed.items() if first <= day <= today)),
    }


def month_start(day: date, billing_day: int) -> date:
    """Return the first day of the billing month to which a day belongs; a short month begins on its last day."""
    this = _in_month(day, billing_day)
    return this if this <= day else _in_month(day.replace(day=1) - timedelta(days=1), billing_day)


def next_month(first: date, billing_day: int) -> date:
    """Return the first day of the billing month after the one that begins on a day."""
    return _in_month(first.replace(day=1) + timedelta(days=32), billing_day)


def _in_month(day: date, billing_day: int) -> date:
    return day.replace(day=min(billing_day, monthrange(day.year, day.month)[1]))


def answer_credits(state: EmulatorState, request: RoutedCall) -> EmulatorAnswer:
    """Return the balance, in dollars."""
    refuse_unknown(request.call.params, ())
    grants, paid = _grants_left(state, request.now_ms)
    prepaid = state.settings.balance * 1000 + state.balance_moved - (_bill(state, request.now_ms) - paid)
    free = sum(grant.amount for grant in grants)
    shown = [{"amount": grant.amount / 1000, "expires_at": snowflake.rfc3339(grant.expires_ms)} for grant in grants]
    balances = {"prepaid_balance": prepaid / 1000, "total_balance": (free + prepaid) / 1000}
    return as_json({"data": {"free_balance": free / 1000, "free_grants": shown, **balances}})


def _grants_left(state: EmulatorState, now_ms: int) -> tuple[list[Grant], int]:
    """Return the grants with what is left of each, and what all of them paid, in thousandths of a dollar."""
    left, paid = list[Grant](), 0
    for grant in sorted(state.grants, key=lambda grant: grant.expires_ms):
        used = min(grant.amount, max(_bill(state, min(now_ms, grant.expires_ms)) - paid, 0))
        paid += used
        if grant.expires_ms > now_ms:
            left.append(grant._replace(amount=grant.amount - used))
    return left, paid


def _bill(state: EmulatorState, until_ms: int) -> int:
    """Return what was billed up to and on the UTC day of an instant, in thousandths of a dollar."""
    days, last = state.ledger.days(), snowflake.rfc3339(until_ms)[:10]
    authors = state.settings.charge_authors
    return sum(sales.ceiling if authors else sales.floor for day, sales in days.items() if day <= last)
