"""The controls of money: the ledger, how far X's own count is from it, and what moves the account's balance."""

from __future__ import annotations

from emulator.billing.ledger import Day, Ledger, dollars
from emulator.controls.orders import ROOT, Body, Controls, number, object_body
from emulator.credits import CreditsEndpoint
from emulator.endpoints.usage import UsageEndpoint
from emulator.http.answer import Call


class Books:
    """Shows and resets the ledger, shows and sets the drift and what moves the balance."""

    def __init__(self, ledger: Ledger, usage: UsageEndpoint, credits: CreditsEndpoint) -> None:
        self._ledger = ledger
        self._usage = usage
        self._credits = credits

    def routes(self) -> Controls:
        """Return the controls; a post's sales have an address of their own each."""
        return {
            ("GET", f"{ROOT}/ledger"): self._show,
            ("DELETE", f"{ROOT}/ledger"): self._reset,
            ("GET", f"{ROOT}/usage"): self._drift,
            ("PUT", f"{ROOT}/usage"): self._set_drift,
            ("DELETE", f"{ROOT}/usage"): self._end_drift,
            ("GET", f"{ROOT}/credits"): self._account,
            ("PUT", f"{ROOT}/credits"): self._set_account,
        }

    def sales(self, call: Call) -> object:
        """Return how often the post at the end of the path was sold."""
        text = call.path.rstrip("/").rsplit("/", 1)[1]
        if not text.isdecimal():
            raise ValueError(f"{text!r} is no post id")
        sales = self._ledger.post(int(text))
        return {"id": text, "billed": len(sales), "days": {sale.day: sale.served for sale in sales}}

    def _show(self, call: Call) -> object:
        return {
            "days": {day: _day(sales) for day, sales in self._ledger.days().items()},
            "total": _day(self._ledger.total()),
            "twice": [{"id": str(post), "days": days} for post, days in self._ledger.twice().items()],
        }

    def _reset(self, call: Call) -> object:
        self._ledger.reset()
        return self._show(call)

    def _drift(self, call: Call) -> object:
        return {"drift": self._usage.drift}

    def _set_drift(self, call: Call) -> object:
        posts = number(object_body(call, {"drift"}), "drift")
        if posts is None or posts != int(posts):
            raise ValueError("drift must be a whole number of posts")
        self._usage.drift = int(posts)
        return self._drift(call)

    def _end_drift(self, call: Call) -> object:
        self._usage.drift = 0
        return self._drift(call)

    def _account(self, call: Call) -> object:
        return {"moved_usd": self._credits.moved / 1000, "charge_authors": self._credits.charge_authors}

    def _set_account(self, call: Call) -> object:
        body = object_body(call, {"moved_usd", "charge_authors"})
        moved, charged = number(body, "moved_usd"), body.get("charge_authors", self._credits.charge_authors)
        if not isinstance(charged, bool):
            raise ValueError("charge_authors must be true or false")
        self._credits.charge_authors = charged
        if moved is not None:
            self._credits.moved = round(moved * 1000)
        return self._account(call)


def _day(sales: Day) -> Body:
    return {**sales._asdict(), "floor_usd": dollars(sales.floor), "ceiling_usd": dollars(sales.ceiling)}
