"""Which database, which X: where tweets come from, and that invented and real ones never mix."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from alchemy import DatabaseNotMigrated, DatabaseUnavailable, open_database
from collector.x.failures import CREDENTIALS
from collector.x.transport import TWEEPY_HOST, Access
from models import DatabaseMark, Tweet
from settings import DATA, Settings

REAL, EMULATOR = "x", "emulator"
REAL_FILE, EMULATED_FILE = DATA / "tweets.db", DATA / "emulated.db"
MARK = "source"


class SourceRefused(Exception):
    """Nothing may be collected or imported into this database; the text says what to set."""


class Choice(NamedTuple):
    """The database of this start, and how to reach X; no access means that the emulator stands in."""

    database_url: str
    access: Access | None
    replica_url: str | None = None
    data_folder: Path = DATA

    @property
    def source(self) -> str:
        return REAL if self.access else EMULATOR


def choose(settings: Settings) -> Choice:
    """Decide for both doors and all commands; see docs/decisions.md."""
    access = _access(settings)
    if settings.database_url:
        return Choice(settings.database_url, access, settings.database_replica_url, settings.data_folder)
    real = access is not None or _has_tweets(REAL_FILE.as_posix())
    return Choice(f"sqlite:///{REAL_FILE if real else EMULATED_FILE}", access, settings.database_replica_url)


def source_of(session: Session) -> str | None:
    """Return where the stored tweets come from, or None while there are none."""
    return session.scalar(_SOURCE)


def require(session: Session, source: str) -> None:
    """Raise SourceRefused unless tweets of this source may be added."""
    stored = source_of(session)
    if stored in (None, source):
        return
    if source == EMULATOR:
        raise SourceRefused(f"the stored tweets are real and no credentials are set: set {CREDENTIALS}")
    raise SourceRefused("the stored tweets are invented: set DATABASE_URL to another file, or DELETE /database first")


def visible_source(session: Session, source: str) -> str:
    """Return what the tweets are that a reader sees: those stored, or those that a collection would bring."""
    return source_of(session) or source


def claim(session: Session, source: str) -> None:
    """Mark the database as filled from this source, in the transaction that adds tweets; raises SourceRefused."""
    stored = source_of(session)
    if stored == source:
        return
    require(session, source)
    if session.scalar(select(DatabaseMark.value).where(DatabaseMark.name == MARK)) != source:
        session.execute(delete(DatabaseMark).where(DatabaseMark.name == MARK))
        session.add(DatabaseMark(name=MARK, value=source))
        session.flush()


def _access(settings: Settings) -> Access | None:
    secrets = (
        settings.twitter_consumer_key,
        settings.twitter_consumer_secret,
        settings.twitter_access_token,
        settings.twitter_access_token_secret,
    )
    bearer = settings.twitter_bearer_token
    if not bearer and not all(secrets):
        if not settings.twitter_api_url:
            return None
        bearer = "no-credentials-were-set"
    url = settings.twitter_api_url or TWEEPY_HOST
    return Access(url, bearer, *secrets, timeout=settings.x_timeout.total_seconds())


def _has_tweets(file: str) -> bool:
    if not Path(file).exists():
        return False
    database = open_database(f"sqlite:///{file}")
    try:
        with database.reading() as session:
            return source_of(session) is not None
    except DatabaseNotMigrated:
        return False
    except DatabaseUnavailable:
        return True  # it may hold tweets, and whoever opens it says what is wrong with it
    finally:
        database.close()


_SOURCE = select(DatabaseMark.value).where(DatabaseMark.name == MARK, exists().select_from(Tweet))
