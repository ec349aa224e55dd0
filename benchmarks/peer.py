"""Datasette on the same file, and the SQL that comes nearest to our answers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.served import Served, free_port, running, wait_for

COLUMNS = """SELECT t.text AS tweet, a.name AS author, a.followers, t.created, t.lang, t.country, r.tag AS rash,
    CAST(t.id AS text) AS id, a.username,
    (SELECT json_group_array(tag) FROM
        (SELECT g.tag FROM tweet_tags l JOIN tags g ON g.id = l.tag_id WHERE l.tweet_id = t.id ORDER BY g.key)) AS tags,
    t.country_code, CASE WHEN t.author_id >= 0 THEN CAST(t.author_id AS text) END AS author_id, a.observed,
    CAST(t.version AS text) AS version,
    (SELECT json_group_array(CAST(id AS text)) FROM
        (SELECT t.id AS id UNION ALL SELECT v.id FROM versions v WHERE v.tweet_id = t.id)) AS versions
    FROM tweets t LEFT JOIN authors a ON a.id = t.author_id LEFT JOIN tags r ON r.id = t.rash_id ORDER BY t.id"""
QUESTIONS = {
    "/tweets": COLUMNS,
    "/top": """SELECT name AS author, followers, username, tweets FROM authors WHERE name IS NOT NULL AND tweets > 0
        ORDER BY followers DESC NULLS LAST, username, id LIMIT 5""",
    "/tweets_per_hour": "SELECT substr(created, 12, 2) AS at_hour, count(*) AS tweets FROM tweets GROUP BY 1",
    "/tweets_per_tag": """SELECT g.tag AS rash, t.lang, count(*) AS tweets FROM tweet_tags l JOIN tags g ON g.id = l.tag_id
        JOIN tweets t ON t.id = l.tweet_id GROUP BY g.id, t.lang ORDER BY g.key, tweets DESC""",
}


@contextmanager
def peer(database: Path) -> Iterator[Served]:
    """Serve a database that nobody writes to by Datasette, and stop at the end."""
    port = free_port()
    command = [sys.executable, "-m", "datasette", "serve", "--immutable", str(database), "--port", str(port)]
    with running(command, port) as server:
        wait_for(server.url)
        yield server


def question(server: Served, database: Path, path: str) -> str:
    """Return the URL of what comes nearest to the service's answer of this name."""
    return f"{server.url}/{database.stem}.json?{urlencode({'sql': QUESTIONS[path], '_shape': 'array'})}"
