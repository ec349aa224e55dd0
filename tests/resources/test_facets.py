"""GET /facets, GET /tags/{tag}/related, and filters on GET /tweets_per_tag."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.fixtures.archives import own_row
from tests.fixtures.service import Service
from tests.resources.conftest import Start, given, imported

BY = ("lang", "country", "tag", "author")
Row = tuple[Any, ...]

pytestmark = pytest.mark.dialects


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    """The service with eight tweets: six of #sre, three of #devops, one of both, none of the last."""
    here = {"country": "Peru", "country_code": "PE"}
    bo = {"username": "Bo_Primer", "author": "Bo", "followers": 7}
    with shared() as running:
        imported(
            running.collector.database,
            own_row(0, "#SRE and #Ops", **here, likes=5, replies=1),
            own_row(1, "#sre and #ops, #ops!", lang="pt", quotes=0),
            own_row(2, "#sre and #oncall", lang="PT", **here),
            own_row(3, "nothing", lang=None, country_code="CL", **bo),
            own_row(4, "#oncall #設計", **bo | {"username": "BO_primer"}),
            own_row(5, "#devops, #ops", tags=["#devops", "#sre"], rash="#devops", **dict.fromkeys(bo)),
            own_row(6, "#devops", tags=["#devops"], rash="#devops", lang="es", **bo),
            own_row(7, "#OPS", tags=[], rash=None),
        )
        yield running


def rows(names: str, *rows: Row) -> list[dict[str, Any]]:
    return [dict(zip(names.split(), row, strict=True)) for row in rows]


FACETS: list[tuple[str, list[tuple[str, int, int | None]], float | None]] = [
    ("by=lang", [("en", 4, 6), ("pt", 2, 0), ("es", 1, None)], 0.125),
    ("by=country", [("Peru", 2, 6), ("CL", 1, None)], 0.625),
    ("by=tag", [("#sre", 6, 6), ("#devops", 2, None)], 0.125),
    ("by=author", [("ada_muster", 4, 6), ("Bo_Primer", 3, None)], 0.125),
    ("by=lang&tag=SRE&tag=%23devops", [("en", 1, None)], 0),
    ("by=country&author=@bo_primer", [("CL", 1, None)], 2 / 3),
    ("by=tag&min_followers=8", [("#sre", 3, 6)], 0.25),
    ("by=author&since=2026-03-02T08:31:00Z&until=2026-03-02T08:33:00Z", [("ada_muster", 2, 0)], 0),
    *((f"by={by}&lang=eo", [], None) for by in BY),
]


def test_facets_are_all_values_most_tweets_first(service: Service) -> None:
    for query, counts, unknown in FACETS:
        expected = {"facets": rows("value tweets engagement", *counts), "unknown_share": unknown}
        assert given(service, f"/facets?{query}") == expected, query


def test_a_value_given_back_as_a_filter_gives_as_many_tweets(service: Service) -> None:
    for by in BY:
        for row in given(service, f"/facets?by={by}")["facets"]:
            assert row in given(service, f"/facets?by={by}&{by}={quote(row['value'])}")["facets"]


RELATED: dict[str, list[Row]] = {
    "sre/related": [
        ("#Ops", 3, 0.5, 1.0),
        ("#oncall", 2, 1 / 3, 1.33),
        ("#devops", 1, 1 / 6, 0.67),
        ("#設計", 1, 1 / 6, 1.33),
    ],
    "%23SRE/related?limit=1": [("#Ops", 3, 0.5, 1.0)],
    "sre/related?tag=devops": [("#devops", 1, 1.0, 1.0), ("#Ops", 1, 1.0, 2.0)],
    "sre/related?lang=pt": [("#oncall", 1, 0.5, 1.0), ("#Ops", 1, 0.5, 1.0)],
    "Observability/related": [],
}


def test_related_hashtags_are_those_in_the_texts_of_a_tags_tweets(service: Service) -> None:
    for path, found in RELATED.items():
        assert given(service, f"/tags/{path}") == {"related": rows("tag tweets share lift", *found)}, path


DEVOPS = [("#devops", "en", 1), ("#devops", "es", 1)]
PER_TAG: dict[str, list[list[Row]]] = {
    "": [DEVOPS, [("#sre", "en", 3), ("#sre", "PT", 1), ("#sre", "pt", 1), ("#sre", None, 1)]],
    "?tag=devops": [DEVOPS, [("#sre", "en", 1)]],
    "?lang=pt": [[("#sre", "PT", 1), ("#sre", "pt", 1)]],
    "?author=nobody": [],
}


def test_tweets_per_tag_take_the_filters(service: Service) -> None:
    for query, lists in PER_TAG.items():
        expected = {"tweets_per_tags": [rows("rash lang tweets", *one) for one in lists]}
        assert given(service, f"/tweets_per_tag{query}") == expected, query
