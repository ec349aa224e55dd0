"""DELETE /authors/{username}: everybody under a username goes with all their tweets, and nothing brings them back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from collector.tweets import deletions
from collector.values import stand_in_id
from emulator import Emulator
from models import Author, AuthorTombstone, Tombstone
from tests.commands.conftest import Program
from tests.fixtures.archives import edited, json_lines, own_row, page, post, user
from tests.fixtures.processes import Server
from tests.resources.conftest import QUIET


class Service(Program):
    """The service over a database of its own, in this process."""

    def brought(self, *objects: object) -> str:
        """Import, and return the line of counts."""
        return self.imported(json_lines(self.file.with_name("archive.jsonl"), *objects))

    def delete(self, path: str) -> tuple[int, Any]:
        answer = self.app.test_client().delete(path)
        return answer.status_code, answer.json

    def deleted(self, username: str) -> int:
        status, body = self.delete(f"/authors/{username}")
        assert (status, list(body)) == (200, ["deleted"])
        return int(body["deleted"])

    def usernames(self) -> list[str]:
        return [str(tweet["username"]) for tweet in self.tweets()]

    def adds_up(self) -> bool:
        return self.run("database", "verify") == (0, [], ["everything adds up"])


@pytest.fixture
def service(tmp_path: Path, database_backend: str) -> Iterator[Service]:
    made = Service(tmp_path)
    with closing(made.collector):
        made.collector.prepare()
        yield made


def by(author: int, *minutes: int, username: str) -> dict[str, object]:
    return page(*(post(minute, author=author) for minute in minutes), users=(user(author, f"N{author}", username),))


def test_all_tweets_of_an_author_go_and_the_answer_counts_them(service: Service) -> None:
    service.brought(by(1, 1, 2, 3, username="Ada_M"), by(2, 4, username="bo"))
    assert service.deleted("@aDA_m") == 3
    assert service.usernames() == ["bo"]
    assert service.adds_up()
    assert service.deleted("ada_m") == 0


def test_everybody_who_had_the_username_goes(service: Service) -> None:
    service.brought(by(1, 1, username="ada"), by(2, 2, username="ADA"), own_row(3, username="aDa"), by(4, 4, username="ada_"))
    assert service.deleted("ada") == 3
    assert service.usernames() == ["ada_"]


@pytest.mark.parametrize(
    "row",
    [
        by(1, 1, 10, username="ada"),
        by(1, 11, username="renamed"),
        page(post(12, author=1)),
        own_row(13, username="Ada"),
        by(99, 14, username="ADA"),
        {**post(16, author=1), "author": user(1, "N1", "ada")},
        {**post(16, author=None), "author": user(1, "N1", "ada")},
    ],
)
def test_no_import_brings_an_author_back_by_id_or_username(service: Service, row: object) -> None:
    service.brought(by(1, 1, username="ada"))
    assert service.deleted("ada") == 1
    for again in (row, row, page(post(1, author=None))):
        assert service.brought(again).endswith(" 0 added, 0 refused")
    assert service.tweets() == []
    assert service.adds_up()
    assert service.brought(by(5, 20, username="eve")).endswith(" 1 added, 0 refused")


def test_who_was_known_by_username_only_is_kept_out_by_id_once_that_is_known(service: Service) -> None:
    assert service.deleted("nobody") == 0
    rows = by(9, 1, username="Nobody"), own_row(2, username="nobody"), by(9, 3, username="renamed"), page(post(1, author=None))
    for row in rows:
        assert service.brought(row).endswith(" 0 added, 0 refused")


def test_no_name_is_kept_of_who_was_deleted(service: Service) -> None:
    service.brought(by(1, 1, username="ada_gone"))
    assert b"ada_gone" in b"".join(file.read_bytes() for file in service.file.parent.glob("tweets.db*"))
    service.deleted("ada_gone")
    assert b"ada_gone" not in b"".join(file.read_bytes() for file in service.file.parent.glob("tweets.db*"))


@pytest.mark.parametrize("username", ["@", "a-b", "%00", "a%20b", "%D9%A5", "x" * 51, "@@a", "a,b", "%25"])
def test_what_can_be_no_username_is_404_and_deletes_nothing(service: Service, username: str) -> None:
    service.brought(by(1, 1, username="a"))
    status, body = service.delete(f"/authors/{username}")
    assert (status, body["detail"]) == (404, "there is no author with this username")
    assert len(service.tweets()) == 1


def test_a_parameter_is_400_and_other_methods_are_405(service: Service) -> None:
    assert service.delete("/authors/a?x=1")[0] == 400
    client = service.app.test_client()
    assert [client.open("/authors/a", method=method).status_code for method in ("POST", "PUT", "PATCH", "GET")] == [405] * 4


def test_a_deletion_that_was_cut_off_is_gone_on_with(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "BATCH", 2)
    service.brought(by(1, *range(7), username="ada"), by(2, 50, username="bo"))
    whole, batches, database = deletions.bury_all, iter(range(2)), service.collector.database

    def cut(*given: Any) -> int:
        next(batches)
        return whole(*given)

    monkeypatch.setattr(deletions, "bury_all", cut)
    with pytest.raises(StopIteration):
        deletions.bury_author(database, "ada")
    monkeypatch.setattr(deletions, "bury_all", whole)
    assert len(service.tweets()) == 4
    assert service.brought(by(1, 90, username="ada")).endswith(" 0 added, 0 refused")
    assert "3 tweets are stored whose author was deleted" in service.run("database", "verify").err
    assert deletions.bury_rest(database) == 3
    assert service.usernames() == ["bo"]
    with database.reading() as session:
        assert set(session.scalars(select(AuthorTombstone.author_id))) == {stand_in_id("ada"), 1}
        assert session.scalar(select(func.count()).select_from(Tombstone)) == 8
        assert session.scalars(select(Author.id)).all() == [2]
    assert service.adds_up()


def test_no_copy_brings_back_who_was_deleted_while_nobody_had_the_name(service: Service, tmp_path: Path) -> None:
    service.brought(by(1, 1, 2, username="Ada"), by(2, 3, username="bo"))
    assert service.run("database", "backup", tmp_path / "copy.db").code == 0
    service.drop()
    assert service.deleted("ada") == 0
    assert service.run("database", "restore", tmp_path / "copy.db").code == 0
    assert service.usernames() == ["bo"]
    assert service.brought(by(1, 9, username="renamed")).endswith(" 0 added, 0 refused")
    assert service.adds_up()


def test_no_copy_brings_back_a_tweet_of_which_a_later_version_was_deleted(service: Service, tmp_path: Path) -> None:
    service.brought(page(edited(1, 2, text="two")), page(post(5)))
    assert service.run("database", "backup", tmp_path / "copy.db").code == 0
    service.drop()
    assert service.delete(f"/tweets/{post(2)['id']}")[0] == 204
    assert service.run("database", "restore", tmp_path / "copy.db").code == 0
    assert [tweet["id"] for tweet in service.tweets()] == [post(5)["id"]]


def test_no_collection_brings_an_author_back(server: Server, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    assert server.get("/database").status_code == 200
    before = server.get("/tweets").json()["tweets"]
    (most,) = server.get("/tweets?order_by_followers_desc=1").json()["authors"]
    name = most["username"]
    assert server.request("DELETE", f"/authors/{name}").json() == {"deleted": most["tweets"]}
    assert server.request("DELETE", "/database").status_code == 200
    assert server.get("/database").status_code == 200
    after = server.get("/tweets").json()["tweets"]
    assert [tweet["id"] for tweet in after] == [tweet["id"] for tweet in before if tweet["username"] != name]
