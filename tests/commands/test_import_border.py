"""What an import doesn't believe: times of the future, times that are none, and usernames that nobody can ask for."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.commands.conftest import Program
from tests.fixtures.archives import Archive, Json, edited, own_row, page, post, tweet_id, user

NOW, LONG_AGO = datetime(2026, 11, 20, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
FUTURE, IN_2070, LATER = "9999-12-31T23:59:59Z", "2070-01-01T00:00:00Z", "lies in the future"
IN_40_YEARS = 40 * 365 * 24 * 60
NO_USERNAMES = ["<script>", "=1+1", "a/b?c#d", "bad name\n", "%2e%2e", "..", "ada\n", "ада", "x" * 51, " ", "@ada", "\u202eada"]


def shown(program: Program) -> tuple[Any, ...]:
    row = program.tweet()
    return row["tweet"], row["author"], row["username"], row["followers"]


OF_THE_FUTURE = [
    (own_row(0, author_id="7001", author="x", followers=9, observed=FUTURE), f"observed {FUTURE} {LATER}"),
    (own_row(0, version=str(2**63 - 1)), f"the time of version {2**63 - 1}, 2080-07-10T17:30:30Z {LATER}"),
    (own_row(0, author_id="7001", author="x", created=IN_2070), f"created {IN_2070} {LATER}"),
    (page(post(0, "x"), users=(user(name="x"),)) | {"__twarc": {"retrieved_at": FUTURE}}, f"retrieved_at {FUTURE} {LATER}"),
    (page(edited(0, IN_40_YEARS, text="x"), users=(user(name="x"),)), LATER),
    (page(post(0, "x", created_at=IN_2070), users=(user(name="x"),)), f"created {IN_2070} {LATER}"),
    ({**post(0, "x"), "author": user(name="x"), "__twarc": {"retrieved_at": FUTURE}}, f"retrieved_at {FUTURE} {LATER}"),
    ({**edited(0, IN_40_YEARS, text="x"), "author": user(name="x")}, LATER),
]


def test_what_says_that_it_is_of_the_future_is_refused_and_overwrites_nothing_for_good(
    program: Program, archive: Archive
) -> None:
    program.imported(archive(page(post(0, "as it is"), users=(user(),), retrieved=LONG_AGO)))
    before = shown(program)
    for line, reason in OF_THE_FUTURE:
        ended = program.run("tweets", "import", archive(line))
        assert ended.code == 1
        assert reason in ended.err[0]
        assert ended.err[-1].endswith("0 added, 1 refused")
        assert shown(program) == before
    program.imported(archive(page(post(0, "as it is"), users=(user(name="Ada Later", followers=7),), retrieved=NOW)))
    assert shown(program) == ("as it is", "Ada Later", "ada_muster", 7)


def test_of_a_page_only_the_tweets_of_the_future_are_refused(program: Program, archive: Archive) -> None:
    late = {"id": str(tweet_id(datetime(2080, 1, 1, tzinfo=UTC))), "text": "y", "author_id": "5"}
    ended = program.run("tweets", "import", archive(page(post(0), late, post(1), users=(user(), user(5, username="bo")))))
    assert ended.err[-1] == "2 tweets read, 2 added, 1 refused"
    assert {row["observed"] for row in program.tweets()} == {post(1)["created_at"].replace(".000", "")}


def test_an_id_that_is_a_pseudonym_tells_no_time(program: Program, archive: Archive) -> None:
    program.imported(archive(own_row(0, id=str(2**63 - 1), version=str(2**63 - 1), versions=[str(2**63 - 1)])))
    assert program.tweet()["created"] == own_row(0)["created"]


def test_an_archive_may_be_of_a_clock_that_is_half_an_hour_ahead(program: Program, archive: Archive) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=30)
    two, three = (user(number, "Ada Soon", f"ada_{number}") for number in (1, 2))
    observed = own_row(0, author_id="0", author="Ada Soon", username="ada_0", observed=soon.isoformat())
    retrieved = page(post(1, author=1), users=(two,), retrieved=soon)
    given_out = page({**post(2, author=2), "id": str(tweet_id(soon)), "author": three}, users=(three,))
    program.imported(archive(observed, retrieved, given_out))
    assert [row["author"] for row in program.tweets()] == ["Ada Soon"] * 3


def test_a_time_of_ours_that_cannot_be_is_refused_and_not_made_up(program: Program, archive: Archive) -> None:
    wrong = [FUTURE, "2006-03-20T23:59:59Z", "2026-01-01T00:00:00+99:99", "soon", "", 5, [1]]
    ended = program.run("tweets", "import", archive(*(own_row(0, created=created) for created in wrong), own_row(1)))
    assert (ended.code, len(ended.err)) == (1, len(wrong) + 1)
    for number, said in enumerate(ended.err[:-1], 1):
        assert re.search(rf":{number}: created is no time (such as|at which there were tweets)", said)
    assert program.tweet()["id"] == own_row(1)["id"]


def test_what_nobody_can_ask_for_is_no_username_and_its_bearer_keeps_their_id(program: Program, archive: Archive) -> None:
    lines: list[Json] = []
    for case, username in enumerate(NO_USERNAMES):
        number = 4 * case
        known = {"author_id": str(number + 2), "observed": "2026-05-01T00:00:00Z"}
        lines += [
            page(post(number, author=number), users=(user(number, username=username),)),
            {**post(number + 1, author=number + 1), "author": user(number + 1, username=username)},
            own_row(number + 2, username=username, **known),
            own_row(number + 3, username=username),
        ]
    program.imported(archive(*lines))
    rows = program.tweets()
    assert {row["username"] for row in rows} == {None}
    assert [(row["author_id"], row["author"]) for row in rows] == [
        (None, None) if number % 4 == 3 else (str(number), "Ada Muster") for number in range(4 * len(NO_USERNAMES))
    ]
    assert program.run("database", "verify").code == 0


def test_every_username_that_is_stored_can_be_asked_for_and_deleted(program: Program, archive: Archive) -> None:
    names = ["a", "_", "1", "Ada_2026", "x" * 15, "y" * 20, "Z" * 50]
    people = [user(number, username=name) for number, name in enumerate(names)]
    program.imported(archive(page(*(post(n, author=n) for n in range(len(names))), users=tuple(people))))
    client = program.app.test_client()
    for number, name in enumerate(names):
        assert [row["author_id"] for row in program.get(f"/tweets?author={name.swapcase()}")["tweets"]] == [str(number)]
        assert client.delete(f"/authors/{name}").json == {"deleted": 1}
    assert program.tweets() == []
