"""Tweets as JSON that the database itself writes, the same as formats.rows writes of a TweetView, at a fraction of the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, Text, bindparam, case, cast, func, literal, null, select
from sqlalchemy.orm import Session, aliased

from database.functions import among, json_array, json_list, json_object, json_text, time_text, utf8
from models import Author, Tag, Tweet, TweetTag, Version

_rash = aliased(Tag)
_found_by = (
    select(json_list(Tag.tag, Tag.key)).join(TweetTag, TweetTag.tag_id == Tag.id).where(TweetTag.tweet_id == Tweet.id)
).scalar_subquery()
_own = cast(Tweet.id, Text)
_later = (select(json_list(cast(Version.id, Text), Version.id)).where(Version.tweet_id == Tweet.id)).scalar_subquery()
# A value, not EXISTS, of which PostgreSQL makes a list of all edited tweets there are, for each page anew.
_edited = select(literal(1)).where(Version.tweet_id == Tweet.id).limit(1).scalar_subquery().is_not(None)
_versions = json_text(literal('["').concat(_own).concat('",').concat(func.substr(cast(_later, Text), 2)))

FIELDS: Mapping[str, Any] = {
    "tweet": Tweet.text,
    "author": Author.name,
    "followers": Tweet.followers,
    "created": time_text(Tweet.created),
    "lang": Tweet.lang,
    "country": Tweet.country,
    "rash": _rash.tag,
    "id": _own,
    "username": Author.username,
    "tags": _found_by,
    "country_code": Tweet.country_code,
    "author_id": case((Tweet.author_id >= 0, cast(Tweet.author_id, Text)), else_=null()),
    "observed": time_text(Author.observed),
    "version": cast(Tweet.version, Text),
    "versions": case((_edited, _versions), else_=json_array(_own)),
}
AUTHORS = frozenset({"author", "username", "observed"})


class EncodedTweets(NamedTuple):
    """Tweets as JSON objects of these fields."""

    fields: tuple[str, ...] = tuple(FIELDS)

    def rows(self, session: Session, ids: Sequence[int]) -> list[bytes]:
        """Return the tweets with these ids, in this order; what is gone is left out."""
        asked = _statement(self.fields).where(among(Tweet.id, ids))
        found = dict(_pairs(session, asked))
        return [found[own] for own in ids if own in found]

    def run(self, session: Session, *, after: int, most: int) -> tuple[list[bytes], int | None]:
        """Return at most `most` of all tweets with ids above `after`, oldest id first, and the id of the last one."""
        found = _pairs(session, _batch_statement(self.fields), {"after": after, "most": most})
        return [body for _, body in found], found[-1][0] if found else None


def _pairs(session: Session, asked: Select[int, bytes], given: Mapping[str, int] | None = None) -> Sequence[Row[int, bytes]]:
    """Return ids and bodies, without the session's own handling of rows, which takes a tenth of a long answer's time."""
    return session.connection().execute(asked, given).all()


@lru_cache
def _statement(fields: tuple[str, ...]) -> Select[int, bytes]:
    """Return the question for the tweets as JSON; columns of authors and tags are asked for only where they are shown."""
    pairs = [part for name in FIELDS if name in fields for part in (literal(name, literal_execute=True), FIELDS[name])]
    statement = select(Tweet.id, utf8(json_object(*pairs))).select_from(Tweet)
    if not AUTHORS.isdisjoint(fields):
        statement = statement.outerjoin(Author, Author.id == Tweet.author_id)
    if "rash" in fields:
        statement = statement.outerjoin(_rash, _rash.id == Tweet.rash_id)
    return statement


@lru_cache
def _batch_statement(fields: tuple[str, ...]) -> Select[int, bytes]:
    return _statement(fields).where(Tweet.id > bindparam("after")).order_by(Tweet.id).limit(bindparam("most"))
