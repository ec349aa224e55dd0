"""Hashtags in the texts of tweets, how many tweets of each tag have them, and roll-ups of languages and countries."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from text.hashtags import hashtags

revision = "0007"
down_revision = "0006"

BATCH = 10_000

Texts = Sequence[tuple[int, str]]

_tweets = sa.table("tweets", *map(sa.column, ("id", "text", "lang", "country", "country_code")))
_tweet_tags = sa.table("tweet_tags", *map(sa.column, ("tweet_id", "tag_id")))
_hashtags = sa.table("hashtags", *map(sa.column, ("id", "key", "tag", "tweets")))
_links = sa.table("tweet_hashtags", *map(sa.column, ("tweet_id", "hashtag_id")))
_by_tag = sa.table("tag_hashtags", *map(sa.column, ("tag_id", "hashtag_id", "tweets")))
_facets = sa.table("facet_counts", *map(sa.column, ("facet", "value", "tweets")))


def upgrade() -> None:
    _hashtag_tables()
    _rollup_tables()
    _link()
    _count_by_tag()
    _count_facets()


def _hashtag_tables() -> None:
    op.create_table(
        "hashtags",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("tweets", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hashtags")),
        sa.UniqueConstraint("key", name=op.f("uq_hashtags_key")),
        sqlite_autoincrement=True,
    )
    own = op.f("fk_tweet_hashtags_tweet_id_tweets")
    op.create_table(
        "tweet_hashtags",
        sa.Column("tweet_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashtag_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["tweet_id"], ["tweets.id"], name=own, ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("tweet_id", "hashtag_id", name=op.f("pk_tweet_hashtags")),
        sqlite_with_rowid=False,
    )


def _rollup_tables() -> None:
    op.create_table(
        "tag_hashtags",
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.Column("hashtag_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tweets", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name=op.f("fk_tag_hashtags_tag_id_tags")),
        sa.PrimaryKeyConstraint("tag_id", "hashtag_id", name=op.f("pk_tag_hashtags")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tag_hashtags_tag_id_tweets", "tag_hashtags", ["tag_id", "tweets"])
    op.create_table(
        "facet_counts",
        sa.Column("facet", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("tweets", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("facet", "value", name=op.f("pk_facet_counts")),
    )


def _link() -> None:
    """Link the tweets to the hashtags of their texts, which are numbered as they are met, and count these."""
    connection, known, counts = op.get_bind(), dict[str, int](), Counter[int]()
    for texts in _batches(connection):
        found = [(tweet_id, hashtags(text)) for tweet_id, text in texts]
        new = {key: tag for _, named in reversed(found) for key, tag in named.items() if key not in known}
        known |= {key: number for number, key in enumerate(new, len(known) + 1)}
        links = [{"tweet_id": tweet_id, "hashtag_id": known[key]} for tweet_id, named in found for key in named]
        counts.update(link["hashtag_id"] for link in links)
        _insert(connection, _hashtags, [{"id": known[key], "key": key, "tag": tag, "tweets": 0} for key, tag in new.items()])
        _insert(connection, _links, links)
    if counts:
        counted = _hashtags.update().where(_hashtags.c.id == sa.bindparam("number")).values(tweets=sa.bindparam("by"))
        connection.execute(counted, [{"number": number, "by": by} for number, by in counts.items()])


def _batches(connection: sa.Connection) -> Iterator[Texts]:
    """Give the tweets' texts by id, so many at a time."""
    after = -1
    wanted = sa.select(_tweets.c.id, _tweets.c.text).order_by(_tweets.c.id).limit(BATCH)
    while texts := [(row.id, row.text) for row in connection.execute(wanted.where(_tweets.c.id > after))]:
        yield texts
        after = texts[-1][0]


def _insert(connection: sa.Connection, table: sa.TableClause, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(table.insert(), rows)


def _count_by_tag() -> None:
    tags, links = _tweet_tags.c, _links.c
    both = _tweet_tags.join(_links, links.tweet_id == tags.tweet_id)
    counted = sa.select(tags.tag_id, links.hashtag_id, sa.func.count()).select_from(both)
    op.execute(_by_tag.insert().from_select(_by_tag.c.keys(), counted.group_by(tags.tag_id, links.hashtag_id)))


def _count_facets() -> None:
    tweets = _tweets.c
    country = sa.func.coalesce(sa.func.nullif(tweets.country, ""), sa.func.nullif(tweets.country_code, ""), "")
    for facet, value in {"lang": sa.func.lower(sa.func.coalesce(tweets.lang, "")), "country": country}.items():
        shown = value.label("shown")
        counted = sa.select(sa.literal(facet), shown, sa.func.count()).group_by(shown)
        op.execute(_facets.insert().from_select(_facets.c.keys(), counted))
    found = sa.exists().where(_tweet_tags.c.tweet_id == tweets.id)
    counted = sa.select(sa.literal("tag"), sa.literal(""), sa.func.count()).select_from(_tweets).where(~found)
    op.execute(_facets.insert().from_select(_facets.c.keys(), counted.having(sa.func.count() > 0)))
