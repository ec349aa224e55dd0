"""Look-up of users by their ids."""

from __future__ import annotations

import pytest

from emulator import Emulator
from tests.emulator.client import OAUTH1, USUAL, Client

USERS = "/2/users"


def test_users_are_those_that_pages_include_and_others_are_in_errors(emulator: Emulator, client: Client) -> None:
    page = client.search("#devops", **USUAL).body
    users = {user["id"]: user for user in page["includes"]["users"]}
    wanted = list(dict.fromkeys(tweet["author_id"] for tweet in page["data"]))[:98]
    found = client.get(USERS, ids=",".join([*wanted, "12", wanted[0]]), **{"user.fields": USUAL["user.fields"]}).body
    assert found["data"] == [users[one] for one in wanted if one in users]
    absent = [*(one for one in wanted if one not in users), "12"]
    assert [(error["resource_id"], error["parameter"], error["resource_type"]) for error in found["errors"]] == [
        (one, "ids", "user") for one in absent
    ]


def test_a_user_is_billed_once_a_utc_day_whether_expansions_are_or_not(emulator: Emulator, client: Client) -> None:
    page = client.search("#devops", **USUAL).body
    one, other = (user["id"] for user in page["includes"]["users"][:2])
    for ids in (one, f"{one},{other}"):
        assert client.get(USERS, ids=ids, headers=OAUTH1).status == 200
    total = emulator.ledger.total()
    assert (total.users_looked_up, total.users_billed) == (2, len(page["includes"]["users"]))
    assert total.floor == 500 + 2 * 10
    assert total.ceiling == 500 + 10 * total.users_billed
    emulator.clock.advance(86_400)
    client.get(USERS, ids=one)
    assert emulator.ledger.total().users_looked_up == 3


@pytest.mark.parametrize("ids", ["", "x", "1,-2", ",".join(map(str, range(101)))])
def test_ids_are_1_to_100_numbers(client: Client, emulator: Emulator, ids: str) -> None:
    assert client.get(USERS, ids=ids).refusal == (400, "Invalid Request")
    assert emulator.ledger.total().users_billed == 0
