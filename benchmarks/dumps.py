"""All of many tweets in one answer: how long it takes beside SQLite's own shell, its first byte, the worker's memory."""

import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.bench import UNCACHED, Bench, kept_file
from benchmarks.load import fetch
from benchmarks.rows import Row, ratio, row
from benchmarks.servers import Server, memory_mb

SAME_COLUMNS = """
    SELECT t.text AS tweet, a.name AS author, a.followers, t.created, t.lang, t.country, t.country_code, r.tag AS rash,
    CAST(t.id AS text) AS id, a.username, a.observed,
    CASE WHEN t.author_id >= 0 THEN CAST(t.author_id AS text) END AS author_id,
    (SELECT json_group_array(tag) FROM
        (SELECT g.tag FROM tweet_tags l JOIN tags g ON g.id = l.tag_id WHERE l.tweet_id = t.id ORDER BY g.key)) AS tags,
    (SELECT json_group_array(CAST(id AS text)) FROM
        (SELECT t.id AS id UNION ALL SELECT v.id FROM versions v WHERE v.tweet_id = t.id)) AS versions,
    CAST(t.version AS text) AS version
    FROM tweets t LEFT JOIN authors a ON a.id = t.author_id LEFT JOIN tags r ON r.id = t.rash_id ORDER BY t.id
"""


def dumps(bench: Bench) -> Iterator[Row]:
    """Measure a dump in each format, the cache off, beside `sqlite3 -json` of the same columns."""
    server, file = bench.service(bench.effort.large, **UNCACHED), kept_file(bench.effort.large)
    for path in ("/tweets", "/tweets?format=ndjson"):
        found = bench.in_turn(ours=partial(dump, server, path), shell=partial(shell, file))
        first_ms, seconds, growth_mb = zip(*found["ours"], strict=True)
        work = f"GET {path}, all {bench.effort.large:,}"
        yield ratio(f"{work}, × `sqlite3 -json`", seconds, [took for _, took, _ in found["shell"]], "s", "≤ 1.5")
        yield row(f"{work}, first byte", first_ms, "ms", at_most=50)
        yield row(f"{work}, growth of the worker", [max(growth_mb)], "MB", at_most=32)


def dump(server: Server, path: str) -> tuple[float, float, float]:
    """Return the milliseconds to the first byte, the seconds of all, and by how many MB the worker was larger meanwhile."""
    before = memory_mb(server.worker, "Rss")
    Path(f"/proc/{server.worker}/clear_refs").write_text("5")
    taken = fetch(server.url + path)
    return taken.first_ms, taken.ms / 1000, memory_mb(server.worker, "VmHWM") - before


def shell(file: Path) -> tuple[float, float, float]:
    """Return the same of SQLite's shell, of which only the seconds are measured."""
    begun = time.perf_counter()
    subprocess.run(["sqlite3", "-readonly", "-json", str(file), SAME_COLUMNS], stdout=subprocess.DEVNULL, check=True)
    return 0, time.perf_counter() - begun, 0
