"""What was deleted is in no file that the service wrote: database, log of writes, copies that were put back, log of records."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from alchemy import open_database
from collector.imports import Import
from collector.tweets import deletions, erasure
from collector.values import ArchivedTweet
from collector.x import parsing
from emulator import Emulator
from tests.cli.conftest import Program
from tests.fixtures import databases
from tests.fixtures.archives import edited, json_lines, page, post
from tests.fixtures.environment import environment
from tests.fixtures.service import in_process
from tests.reliability.conftest import ALL, COUNTRY, MARK, NAME, WORD, archive, found, given


def delete_tweet(program: Program) -> None:
    assert program.app.test_client().delete(f"/tweets/{post(4)['id']}").status_code == 204


def delete_author(program: Program) -> None:
    assert program.app.test_client().delete("/authors/Zebulon_Q").json == {"deleted": 1}


def drop(program: Program) -> None:
    program.drop()
    for copy in (program.file.parent / "backups").iterdir():
        copy.unlink()


def scrub(program: Program) -> None:
    with program.collector.database.writing() as session:
        assert deletions.scrub_location(session, int(post(3)["id"]))
    assert erasure.erase(program.collector.database)


WAYS: dict[str, tuple[Callable[[Program], None], tuple[str, ...]]] = {
    "the tweet": (delete_tweet, ALL),
    "the author": (delete_author, ALL),
    "everything": (drop, ALL),
    "the location": (scrub, (COUNTRY,)),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_deleted_is_in_no_file_and_does_not_come_back_with_a_copy(program: Program, tmp_path: Path, way: str) -> None:
    """Nor with what a killed restore has left, which the next one removes."""
    erase, marks = WAYS[way]
    folder, bodies, copy = program.file.parent, given(program.collector.database), tmp_path / "copy.db"
    assert found(folder, *ALL)
    assert program.run("database", "backup", copy).code == 0
    erase(program)
    gone = (*marks, *(bodies if marks == ALL else ()))
    assert found(folder, *gone) == []
    if way != "everything":
        for name in ("ready", "ready-draft", "ready-draft-wal"):
            (folder / f".tweets.db.{name}").write_bytes(copy.read_bytes())
        assert program.run("database", "restore", copy).code == 0
        assert found(folder, *gone) == []
        assert len(program.tweets()) >= 80
        assert program.run("database", "verify").code == 0
    assert erasure.erase(program.collector.database)


def test_a_served_tweet_is_in_no_file_after_its_deletion_the_log_included(tmp_path: Path, emulator: Emulator) -> None:
    (folder := tmp_path / "written").mkdir()
    with in_process(folder, **environment(folder, emulator)) as service:
        assert service.get("/database").status_code == 200
        file = json_lines(tmp_path / "archive.jsonl", archive())
        assert service.app.test_cli_runner().invoke(args=["tweets", "import", str(file)]).exit_code == 0
        bodies = given(service.collector.database)
        one = service.get(f"/tweets/{post(3)['id']}").json()
        assert (one["tweet"], one["author"], one["country"]) == (f"{MARK} two", NAME, COUNTRY)
        collected = service.get("/tweets").json()["tweets"][-1]
        for tweet in (one, collected):
            assert service.request("DELETE", f"/tweets/{tweet['id']}").status_code == 204
        assert service.request("DELETE", "/authors/zebulon_q").json() == {"deleted": 0}
        assert f"/tweets/{one['id']}" in service.log.read_text()
        assert found(folder, *ALL, *bodies, collected["tweet"]) == []
    assert found(folder, *ALL, *bodies, collected["tweet"]) == []


def test_what_an_import_tells_to_be_deleted_is_in_no_file_after_it(program: Program, tmp_path: Path) -> None:
    with program.collector.database.writing() as session:
        deletions.delete_tweet(session, int(post(2)["id"]))
    assert found(program.file.parent, *ALL)
    program.imported(json_lines(tmp_path / "more.jsonl", page(edited(2, 3, 4, text="its first version is known now"))))
    assert found(program.file.parent, *ALL) == []


def test_the_words_of_an_older_version_are_not_in_the_index_after_an_edit(tmp_path: Path, database_backend: str) -> None:
    with closing(open_database(databases.url_of(tmp_path))) as database:
        for versions, text in (((1,), f"{MARK} one"), ((1, 2), "two")):
            archive = Import(database)
            archive.add([ArchivedTweet(parsing.tweet(edited(*versions, text=text)))], [])
            archive.end()
            assert database.checkpoint()
            assert bool(found(tmp_path, WORD)) == (text != "two")
