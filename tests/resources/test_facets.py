"""GET /facets, GET /tags/{tag}/related, and filters on GET /tweets_per_tag."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from emulator import Emulator
from tests.fixtures.archives import own_row
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process
from tests.resources.conftest import imported

BY = ("lang", "country", "tag", "author")

pytestmark = pytest.mark.dialects


@pytest.fixture(scope="module")
def service(folder: Path, x: Emulator) -> Iterator[Service]:
    """The service with eight tweets: six of #sre, three of #devops, one of both, none of the last."""
    with in_process(folder, **environment(folder, x)) as running:
        imported(running.collector.database, *archive())
        yield running


def archive() -> list[Any]:
    here = {"country": "Peru", "country_code": "PE"}
    bo = {"username": "Bo_Primer", "author": "Bo", "followers": 7}
    return [
        own_row(0, "#SRE and #Ops", **here),
        own_row(1, "#sre and #ops, #ops!", lang="pt"),
        own_row(2, "#sre and #oncall", lang="PT", **here),
        own_row(3, "nothing", lang=None, country_code="CL", **bo),
        own_row(4, "#oncall #設計", username="BO_primer", author="Bo", followers=7),
        own_row(5, "#devops, #ops", tags=["#devops", "#sre"], rash="#devops", username=None, author=None, followers=None),
        own_row(6, "#devops", tags=["#devops"], rash="#devops", lang="es", **bo),
        own_row(7, "#OPS", tags=[], rash=None),
    ]


def got(service: Service, path: str) -> Any:
    answer = service.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "private, no-cache"
    return answer.json()


def rows(names: str, *rows: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [dict(zip(names.split(), row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    ("query", "counts", "unknown_share"),
    [
        ("by=lang", [("en", 4), ("pt", 2), ("es", 1)], 0.125),
        ("by=country", [("Peru", 2), ("CL", 1)], 0.625),
        ("by=tag", [("#sre", 6), ("#devops", 2)], 0.125),
        ("by=author", [("ada_muster", 4), ("Bo_Primer", 3)], 0.125),
        ("by=lang&tag=SRE", [("en", 3), ("pt", 2)], 1 / 6),
        ("by=lang&tag=SRE&tag=%23devops", [("en", 1)], 0),
        ("by=country&author=@bo_primer", [("CL", 1)], 2 / 3),
        ("by=tag&min_followers=8", [("#sre", 3)], 0.25),
        ("by=author&since=2026-03-02T08:31:00Z&until=2026-03-02T08:33:00Z", [("ada_muster", 2)], 0),
        *((f"by={by}&lang=eo", [], None) for by in BY),
    ],
)
def test_facets_are_all_values_most_tweets_first(
    service: Service, query: str, counts: list[tuple[str, int]], unknown_share: float | None
) -> None:
    assert got(service, f"/facets?{query}") == {"facets": rows("value tweets", *counts), "unknown_share": unknown_share}


def test_a_value_given_back_as_a_filter_gives_as_many_tweets(service: Service) -> None:
    for by in BY:
        shown = got(service, f"/facets?by={by}")["facets"]
        assert shown
        for row in shown:
            again = got(service, f"/facets?by={by}&{by}={quote(row['value'])}")["facets"]
            assert row in again


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (
            "sre/related",
            [("#Ops", 3, 0.5, 1.0), ("#oncall", 2, 1 / 3, 4 / 3), ("#devops", 1, 1 / 6, 2 / 3), ("#設計", 1, 1 / 6, 4 / 3)],
        ),
        ("%23SRE/related?limit=1", [("#Ops", 3, 0.5, 1.0)]),
        ("sre/related?tag=devops", [("#devops", 1, 1.0, 1.0), ("#Ops", 1, 1.0, 2.0)]),
        ("sre/related?lang=pt", [("#oncall", 1, 0.5, 1.0), ("#Ops", 1, 0.5, 1.0)]),
        ("devops/related?lang=en", [("#Ops", 1, 1.0, 4 / 3)]),
        ("Observability/related", []),
    ],
)
def test_related_hashtags_are_those_in_the_texts_of_a_tags_tweets(
    service: Service, path: str, found: list[tuple[Any, ...]]
) -> None:
    assert got(service, f"/tags/{path}") == {"related": rows("tag tweets share lift", *found)}


@pytest.mark.parametrize(
    ("query", "lists"),
    [
        (
            "",
            [
                [("#devops", "en", 1), ("#devops", "es", 1)],
                [("#sre", "en", 3), ("#sre", "PT", 1), ("#sre", "pt", 1), ("#sre", None, 1)],
            ],
        ),
        ("?tag=devops", [[("#devops", "en", 1), ("#devops", "es", 1)], [("#sre", "en", 1)]]),
        ("?lang=pt", [[("#sre", "PT", 1), ("#sre", "pt", 1)]]),
        ("?author=nobody", []),
    ],
)
def test_tweets_per_tag_take_the_filters(service: Service, query: str, lists: list[list[tuple[Any, ...]]]) -> None:
    assert got(service, f"/tweets_per_tag{query}") == {"tweets_per_tags": [rows("rash lang tweets", *one) for one in lists]}


def test_an_untracked_tag_is_not_found_until_it_is_tracked_again(service: Service) -> None:
    before = got(service, "/tags/devops/related")
    assert service.request("DELETE", "/tags/devops").status_code == 204
    answer = service.get("/tags/devops/related")
    assert (answer.status_code, answer.json()["detail"]) == (404, "this tag is not tracked")
    assert service.request("PUT", "/tags/devops").status_code == 201
    assert got(service, "/tags/devops/related") == before != {"related": []}
