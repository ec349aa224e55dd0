"""GET /links: what the matching tweets link to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.archives import Json, page, post
from tests.fixtures.service import Service
from tests.resources.conftest import Start, given, imported, problem

pytestmark = pytest.mark.dialects


def linking(number: int, *urls: str, likes: int | None = None, **more: Any) -> Json:
    metrics: Json = {} if likes is None else {"public_metrics": {"like_count": likes}}
    return post(number, entities={"urls": [{"url": "https://t.co/a", "expanded_url": url} for url in urls]}, **metrics, **more)


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    """The service with five tweets, four of which link to something."""
    with shared() as running:
        posts = [
            linking(0, "https://www.b.example/1?utm_source=x", "https://b.example/2", likes=5),
            linking(1, "https://b.example/1", likes=None, lang="pt"),
            linking(2, "https://B.example/1", "https://a.example/", likes=2, author=7002),
            linking(3, "https://c.example", author=None),
            post(4),
        ]
        imported(running.collector.database, page(*posts))
        yield running


Row = tuple[str, int, int, int | None]
LINKS: dict[str, list[Row]] = {
    "by=domain": [("b.example", 3, 2, 7), ("a.example", 1, 1, 2), ("c.example", 1, 0, None)],
    "by=domain&limit=1": [("b.example", 3, 2, 7)],
    "by=url": [
        ("https://b.example/1", 3, 2, 7),
        ("https://a.example", 1, 1, 2),
        ("https://b.example/2", 1, 1, 5),
        ("https://c.example", 1, 0, None),
    ],
    "by=domain&lang=pt": [("b.example", 1, 1, None)],
    "by=domain&since=2026-03-02T08:31:00Z&until=2026-03-02T08:33:00Z": [("b.example", 2, 2, 2), ("a.example", 1, 1, 2)],
    "by=url&since=2026-03-02T08:31:00Z&lang=en&limit=2": [("https://a.example", 1, 1, 2), ("https://b.example/1", 1, 1, 2)],
    "by=url&tag=devops": [],
}


@pytest.mark.parametrize("query", LINKS)
def test_links_are_counted_once_a_tweet_most_tweets_first(service: Service, query: str) -> None:
    by = query[3 : query.index("&")] if "&" in query else query[3:]
    names = (by, "tweets", "authors", "engagement")
    assert given(service, f"/links?{query}") == {"links": [dict(zip(names, row, strict=True)) for row in LINKS[query]]}


@pytest.mark.parametrize(("query", "name"), [("", "by"), ("by=host", "by"), ("by=url&limit=1001", "limit")])
def test_what_links_are_counted_by_must_be_named(service: Service, query: str, name: str) -> None:
    assert [one["parameter"] for one in problem(service.get(f"/links?{query}"), 400)["errors"]] == [name]
