"""Which database, which X."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from alchemy import Database, open_database
from api import collector_for, get_tweets
from app import create_app
from collector import sources
from collector.backups.backups import drop
from collector.imports import Import
from collector.sources import SourceRefused, choose
from collector.values import ArchivedTweet
from collector.x import parsing
from collector.x.failures import CREDENTIALS
from emulator import Emulator
from queries.lists import TweetList, batches
from queries.tweets import TweetIds
from settings import Settings
from tests.fixtures.archives import json_lines, page, post
from tests.settings.conftest import FEW, Load

BEARER = {"TWITTER_BEARER_TOKEN": "bearer"}
OAUTH = {f"TWITTER_{name}": name for name in ("CONSUMER_KEY", "CONSUMER_SECRET", "ACCESS_TOKEN", "ACCESS_TOKEN_SECRET")}
HOST = {"TWITTER_API_URL": "http://127.0.0.1:9"}
NO_CREDENTIALS = f"the stored tweets are real and no credentials are set: set {CREDENTIALS}"
INVENTED = "the stored tweets are invented: set DATABASE_URL to another file, or DELETE /database first"


@pytest.fixture
def real_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """data/tweets.db, in a folder of the test's own; data/emulated.db is beside it."""
    monkeypatch.setattr("database.sqlite.DATA", tmp_path / "data")
    monkeypatch.setattr(sources, "REAL_FILE", tmp_path / "data/tweets.db")
    monkeypatch.setattr(sources, "EMULATED_FILE", tmp_path / "data/emulated.db")
    return tmp_path / "data/tweets.db"


def chosen(settings: Settings) -> tuple[str, str]:
    """Return the name of the database's file and where its tweets are to come from."""
    choice = choose(settings)
    return choice.database_url.rsplit("/", 1)[1], choice.source


def import_a_tweet(database: Database) -> None:
    database.upgrade()
    archive = Import(database)
    archive.add([ArchivedTweet(parsing.tweet(post()))], [])
    archive.end()


@pytest.mark.usefixtures("real_file")
def test_without_stored_tweets_credentials_decide(load_from: Load) -> None:
    mine = {"DATABASE_URL": "sqlite:////srv/mine.db"}
    for environment, expected in (
        ({}, ("emulated.db", "emulator")),
        *((given, ("tweets.db", "x")) for given in (BEARER, OAUTH, HOST, BEARER | HOST)),
        (mine, ("mine.db", "emulator")),
        (BEARER | mine, ("mine.db", "x")),
        (HOST | mine, ("mine.db", "x")),
        ({name: f"<{name}>" for name in BEARER | OAUTH | HOST}, ("emulated.db", "emulator")),
    ):
        assert chosen(load_from(environment)) == expected, environment


def test_tweets_db_is_taken_without_credentials_once_it_holds_a_tweet(load_from: Load, real_file: Path) -> None:
    choose(load_from({}))
    assert not real_file.parent.exists()
    with closing(open_database(f"sqlite:///{real_file}")) as migrated:
        migrated.upgrade()
        assert chosen(load_from({})) == ("emulated.db", "emulator")
        import_a_tweet(migrated)
        assert chosen(load_from({})) == ("tweets.db", "emulator")
        drop(migrated)
        assert chosen(load_from({})) == ("emulated.db", "emulator")


def test_an_import_without_database_url_goes_to_tweets_db_beside_invented_tweets(
    load_from: Load, real_file: Path, tmp_path: Path
) -> None:
    app, archive = create_app(load_from(FEW)), json_lines(tmp_path / "archive.jsonl", page(post()))
    with closing(app.extensions["collector"]) as invented:
        invented.prepare()
        assert get_tweets(invented).state == "done"
        result = app.test_cli_runner().invoke(args=["tweets", "import", str(archive)])
        assert (result.exit_code, result.stderr.splitlines()[-1]) == (0, "1 tweet read, 1 added, 0 refused")
    with closing(collector_for(load_from(FEW))) as next_start, next_start.database.reading() as session:
        assert next_start.database.file == real_file
        assert sources.source_of(session) == "x"


def test_a_tweets_db_that_cannot_be_read_is_never_passed_over(load_from: Load, real_file: Path) -> None:
    real_file.parent.mkdir()
    real_file.write_bytes(b"this was a database once" * 1000)
    assert chosen(load_from({})) == ("tweets.db", "emulator")


def test_credentials_are_handed_on_and_the_bearer_token_is_there_when_another_host_needs_none(load_from: Load) -> None:
    given: Any = [choose(load_from(environment)).access for environment in (OAUTH, HOST, HOST | BEARER)]
    access, host, both = given
    assert (access.url, access.bearer_token, access[2:6]) == ("https://api.twitter.com", None, tuple(OAUTH.values()))
    assert (host.url, both.bearer_token) == (HOST["TWITTER_API_URL"], "bearer")
    assert host.bearer_token


def test_real_tweets_without_credentials_are_served_and_a_collection_says_what_to_set(
    load_from: Load, real_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(open_database(f"sqlite:///{real_file}")) as database:
        import_a_tweet(database)
    app = create_app(load_from(FEW))
    with closing(app.extensions["collector"]) as collector:
        collector.prepare()
        client = app.test_client()
        assert [tweet["id"] for tweet in json.loads(client.get("/tweets").data)["tweets"]] == [post()["id"]]
        refused = client.get("/database")
        assert (refused.status_code, json.loads(refused.data)["detail"]) == (503, NO_CREDENTIALS)
        assert client.get("/readyz").status_code == 200
    assert "an emulator of X stands in" not in caplog.text


def test_real_tweets_do_not_come_into_a_database_of_invented_ones(load_from: Load, tmp_path: Path, emulator: Emulator) -> None:
    file = {"DATABASE_URL": f"sqlite:///{tmp_path}/mine.db"}
    settings = load_from(FEW | file), load_from(FEW | file | {"TWITTER_API_URL": emulator.url})
    with closing(collector_for(settings[0])) as invented, closing(collector_for(settings[1])) as real:
        invented.prepare()
        assert get_tweets(invented).state == "done"
        with pytest.raises(SourceRefused) as refused:
            real.start()
        assert str(refused.value) == INVENTED
        with pytest.raises(SourceRefused):
            Import(real.database)
        assert emulator.requests == []
        assert sum(map(len, batches(real.database, TweetList(), TweetIds()))) == 10
        drop(real.database)
        assert get_tweets(real).state == "done"
        with pytest.raises(SourceRefused):
            invented.start()
