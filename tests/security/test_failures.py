"""Wrong tokens are answered later and later, for a second at most and in nobody else's time; the right one is never late."""

from __future__ import annotations

from typing import Any

import pytest

from security import tokens
from security.tokens import FIRST_S, FORGET_AFTER_S, LONGEST_S, MOST_CLIENTS, SLEEP, FailedAttempts
from tests.security.conftest import TOKEN, MakeApp, bearer, client, hollow

MOST_S = 1.0


def held(found: FailedAttempts, client: str = "192.0.2.1") -> float:
    """Return for how many seconds the answer to a wrong token is held back."""
    asked: list[float] = []
    environ: dict[str, Any] = {"REMOTE_ADDR": client, SLEEP: asked.append}
    found.slow_down(environ)
    return asked[0]


def test_each_wrong_token_waits_twice_as_long_up_to_a_bound() -> None:
    found = FailedAttempts(lambda: 0.0)
    waits = [held(found) for _ in range(2000)]
    assert waits[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_S < MOST_S


def test_each_client_is_counted_for_itself_and_forgotten_in_time() -> None:
    now = 0.0
    found = FailedAttempts(lambda: now)
    for _ in range(10):
        held(found)
    assert held(found, "192.0.2.2") == FIRST_S
    now += FORGET_AFTER_S - 1
    assert held(found) == LONGEST_S
    now += FORGET_AFTER_S + 1
    assert held(found) == FIRST_S


def test_what_is_kept_of_clients_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_CLIENTS <= 10_000
    monkeypatch.setattr(tokens, "MOST_CLIENTS", 50)
    found = FailedAttempts(lambda: 0.0)
    for number in range(100):
        held(found, f"client {number}")
    assert len(found._clients) == 50


def test_only_wrong_tokens_wait_and_the_log_counts_them_without_a_token(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[float] = []
    made = client(hollow(make_app(API_TOKEN=TOKEN)))
    for token, status in [*[("wrong1", 401)] * 9, (TOKEN, 200)]:
        assert made.get("/tags", headers=bearer(token), environ_overrides={SLEEP: waits.append}).status_code == status
    assert len(waits) == 9
    found = [vars(record) for record in caplog.records if record.message == "wrong token"]
    assert [one["failures"] for one in found] == [1, 2, 4, 8]
    assert found[0]["ecs_fields"] == {"client": {"ip": "127.0.0.1"}}
    assert "wrong1" not in repr(found)
