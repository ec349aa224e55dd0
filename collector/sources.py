"""Which database and which X are used. Invented and real tweets never mix in one database."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from alchemy import DatabaseNotMigrated, DatabaseUnavailable, open_database
from collector.x.client import TWEEPY_HOST, Access
from collector.x.failures import CREDENTIALS
from database.statements import upsert
from models import DatabaseMark, Tweet
from settings import DATA, Settings

REAL, EMULATOR = "x", "emulator"
REAL_FILE, EMULATED_FILE = DATA / "tweets.db", DATA / "emulated.db"
MARK = "source"


class SourceRefused(Exception):
    """Tweets of this source must not be added to this database; the text says which setting to change."""

    kind = "source"


class RealTweetsStored(SourceRefused):
    """The emulator may not add tweets: those that are stored are real."""

    kind = "real-tweets"


class InventedTweetsStored(SourceRefused):
    """X may not add tweets: those that are stored are invented."""

    kind = "invented-tweets"


class Choice(NamedTuple):
    """The database, and how to reach X; without access the emulator is used."""

    database_url: str
    access: Access | None
    replica_url: str | None = None
    data_folder: Path = DATA

    @property
    def source(self) -> str:
        return REAL if self.access else EMULATOR

    @property
    def is_emulators_own(self) -> bool:
        """Whether it is the database that is used for invented tweets alone."""
        return self.access is None and self.database_url == f"sqlite:///{EMULATED_FILE}"


def choose(settings: Settings, *, importing: bool = False) -> Choice:
    """Choose for the web service and all commands; imports are real. The reasons are in docs/decisions.md."""
    access = _access(settings)
    if settings.database_url:
        return Choice(settings.database_url, access, settings.database_replica_url, settings.data_folder)
    real = importing or access is not None or _has_tweets(REAL_FILE.as_posix())
    return Choice(f"sqlite:///{REAL_FILE if real else EMULATED_FILE}", access, settings.database_replica_url)


def source_of(session: Session) -> str | None:
    """Return where the stored tweets come from, or None while there are none."""
    return session.scalar(select(DatabaseMark.value).where(DatabaseMark.name == MARK, exists().select_from(Tweet)))


def require(session: Session, source: str) -> None:
    """Raise SourceRefused unless tweets of this source may be added."""
    stored = source_of(session)
    if stored not in (None, source):
        raise _refusal(source)


def visible_source(session: Session, source: str) -> str:
    """Return the source that readers see: that of the stored tweets, or else the one that a collection would use."""
    return source_of(session) or source


def claim(session: Session, source: str) -> None:
    """Mark the database as filled from this source, in the transaction that adds tweets; raises SourceRefused."""
    marked = select(DatabaseMark.value, exists().select_from(Tweet)).where(DatabaseMark.name == MARK)
    stored, has_tweets = session.execute(marked).first() or (None, False)
    if stored == source:
        return
    if has_tweets:
        raise _refusal(source)
    upsert(session, DatabaseMark, [{"name": MARK, "value": source}], update=("value",))


def _refusal(source: str) -> SourceRefused:
    if source == EMULATOR:
        return RealTweetsStored(f"the stored tweets are real and no credentials are set: set {CREDENTIALS}")
    return InventedTweetsStored("the stored tweets are invented: set DATABASE_URL to another file, or DELETE /database first")


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
        return True  # it may hold tweets; opening it later reports what is wrong
    finally:
        database.close()
