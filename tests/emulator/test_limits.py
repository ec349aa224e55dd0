"""Rate limits as X counts them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emulator import Emulator
from tests.emulator.client import BEARER, COUNTS, NOON, OAUTH1, Client


@pytest.fixture
def strict() -> Iterator[Emulator]:
    with Emulator(seed=1, now=NOON, bearer_limit=3, user_limit=2, counts_limit=1) as running:
        yield running


@pytest.fixture
def client(strict: Emulator) -> Client:
    return Client(strict.port)


def test_headers_count_down_also_by_what_is_refused_until_the_window_opens_anew(strict: Emulator, client: Client) -> None:
    replies = [client.search("#devops", max_results=most) for most in (1, 100, 100, 100)]
    assert [reply.headers["x-rate-limit-remaining"] for reply in replies] == ["2", "1", "0", "0"]
    assert {reply.headers["x-rate-limit-limit"] for reply in replies} == {"3"}
    assert [reply.status for reply in replies] == [400, 200, 200, 429]
    assert replies[-1].body["title"] == "Too Many Requests"
    assert strict.ledger.total().posts_served == 200
    assert int(replies[-1].headers["x-rate-limit-reset"]) - strict.clock.now().timestamp() == 900
    strict.clock.advance(900)
    assert client.search("#devops").status == 200


def test_user_context_and_counts_have_limits_of_their_own(client: Client) -> None:
    assert [client.search("#devops", headers=OAUTH1).status for _ in range(3)] == [200, 200, 429]
    assert [client.get(COUNTS, query="#devops").status for _ in range(2)] == [200, 429]
    assert client.search("#devops").status == 200


def test_an_account_may_have_a_limit_of_24_hours_beside_a_window_with_room() -> None:
    with Emulator(seed=1, now=NOON, daily_limit=1) as limited:
        client = Client(limited.port)
        allowed, refused = (client.search("#devops") for _ in range(2))
        other = client.search("#devops", headers=OAUTH1)
        limited.clock.advance(86_400)
        assert client.search("#devops").status == 200
    assert (allowed.headers["x-app-limit-24hour-remaining"], other.headers["x-user-limit-24hour-remaining"]) == ("0", "0")
    assert (refused.status, refused.headers["x-rate-limit-remaining"]) == (429, "448")
    assert int(refused.headers["x-app-limit-24hour-reset"]) - NOON.timestamp() == 86_400


def test_the_limits_are_those_of_x_unless_set() -> None:
    with Emulator(seed=1, now=NOON) as usual:
        client = Client(usual.port)
        replies = [client.search("#devops", headers=headers) for headers in (BEARER, OAUTH1)]
    assert [reply.headers["x-rate-limit-limit"] for reply in replies] == ["450", "300"]
