"""Filling a migrated PostgreSQL with invented tweets by its own SQL, part by part, in every table as an import leaves it.

What roll-ups count is counted at the end, by the questions that `database verify` asks. Objects as X gave them (payloads) are
left out: an import of exports has none.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from alchemy import Database
from benchmarks import invented
from benchmarks.cluster import Cluster
from collector import figures, runs, sources, tags
from collector.tweets import hashtags, presence, ranges, rollups
from models import Author, IdRange, Presence
from queries.snowflakes import TWITTER_EPOCH, first_id
from sql import partitions

PARTS, WORKERS = 8, 2
VOCABULARY, TOPICS = 50_000, 1000
NAMES = sorted(invented.TAGS)
EPOCH_MS = round(TWITTER_EPOCH.timestamp() * 1000)
LAST_PART = first_id(datetime(2026, 10, 15, tzinfo=UTC)) // partitions.WIDTH - 1
BEGIN_MS = EPOCH_MS + ((LAST_PART - PARTS + 1) * partitions.WIDTH >> 22)
SPAN_MS = PARTS * partitions.WIDTH >> 22
END = datetime.fromtimestamp(BEGIN_MS / 1000, UTC) + timedelta(milliseconds=SPAN_MS)
QUICKLY = (
    "session_replication_role = replica",  # no look-up of what rows refer to: they are made to fit
    "synchronous_commit = off",
    "maintenance_work_mem = '1GB'",
    "work_mem = '256MB'",
    "max_parallel_maintenance_workers = 0",  # there is a worker for each core already
)

STAGED = """
CREATE TEMP TABLE staged AS
SELECT i, id, created, lang, place, author, rash, other, topic,
    CASE WHEN i % {rare_every} = 0 THEN ARRAY['{rare}'] ELSE '{{}}'::text[] END || said AS said,
    CASE WHEN i % 200 = 0 THEN id + (1::bigint << 32) ELSE id END AS version
FROM (
    SELECT i, ((ms - {epoch}) << 22) + i % 4096 AS id, to_timestamp(ms / 1000) AS created,
        {lang} AS lang, CASE WHEN random() < 0.02 THEN {place} END AS place,
        floor({authors} * power(random(), 3))::bigint AS author,
        {tag} AS rash, CASE WHEN random() < 0.3 THEN {tag} END AS other,
        floor({topics} * power(random(), 3))::int AS topic,
        ARRAY(SELECT DISTINCT CASE k WHEN 0 THEN '{common}' ELSE 'w' || k END FROM (
            SELECT floor({vocabulary} * power(random(), 3))::int AS k FROM generate_series(1, 13 + (i % 6)::int)
        ) AS picked) AS said
    FROM (SELECT i, {begin} + i * {span} / {count} AS ms FROM generate_series({first}::bigint, {last}::bigint) AS i) AS due
) AS drawn
"""
FOLLOWERS = """
CASE WHEN {rank} % 100 <> 98 THEN least({most},
    floor({least} * power(((hashint8({rank})::bigint & 2147483647) + 1) / 2147483648.0, -1 / {tail})))::bigint END
"""
TWEETS = """
INSERT INTO tweets_{part} (id, version, text, created, lang, country, country_code, author_id, rash_id, run_id, followers)
SELECT id, version, array_to_string(said, ' ') || ' ' || ({names})[rash] || ' #topic' || topic, created, lang,
    ({countries})[place], ({codes})[place], (author + 1) << 20, ({tag_ids})[least(rash, other)], {run}, {followers}
FROM staged ORDER BY id
"""
LINKS = """
INSERT INTO tweet_tags_{part} (tweet_id, tag_id, run_id, created)
SELECT id, ({tag_ids})[tag], {run}, created FROM (
    SELECT id, created, rash AS tag FROM staged UNION SELECT id, created, other FROM staged WHERE other IS NOT NULL
) AS found ORDER BY id
"""
WORDS = """
INSERT INTO tweet_words_{part} (rowid, words)
SELECT id, said || substr(({names})[rash], 2) || ('topic' || topic) FROM staged ORDER BY id
"""
HASHTAGS = """
INSERT INTO tweet_hashtags_{part} (tweet_id, hashtag_id)
SELECT id, hashtag FROM (
    SELECT id, rash AS hashtag FROM staged UNION ALL SELECT id, {tags} + 1 + topic FROM staged
) AS named ORDER BY id
"""
VERSIONS = "INSERT INTO versions (id, tweet_id) SELECT version, id FROM staged WHERE version <> id"
AUTHORS = """
INSERT INTO authors (id, username, name, followers, observed, tweets)
SELECT (rank + 1) << 20, CASE WHEN rank % 200 <> 199 THEN 'user_' || rank END,
    CASE WHEN rank % 200 <> 199 THEN 'Invented ' || rank END, {followers}, to_timestamp({end}), coalesce(written.tweets, 0)
FROM generate_series(0::bigint, {authors} - 1) AS rank
LEFT JOIN (SELECT author_id, count(*) AS tweets FROM tweets GROUP BY author_id) AS written ON author_id = (rank + 1) << 20
"""
HASHTAG_COUNTS = """
UPDATE hashtags SET tweets = found.tweets
FROM (SELECT hashtag_id, count(*) AS tweets FROM tweet_hashtags GROUP BY hashtag_id) AS found WHERE hashtag_id = hashtags.id
"""
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = ANY(%s::regclass[]) AND NOT indisprimary ORDER BY indexrelid
"""


class Filling(NamedTuple):
    """How many tweets of which run, and the ids of the tags, in the order of NAMES."""

    tweets: int
    run: int
    tag_ids: Sequence[int]


def fill(cluster: Cluster, name: str, count: int) -> None:
    """Fill the tables of a migrated database, which has no tweet."""
    with closing(Database(cluster.url(name))) as database:
        filling = database.write(lambda session: _begun(session, count))
        with cluster.connection(name) as connection:
            indexes = _without_indexes(connection)
        with ThreadPoolExecutor(WORKERS) as pool:
            _done("parts", pool.map(lambda part: _filled(cluster, name, filling, indexes, part), range(PARTS)))
        with cluster.connection(name) as connection:
            _finished(connection, filling, indexes)
        database.write(lambda session: _counted(session, filling))
    with cluster.connection(name) as connection:
        connection.execute("VACUUM ANALYZE")
        said("vacuumed and analysed")


def said(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def _begun(session: Session, count: int) -> Filling:
    sources.claim(session, sources.REAL)
    refs = [tags.ensure(session, name) for name in NAMES]
    partitions.prepare(session, [(LAST_PART - number) * partitions.WIDTH for number in range(PARTS)])
    return Filling(count, runs.begin_import(session), [ref.id for ref in refs])


def _without_indexes(connection: psycopg.Connection[Any]) -> Mapping[str, str]:
    """Drop the indexes of tables that are filled, and return what makes each again, by its name."""
    tables = [*partitions.KEYS, "authors"]
    found = dict(connection.execute(INDEXES, [tables]).fetchall())
    for index in found:
        connection.execute(f"DROP INDEX {index}")
    return found


def _filled(cluster: Cluster, name: str, filling: Filling, indexes: Mapping[str, str], number: int) -> None:
    """Fill one part of each table and index it."""
    part, first, end = LAST_PART - PARTS + 1 + number, *(-(-filling.tweets * edge // PARTS) for edge in (number, number + 1))
    with cluster.connection(name) as connection:
        _quickly(connection)
        connection.execute(f"SELECT setseed({number / PARTS})")
        for statement in (STAGED, TWEETS, LINKS, WORDS, HASHTAGS, VERSIONS):
            connection.execute(statement.format(part=part, first=first, last=end - 1, **_values(filling)))
        for table in partitions.KEYS:
            connection.execute(f"ALTER TABLE {table}_{part} SET (autovacuum_enabled = false)")
        for definition in indexes.values():
            connection.execute(_of_part(definition, part))
        for table in partitions.KEYS:
            connection.execute(f"ALTER TABLE {table}_{part} RESET (autovacuum_enabled)")
    said(f"part {number + 1} of {PARTS}")


def _of_part(definition: str, part: int) -> str:
    """Return what makes an index of a part, by a name that PostgreSQL chooses; nothing for tables without parts."""
    table = definition.split(" ON ")[1].removeprefix("ONLY ").removeprefix("public.").split(" ")[0]
    if table not in partitions.KEYS:
        return "SELECT"
    return f"CREATE INDEX ON {table}_{part} USING {definition.split(' USING ')[1]}"


def _finished(connection: psycopg.Connection[Any], filling: Filling, indexes: Mapping[str, str]) -> None:
    """Add the authors and the names of hashtags, and the indexes of whole tables, which take in those of the parts."""
    _quickly(connection)
    connection.execute(AUTHORS.format(end=END.timestamp(), **_values(filling) | {"followers": _followers("rank")}))
    names = [*NAMES, *(f"#topic{number}" for number in range(TOPICS))]
    with connection.cursor() as cursor, cursor.copy("COPY hashtags (id, key, tag, tweets) FROM STDIN") as lines:
        for number, hashtag in enumerate(names, 1):
            lines.write_row((number, hashtag, hashtag, 0))
    connection.execute("SELECT setval(pg_get_serial_sequence('hashtags', 'id'), 100000)")
    for definition in indexes.values():
        connection.execute(definition.replace(" ON ONLY ", " ON "))  # so that it takes in those of the parts
    said("authors and indexes")


def _counted(session: Session, filling: Filling) -> None:
    """Fill the roll-ups by the questions that recount them."""
    connection = session.connection()
    connection.exec_driver_sql("SET LOCAL work_mem = '512MB'")
    for rollup in rollups.ROLLUPS:
        if rollup.table is not Author:
            _insert(session, rollup.table.__table__, [*rollup.keys, "tweets"], rollup.counted)
    _insert(session, Presence.__table__, ["start", "quarters", "authors"], [presence.PRESENCES])
    _insert(session, IdRange.__table__, ["start", "first_id", "last_id"], [ranges.RANGES])
    _insert(session, hashtags.TAG_HASHTAGS.table.__table__, ["tag_id", "hashtag_id", "tweets"], hashtags.TAG_HASHTAGS.counted)
    connection.exec_driver_sql(HASHTAG_COUNTS)
    connection.exec_driver_sql("DELETE FROM hashtags WHERE tweets = 0")
    runs.end_import(session, filling.run, added=filling.tweets)
    figures.changed(session)
    said("roll-ups")


def _insert(session: Session, table: Any, columns: Sequence[str], queries: Sequence[Any]) -> None:
    assert isinstance(table, Table)
    for query in queries:
        session.execute(insert(table).from_select(list(columns), query))


def _values(filling: Filling) -> dict[str, Any]:
    places = list(invented.PLACES)
    return {
        "epoch": EPOCH_MS,
        "begin": BEGIN_MS,
        "span": SPAN_MS,
        "count": filling.tweets,
        "authors": max(filling.tweets // 10, 1),
        "rare_every": max(filling.tweets // invented.RARE_TWEETS, 1),
        "rare": invented.RARE_WORD,
        "common": invented.COMMON_WORD,
        "vocabulary": VOCABULARY,
        "topics": TOPICS,
        "lang": _drawn({_quoted(lang): weight for lang, weight in invented.LANGS.items()}),
        "place": _drawn({str(number): weight for number, weight in enumerate(invented.PLACES.values(), 1)}),
        "tag": _drawn({str(number): invented.TAGS[name] for number, name in enumerate(NAMES, 1)}),
        "tags": len(NAMES),
        "names": _array(NAMES),
        "countries": _array([country for country, _ in places]),
        "codes": _array([code for _, code in places]),
        "tag_ids": f"ARRAY[{', '.join(map(str, filling.tag_ids))}]",
        "run": filling.run,
        "followers": _followers("author"),
    }


def _followers(rank: str) -> str:
    """Return SQL of the followers of the author of this rank, the same wherever it stands."""
    least, most, tail = invented.LEAST_FOLLOWERS, invented.MOST_FOLLOWERS, invented.TAIL
    return FOLLOWERS.format(rank=rank, least=least, most=most, tail=tail)


def _drawn(weights: Mapping[str, int]) -> str:
    """Return SQL of a value that is drawn by weight; each comparison draws anew, with what is left of the chance."""
    left, cases, (*others, last) = sum(weights.values()), [], weights
    for value in others:
        cases.append(f"WHEN random() < {weights[value] / left} THEN {value}")
        left -= weights[value]
    return f"CASE {' '.join(cases)} ELSE {last} END"


def _quoted(value: str | None) -> str:
    return "NULL" if value is None else "'{}'".format(value.replace("'", "''"))


def _array(values: Sequence[str]) -> str:
    return f"ARRAY[{', '.join(map(_quoted, values))}]"


def _quickly(connection: psycopg.Connection[Any]) -> None:
    for setting in QUICKLY:
        connection.execute(f"SET {setting}")


def _done(_what: str, results: Any) -> None:
    """Wait for all of them, so that what one raises is raised here."""
    list(results)
