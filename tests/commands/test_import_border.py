"""What an import doesn't believe: times of the future, times that are none, and usernames that nobody can ask for."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Program
from tests.fixtures.archives import Archive, Json, edited, own_row, page, post, tweet_id, user

NOW, LONG_AGO = datetime(2026, 11, 20, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC)
FUTURE, IN_2070, LATER = "9999-12-31T23:59:59Z", "2070-01-01T00:00:00Z", "lies in the future"
IN_40_YEARS = 40 * 365 * 24 * 60
SOON = datetime.now(UTC) + timedelta(minutes=30)
"""By the clock of somebody else, who imports nothing yet, it may be half an hour later."""


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


def shown(program: Program) -> tuple[Any, ...]:
    row = program.tweet()
    return row["tweet"], row["author"], row["username"], row["followers"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (own_row(0, author_id="7001", author="x", followers=9, observed=FUTURE), f"observed {FUTURE} {LATER}"),
        (own_row(0, version=str(2**63 - 1)), f"the time of version {2**63 - 1}, 2080-07-10T17:30:30Z {LATER}"),
        (
            own_row(0, author_id="7001", author="x", created=IN_2070),
            f"created {IN_2070} {LATER}",
        ),
        (
            page(post(0, "x"), users=(user(name="x"),)) | {"__twarc": {"retrieved_at": FUTURE}},
            f"retrieved_at {FUTURE} {LATER}",
        ),
        (page(edited(0, IN_40_YEARS, text="x"), users=(user(name="x"),)), LATER),
        (
            page(post(0, "x", created_at=IN_2070), users=(user(name="x"),)),
            f"created {IN_2070} {LATER}",
        ),
        ({**post(0, "x"), "author": user(name="x"), "__twarc": {"retrieved_at": FUTURE}}, f"retrieved_at {FUTURE} {LATER}"),
        ({**edited(0, IN_40_YEARS, text="x"), "author": user(name="x")}, LATER),
    ],
    ids=range(8),
)
def test_what_says_that_it_is_of_the_future_is_refused_and_overwrites_nothing_for_good(
    program: Program, archive: Archive, line: Json, reason: str
) -> None:
    program.imported(archive(page(post(0, "as it is"), users=(user(),), retrieved=LONG_AGO)))
    before = shown(program)
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


@pytest.mark.parametrize(
    "line",
    [
        own_row(0, author_id="7001", author="Ada Soon", observed=SOON.isoformat()),
        page(post(0), users=(user(name="Ada Soon"),), retrieved=SOON),
        page({**post(0), "id": str(tweet_id(SOON)), "author": user(name="Ada Soon")}, users=(user(name="Ada Soon"),)),
    ],
    ids=["observed", "retrieved", "id"],
)
def test_an_archive_may_be_of_a_clock_that_is_half_an_hour_ahead(program: Program, archive: Archive, line: Json) -> None:
    program.imported(archive(line))
    assert program.tweet()["author"] == "Ada Soon"


@pytest.mark.parametrize("created", [FUTURE, "2006-03-20T23:59:59Z", "2026-01-01T00:00:00+99:99", "soon", "", 5, [1]])
def test_a_time_of_ours_that_cannot_be_is_refused_and_not_made_up(program: Program, archive: Archive, created: object) -> None:
    ended = program.run("tweets", "import", archive(own_row(0, created=created), own_row(1)))
    assert ended.code == 1
    assert re.search(r":1: created is no time (such as|at which there were tweets)", ended.err[0])
    assert program.tweet()["id"] == own_row(1)["id"]


def test_a_tweet_of_ours_without_a_time_has_that_of_its_id(program: Program, archive: Archive) -> None:
    program.imported(archive(own_row(0, created=None)))
    assert program.tweet()["created"] == own_row(0)["created"]


NO_USERNAMES = ["<script>", "=1+1", "a/b?c#d", "bad name\n", "%2e%2e", "..", "ada\n", "ада", "x" * 51, " ", "@ada", "\u202eada"]


@pytest.mark.parametrize("username", NO_USERNAMES, ids=ascii)
def test_what_nobody_can_ask_for_is_no_username_and_its_bearer_keeps_their_id(
    program: Program, archive: Archive, username: str
) -> None:
    known = {"author_id": "7003", "observed": "2026-05-01T00:00:00Z"}
    program.imported(
        archive(
            page(post(0), users=(user(username=username),)),
            {**post(1, author=7002), "author": user(7002, username=username)},
            own_row(2, username=username, **known),
            own_row(3, username=username),
        )
    )
    rows = program.tweets()
    assert {row["username"] for row in rows} == {None}
    assert [(row["author_id"], row["author"]) for row in rows] == [
        *((str(number), "Ada Muster") for number in (7001, 7002, 7003)),
        (None, None),
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
