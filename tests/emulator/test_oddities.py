"""Oddities: what X does now and then strikes as often as was asked, whatever the order of the requests."""

from __future__ import annotations

from collections import Counter
from itertools import product

from emulator import Emulator
from emulator.faults.oddities import ODDITIES, Oddities
from tests.emulator.client import CREDITS, USUAL, Client
from tests.emulator.test_faults import NAMES

TAGS = ("#devops", "#sre", "#oauth", "#metrics")


def drawn(oddities: Oddities, *tags: str) -> Counter[tuple[str, str]]:
    found = [(tag, oddities.draw("search", "GET", {"query": tag})) for tag in tags]
    return Counter((tag, fault.kind) for tag, fault in found if fault)


def test_each_oddity_is_a_fault_that_its_endpoints_can_have() -> None:
    """PlannedFault refuses a kind at an endpoint that cannot have it."""
    always = Oddities(1, chance=1.0)
    for oddity in ODDITIES:
        for endpoint, method in product(oddity.endpoints, ("GET", "POST")):
            assert endpoint in NAMES
            assert always.draw(endpoint, method, {})


def test_a_seed_strikes_the_same_requests_in_any_order_and_their_repetition_apart() -> None:
    many = [*TAGS] * 50
    first = drawn(Oddities(1, chance=0.05), *many)
    assert first == drawn(Oddities(1, chance=0.05), *reversed(many)) != drawn(Oddities(2, chance=0.05), *many)
    kinds = sum("search" in oddity.endpoints for oddity in ODDITIES)
    assert 0.5 < first.total() / (len(many) * (1 - 0.95**kinds)) < 1.5


def test_they_strike_between_planned_faults_until_they_are_ended(emulator: Emulator, client: Client) -> None:
    emulator.oddities = Oddities(1, chance=1.0)
    emulator.plan("server_500")
    assert client.search("#devops", **USUAL).status == 500
    assert client.search("#devops", **USUAL).body["meta"]["result_count"] == 100
    assert client.get(CREDITS).status == 503
    assert emulator.oddities.struck == {ODDITIES[0].kind: 1, "server_503": 1}
    emulator.oddities = Oddities(1, chance=0)
    assert client.get(CREDITS).status == 200
