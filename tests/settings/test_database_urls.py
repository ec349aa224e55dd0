"""DATABASE_URL and DATABASE_REPLICA_URL: which are taken, and what is said of those that aren't."""

from __future__ import annotations

from contextlib import closing

import pytest

from api import collector_for
from settings import SettingError, load

SERVER = "postgresql+psycopg://app:s%40cret@db.example:5432/tweets"


SEVERAL = "postgresql+psycopg://app@/tweets?host=h1:5432&host=h2:5432&target_session_attrs=read-write&connect_timeout=2"


@pytest.mark.parametrize("given", [SERVER, SEVERAL, "postgresql://app@/tweets", "postgresql+psycopg:///tweets"])
def test_urls_of_one_server_and_of_several_are_taken(given: str) -> None:
    settings, taken = load({"DATABASE_URL": given, "DATABASE_REPLICA_URL": given}), given.replace("ql:", "ql+psycopg:")
    assert (settings.database_url, settings.database_replica_url) == (taken, taken)
    with closing(collector_for(settings)) as collector:
        assert collector.database.backend_name == "PostgreSQL"


def test_others_are_refused_without_being_shown() -> None:
    for wrong in (
        "postgresql+psycopg://app@db.example",
        "postgresql+psycopg://app@db.example/",
        "postgresql+asyncpg://app@db.example/tweets",
        "postgres://app@db.example/tweets",
        "mysql://app@db.example/tweets",
        "postgresql+psycopg://app@db.example/tweets#part",
        "postgresql+psycopg://a b@db.example/tweets",
    ):
        for name in ("DATABASE_URL", "DATABASE_REPLICA_URL"):
            with pytest.raises(SettingError) as refused:
                load({name: wrong})
            assert str(refused.value).startswith(f"{name}: its value is not accepted, expected ")
            assert "app@" not in str(refused.value)


def test_what_libpq_would_not_take_and_replicas_of_sqlite_stop_the_start() -> None:
    for wrong, said in {
        "db.example/tweets?conect_timeout=2": 'libpq says: invalid connection option "conect_timeout"',
        "/tweets?host=h1:1&host=h2:2&host=h3&port=5": "Can't mix",
        "db.example:port/tweets": "it can't be read as a URL",
    }.items():
        with pytest.raises(SettingError) as refused:
            collector_for(load({"DATABASE_URL": f"postgresql+psycopg://app:secret@{wrong}"}))
        assert str(refused.value).startswith(f"DATABASE_URL: its value is not accepted, {said}")
        assert "secret" not in str(refused.value)
    with pytest.raises(SettingError, match="DATABASE_REPLICA_URL: is set without a DATABASE_URL of PostgreSQL's"):
        collector_for(load({"DATABASE_REPLICA_URL": SERVER}))


def test_a_password_is_a_secret_by_itself() -> None:
    assert load({"DATABASE_URL": SERVER}).secrets() >= {SERVER, "s%40cret", "s@cret"}
