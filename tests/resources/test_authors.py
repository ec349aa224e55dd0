"""DELETE /authors/{username}: everybody under a username goes with all their tweets, and nothing brings them back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from alchemy import Database
from collector.tweets import deletions
from collector.values import stand_in_id
from emulator import Emulator
from models import Author, AuthorTombstone, Tombstone
from tests.fixtures.archives import edited, own_row, page, post, user
from tests.fixtures.service import Service
from tests.resources.conftest import QUIET, given, imported, problem

SOUND = ["everything adds up"]


@pytest.fixture
def database(fresh: Service) -> Database:
    return fresh.collector.database


def by(author: int, *minutes: int, username: str) -> dict[str, object]:
    return page(*(post(minute, author=author) for minute in minutes), users=(user(author, f"N{author}", username),))


def deleted(service: Service, username: str) -> int:
    answer = service.request("DELETE", f"/authors/{username}")
    assert (answer.status_code, list(answer.json())) == (200, ["deleted"])
    return int(answer.json()["deleted"])


def usernames(service: Service) -> list[str]:
    return [tweet["username"] for tweet in given(service, "/tweets")["tweets"]]


def run(service: Service, *arguments: object) -> list[str]:
    """Run a command of `database`, and return what it says."""
    return service.app.test_cli_runner().invoke(args=["database", *map(str, arguments)]).stderr.splitlines()


@pytest.mark.dialects
def test_all_tweets_of_everybody_who_had_the_username_go_and_the_answer_counts_them(fresh: Service, database: Database) -> None:
    imported(database, by(1, 1, 2, 3, username="Ada_M"), by(2, 4, username="bo"))
    imported(database, by(3, 5, username="ADA_m"), own_row(6, username="aDa_m"), by(4, 7, username="ada_"))
    assert deleted(fresh, "@aDA_m") == 5
    assert usernames(fresh) == ["bo", "ada_"]
    assert run(fresh, "verify") == SOUND
    assert deleted(fresh, "ada_m") == 0


ROWS = [
    by(1, 1, 10, username="ada"),
    by(1, 11, username="renamed"),
    page(post(12, author=1)),
    own_row(13, username="Ada"),
    by(99, 14, username="ADA"),
    {**post(16, author=1), "author": user(1, "N1", "ada")},
    {**post(17, author=None), "author": user(1, "N1", "ada")},
    page(post(1, author=None)),
]


@pytest.mark.dialects
def test_no_import_brings_an_author_back_by_id_or_username(fresh: Service, database: Database) -> None:
    imported(database, by(1, 1, username="ada"))
    assert deleted(fresh, "ada") == 1
    assert [imported(database, row)[1] for row in (*ROWS, *ROWS)] == [0] * 2 * len(ROWS)
    assert usernames(fresh) == []
    assert run(fresh, "verify") == SOUND
    assert imported(database, by(5, 20, username="eve")) == (1, 1)


@pytest.mark.dialects
def test_who_was_known_by_username_only_is_kept_out_by_id_once_that_is_known(fresh: Service, database: Database) -> None:
    assert deleted(fresh, "nobody") == 0
    rows = by(9, 1, username="Nobody"), own_row(2, username="nobody"), by(9, 3, username="renamed"), page(post(1, author=None))
    assert [imported(database, row)[1] for row in rows] == [0, 0, 0, 0]


def test_what_can_be_no_username_is_404_and_deletes_nothing(fresh: Service, database: Database) -> None:
    imported(database, by(1, 1, username="a"))
    for username in ("@", "a-b", "%00", "%D9%A5", "x" * 51, "@@a", "%25"):
        refused = problem(fresh.request("DELETE", f"/authors/{username}"), 404)
        assert refused["detail"] == "there is no author with this username"
    assert usernames(fresh) == ["a"]


@pytest.mark.dialects
def test_a_deletion_that_was_cut_off_is_gone_on_with(
    fresh: Service, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletions, "BATCH", 2)
    imported(database, by(1, *range(7), username="ada"), by(2, 50, username="bo"))
    whole: Callable[..., int] = deletions.delete_tweets
    batches = iter(range(2))

    def cut(*given: Any) -> int:
        next(batches)
        return whole(*given)

    monkeypatch.setattr(deletions, "delete_tweets", cut)
    with pytest.raises(StopIteration):
        deletions.delete_author(database, "ada")
    monkeypatch.setattr(deletions, "delete_tweets", whole)
    assert len(usernames(fresh)) == 4
    assert imported(database, by(1, 90, username="ada"))[1] == 0
    assert "".join(run(fresh, "verify")).count("is stored though its author was deleted") == 3
    assert deletions.finish_deletions(database) == 3
    assert usernames(fresh) == ["bo"]
    with database.reading() as session:
        assert set(session.scalars(select(AuthorTombstone.author_id))) == {stand_in_id("ada"), 1}
        assert session.scalar(select(func.count()).select_from(Tombstone)) == 8
        assert session.scalars(select(Author.id)).all() == [2]
    assert run(fresh, "verify") == SOUND


@pytest.mark.dialects
def test_no_copy_brings_back_who_was_deleted_while_nobody_had_the_name(
    fresh: Service, database: Database, tmp_path: Path
) -> None:
    imported(database, by(1, 1, 2, username="Ada"), by(2, 3, username="bo"), page(edited(7, 8, text="two", author_id="2")))
    run(fresh, "backup", tmp_path / "copy.db")
    assert fresh.request("DELETE", "/database").status_code == 200
    assert deleted(fresh, "ada") == 0
    assert fresh.request("DELETE", f"/tweets/{post(8)['id']}").status_code == 204  # a later version
    run(fresh, "restore", tmp_path / "copy.db")
    assert usernames(fresh) == ["bo"]
    assert imported(database, by(1, 9, username="renamed"))[1] == 0
    assert run(fresh, "verify") == SOUND


@pytest.mark.dialects
def test_no_collection_brings_an_author_back(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    given(fresh, "/database")
    before = usernames(fresh)
    (most,) = given(fresh, "/tweets?order_by_followers_desc=1")["authors"]
    assert deleted(fresh, most["username"]) == most["tweets"]
    assert fresh.request("DELETE", "/database").status_code == 200
    given(fresh, "/database")
    assert usernames(fresh) == [name for name in before if name != most["username"]]


def test_no_name_is_kept_of_who_was_deleted(fresh: Service, tmp_path: Path) -> None:
    imported(fresh.collector.database, by(1, 1, username="ada_gone"))

    def bytes_kept() -> bytes:
        return b"".join(file.read_bytes() for file in tmp_path.glob("tweets.db*"))

    assert b"ada_gone" in bytes_kept()
    assert deleted(fresh, "ada_gone") == 1
    assert b"ada_gone" not in bytes_kept()
