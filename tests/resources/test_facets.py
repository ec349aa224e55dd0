"""GET /facets, GET /tags/{tag}/related, and filters on GET /tweets_per_tag."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest

from tests.commands.conftest import NOBODY, TAGS, Program
from tests.fixtures import databases
from tests.fixtures.archives import json_lines, own_row
from tests.fixtures.processes import Server, serving

NO_FACETS: dict[str, Any] = {"facets": [], "unknown_share": None}
ONE_FACET = "expected one of lang, country, tag, author"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Iterator[Server]:
    """The service with eight tweets: six of #sre, three of #devops, one of both, none of the last."""
    folder = tmp_path_factory.mktemp("facets")
    program = Program(folder)
    with closing(program.collector):
        program.collector.prepare()
        program.imported(json_lines(folder / "archive.jsonl", *archive()))
    with serving(
        folder, DATABASE_URL=databases.url_of(folder), TWITTER_API_URL=NOBODY, TAGS=TAGS, COLLECT_ON_START="0"
    ) as server:
        yield server


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


def got(service: Server, path: str) -> Any:
    answer = service.get(path)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "private, no-cache"
    return answer.json()


def rows(*counts: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"value": value, "tweets": tweets} for value, tweets in counts]


@pytest.mark.parametrize(
    ("query", "counts", "unknown_share"),
    [
        ("by=lang", [("en", 4), ("pt", 2), ("es", 1)], 0.125),
        ("by=country", [("Peru", 2), ("CL", 1)], 0.625),
        ("by=tag", [("#sre", 6), ("#devops", 2)], 0.125),
        ("by=author", [("ada_muster", 4), ("Bo_Primer", 3)], 0.125),
        ("by=lang&tag=SRE", [("en", 3), ("pt", 2)], 1 / 6),
        ("by=lang&tag=SRE&tag=%23devops", [("en", 1)], 0),
        ("by=lang&lang=PT", [("pt", 2)], 0),
        ("by=country&country=Peru", [("Peru", 2)], 0),
        ("by=country&author=@bo_primer", [("CL", 1)], 2 / 3),
        ("by=tag&min_followers=8", [("#sre", 3)], 0.25),
        ("by=tag&lang=en", [("#sre", 3), ("#devops", 1)], 0.25),
        ("by=author&tag=devops", [("Bo_Primer", 1)], 0.5),
        ("by=author&since=2026-03-02T08:31:00Z&until=2026-03-02T08:33:00Z", [("ada_muster", 2)], 0),
    ],
)
def test_facets_are_all_values_most_tweets_first(
    service: Server, query: str, counts: list[tuple[str, int]], unknown_share: float
) -> None:
    assert got(service, f"/facets?{query}") == {"facets": rows(*counts), "unknown_share": unknown_share}


@pytest.mark.parametrize("by", ["lang", "country", "tag", "author"])
def test_without_a_tweet_nothing_is_known_of_the_unknown(service: Server, by: str) -> None:
    assert got(service, f"/facets?by={by}&lang=eo") == NO_FACETS


@pytest.mark.parametrize("by", ["lang", "country", "tag", "author"])
def test_a_value_given_back_as_a_filter_gives_as_many_tweets(service: Server, by: str) -> None:
    shown = got(service, f"/facets?by={by}")["facets"]
    assert shown
    for row in shown:
        value = quote(row["value"])
        again = {each["value"]: each["tweets"] for each in got(service, f"/facets?by={by}&{by}={value}")["facets"]}
        assert again[row["value"]] == row["tweets"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (
            "sre/related",
            [("#Ops", 3, 0.5, 1.0), ("#oncall", 2, 1 / 3, 4 / 3), ("#devops", 1, 1 / 6, 2 / 3), ("#設計", 1, 1 / 6, 4 / 3)],
        ),
        ("%23SRE/related?limit=1", [("#Ops", 3, 0.5, 1.0)]),
        ("devops/related", [("#Ops", 1, 0.5, 1.0)]),
        ("sre/related?tag=devops", [("#devops", 1, 1.0, 1.0), ("#Ops", 1, 1.0, 2.0)]),
        ("sre/related?lang=pt", [("#oncall", 1, 0.5, 1.0), ("#Ops", 1, 0.5, 1.0)]),
        ("devops/related?lang=en", [("#Ops", 1, 1.0, 4 / 3)]),
        ("devops/related?lang=pt", []),
        ("Observability/related", []),
    ],
)
def test_related_hashtags_are_those_in_the_texts_of_a_tags_tweets(
    service: Server, path: str, found: list[tuple[Any, ...]]
) -> None:
    keys = ("tag", "tweets", "share", "lift")
    assert got(service, f"/tags/{path}") == {"related": [dict(zip(keys, row, strict=True)) for row in found]}


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
        ("?country=cl", [[("#sre", None, 1)]]),
        ("?author=nobody", []),
    ],
)
def test_tweets_per_tag_take_the_filters(service: Server, query: str, lists: list[list[tuple[Any, ...]]]) -> None:
    keys = ("rash", "lang", "tweets")
    expected = [[dict(zip(keys, row, strict=True)) for row in rows] for rows in lists]
    assert got(service, f"/tweets_per_tag{query}") == {"tweets_per_tags": expected}


@pytest.mark.parametrize(
    ("path", "parameter", "detail"),
    [
        ("/facets", "by", f"is missing: {ONE_FACET}"),
        ("/facets?by=", "by", "is empty"),
        ("/facets?by=language", "by", ONE_FACET),
        ("/facets?by=lang&by=tag", "by", "is given more than once"),
        ("/facets?by=lang&limit=5", "limit", "is not a parameter of this resource, which takes: author, by, country, lang, "),
        ("/facets?by=lang&lang=", "lang", "is empty"),
        ("/facets?by=lang&min_followers=-1", "min_followers", "expected a whole number from 0 to "),
        ("/tags/sre/related?limit=0", "limit", "expected a whole number from 1 to 1000"),
        ("/tags/sre/related?limit=1001", "limit", "expected a whole number from 1 to 1000"),
        ("/tags/sre/related?by=lang", "by", "is not a parameter of this resource"),
        ("/tags/a-b/related", "tag", "'a-b' is not accepted, expected a hashtag"),
        ("/tweets_per_tag?by=lang", "by", "is not a parameter of this resource"),
        ("/tweets_per_tag?tag=a-b", "tag", "expected a hashtag"),
    ],
)
def test_what_is_not_accepted_is_named(service: Server, path: str, parameter: str, detail: str) -> None:
    answer = service.get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    (error,) = answer.json()["errors"]
    assert error["parameter"] == parameter
    assert error["detail"].startswith(detail)


def test_a_tag_that_nobody_knows_is_not_found(service: Server) -> None:
    answer = service.get("/tags/nobody_knows/related")
    assert (answer.status_code, answer.json()["detail"]) == (404, "this tag is not tracked")


def test_an_untracked_tag_is_not_found_until_it_is_tracked_again(service: Server) -> None:
    before = got(service, "/tags/devops/related")
    assert service.request("DELETE", "/tags/devops").status_code == 204
    assert service.get("/tags/devops/related").status_code == 404
    assert service.request("PUT", "/tags/devops").status_code == 201
    assert got(service, "/tags/devops/related") == before != {"related": []}
