"""GET /2/usage/credits: the account's balance in dollars, as X's guide to its MCP server shows it.

Amounts are in thousandths of a dollar. Grants are used up before prepaid credits, those that expire first before others;
what a grant has left when it expires is gone.
"""

from __future__ import annotations

from typing import NamedTuple

from emulator.billing.ledger import Ledger
from emulator.endpoints.parameters import refuse_unknown
from emulator.http.answer import EmulatorAnswer, as_json
from emulator.http.routes import Quota, Route, RoutedCall
from emulator.settings import EmulatorSettings
from emulator.world import snowflake


class Grant(NamedTuple):
    """Free credits; expires_ms: milliseconds since 1970."""

    amount: int
    expires_ms: int


class CreditsEndpoint:
    """What the account has left. charge_authors: whether the bill holds authors; moved: top-ups, less what other apps took."""

    def __init__(self, ledger: Ledger, settings: EmulatorSettings) -> None:
        self._ledger, self._prepaid = ledger, settings.balance * 1000
        self.charge_authors = settings.charge_authors
        self.moved = 0
        self.grants: tuple[Grant, ...] = ()

    def routes(self, settings: EmulatorSettings) -> tuple[Route, ...]:
        """Return the endpoint."""
        return (Route("GET", "/2/usage/credits", "credits", Quota(settings.usage_limit), self._answer),)

    def _answer(self, asked: RoutedCall) -> EmulatorAnswer:
        refuse_unknown(asked.call.params, ())
        grants, paid = self._left(asked.now_ms)
        prepaid = self._prepaid + self.moved - (self._bill(asked.now_ms) - paid)
        free = sum(grant.amount for grant in grants)
        shown = [{"amount": grant.amount / 1000, "expires_at": snowflake.rfc3339(grant.expires_ms)} for grant in grants]
        balances = {"prepaid_balance": prepaid / 1000, "total_balance": (free + prepaid) / 1000}
        return as_json({"data": {"free_balance": free / 1000, "free_grants": shown, **balances}})

    def _left(self, now_ms: int) -> tuple[list[Grant], int]:
        """Return the grants with what is left of each, and what all of them paid."""
        left, paid = list[Grant](), 0
        for grant in sorted(self.grants, key=lambda one: one.expires_ms):
            used = min(grant.amount, max(self._bill(min(now_ms, grant.expires_ms)) - paid, 0))
            paid += used
            if grant.expires_ms > now_ms:
                left.append(grant._replace(amount=grant.amount - used))
        return left, paid

    def _bill(self, until_ms: int) -> int:
        """Return what was billed up to and on the UTC day of an instant."""
        days, last = self._ledger.days(), snowflake.rfc3339(until_ms)[:10]
        return sum(sales.ceiling if self.charge_authors else sales.floor for day, sales in days.items() if day <= last)
