"""The account's balance, which falls by what the emulator's own bill says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from emulator import Emulator
from tests.emulator.client import CREDITS, NOON, OAUTH1, USUAL, Client

DAY = timedelta(days=1)


def told(client: Client) -> dict[str, Any]:
    data: dict[str, Any] = client.get(CREDITS).body["data"]
    return data


@pytest.mark.parametrize("charged", [True, False])
def test_the_balance_falls_by_the_bill_with_or_without_authors(charged: bool) -> None:
    with Emulator(seed=1, now=NOON, balance=20, charge_authors=charged) as running:
        client = Client(running.port)
        empty = {"free_balance": 0, "free_grants": [], "prepaid_balance": 20, "total_balance": 20}
        assert told(client) == empty
        client.search("#devops", **USUAL)
        sold = running.ledger.total()
        left = 20 - (sold.ceiling if charged else sold.floor) / 1000
        assert sold.ceiling > sold.floor > 0
        assert told(client)["total_balance"] == pytest.approx(left)
        assert client.control("PUT", "/credits", {"moved_usd": -1.5}).body == {"moved_usd": -1.5, "charge_authors": charged}
        assert told(client)["total_balance"] == pytest.approx(left - 1.5)
        assert client.control("PUT", "/credits", {"charge_authors": not charged}).body["charge_authors"] is not charged
        other = 20 - (sold.floor if charged else sold.ceiling) / 1000
        assert told(client)["prepaid_balance"] == pytest.approx(other - 1.5)


def test_grants_pay_first_and_what_is_left_of_them_expires(client: Client, emulator: Emulator) -> None:
    emulator.grant(10, NOON + DAY)
    emulator.grant(0.1, NOON + timedelta(hours=1))
    client.search("#devops", max_results=100)
    bill = emulator.ledger.total().ceiling / 1000
    shown = told(client)
    assert bill > 0.1
    assert [(one["amount"], datetime.fromisoformat(one["expires_at"])) for one in shown["free_grants"]] == [
        (0, NOON + timedelta(hours=1)),
        (pytest.approx(10.1 - bill), NOON + DAY),
    ]
    assert shown["free_balance"] == pytest.approx(10.1 - bill)
    assert shown["prepaid_balance"] == 1000
    emulator.clock.advance(2 * 86_400)
    assert told(client) == {"free_balance": 0, "free_grants": [], "prepaid_balance": 1000, "total_balance": 1000}


def test_it_takes_a_bearer_token_only_and_faults_refuse_it(client: Client, emulator: Emulator) -> None:
    assert client.get(CREDITS, headers=OAUTH1).status == 403
    assert client.get(CREDITS, days=7).status == 400
    for kind, status in (("unauthorized", 401), ("not_enrolled", 403), ("not_found", 404), ("server_503", 503)):
        emulator.plan(kind, endpoint="credits")
        assert client.get(CREDITS).status == status
    assert client.get(CREDITS).status == 200
    assert client.control("PUT", "/credits", {"charge_authors": 1}).status == 400
