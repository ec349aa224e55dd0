"""Upserts: a null replaces no value, and what was observed earlier replaces nothing."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from alchemy import open_database
from database.statements import upsert
from models import Author
from tests.fixtures import databases

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.dialects
def test_an_upsert_takes_over_what_is_known_and_not_older(tmp_path: Path, database_backend: str) -> None:
    def stored(name: str | None, followers: int | None, minutes: int) -> tuple[Any, ...]:
        row = {"id": 1, "name": name, "followers": followers, "tweets": 0, "observed": NOON + timedelta(minutes=minutes)}
        with closing(open_database(databases.url_of(tmp_path))) as database, database.writing() as session:
            upsert(session, Author, [row], update=("name", "followers", "observed"), newest="observed")
            return tuple(session.execute(select(Author.name, Author.followers)).one())

    assert stored("Ada", 5, 0) == ("Ada", 5)
    assert stored(None, 6, 1) == ("Ada", 6)
    assert stored("Bea", None, 2) == ("Bea", 6)
    assert stored("Ada", 5, 1) == ("Bea", 6)
