"""Posts without the fields that make them worth their price: the collection ends after a page, and says which are missing."""

from __future__ import annotations

import json
from functools import partial

import pytest

from api import get_tweets
from collector.runs import collection
from collector.runs.buying import Progress
from collector.runs.collector import Collector
from collector.runs.fields import GivenFields
from collector.values import ResultPage
from collector.x import client
from collector.x.failures import classify
from emulator import Emulator
from emulator.http.messages import invalid_request
from models import Tweet
from queries.counters import current_refusals, missing_fields
from tests.collector.conftest import MakeCollector, asked, rows

FIELDS = ["author_id", "created_at", "lang"]


@pytest.fixture
def many(make_collector: MakeCollector) -> MakeCollector:
    """Open a collector over three tags of several pages each."""
    return partial(make_collector, **{"TW_NUMBER": "300", "MONTHLY_BUDGET_USD": "off"})


def lacking(collector: Collector) -> list[str]:
    with collector.database.reading() as session:
        assert list(current_refusals(session)) == (["fields"] if missing_fields(session) else [])
        return missing_fields(session)


@pytest.mark.parametrize(("kind", "names"), [("bare_posts", FIELDS), ("no_lang", ["lang"])])
def test_a_collection_ends_after_a_page_of_posts_without_a_field(
    many: MakeCollector, emulator: Emulator, kind: str, names: list[str]
) -> None:
    collector = many()
    emulator.plan(kind, times=None)
    for requests in (1, 2):  # one page of one tag; then a request that is free, and one page
        emulator.forget_requests()
        view = get_tweets(collector)
        assert view.state == "failed"
        assert f"X no longer gives {', '.join(names)} of posts" in str(view.error)
        assert {tag.reason for tag in view.tags} == {view.error}
        assert len(emulator.requests) <= requests
        assert lacking(collector) == names
    assert emulator.ledger.total().posts_billed == emulator.ledger.total().posts_served
    emulator.clear_faults()
    assert get_tweets(collector).state == "done"
    assert lacking(collector) == []


@pytest.mark.parametrize("limit", [5.0, 0.2])
def test_a_first_page_that_takes_long_delays_the_other_tags_for_a_while_only(
    many: MakeCollector, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, limit: float
) -> None:
    monkeypatch.setattr(collection, "FIRST_PAGE_WITHIN_S", limit)
    emulator.plan("slow", seconds=1, times=1)
    pages: list[Progress] = []
    assert get_tweets(many(), on_progress=pages.append).state == "done"
    assert (pages[0].tag == "#devops") == (limit > 1)


def test_a_field_that_x_drops_silently_is_noticed(
    many: MakeCollector, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed = client.FIELDS["tweet_fields"].replace("lang", "language")
    monkeypatch.setattr(client, "FIELDS", {**client.FIELDS, "tweet_fields": renamed})
    emulator.plan("unknown_values", times=None)
    assert "X no longer gives lang of posts" in str(get_tweets(many()).error)


def test_where_tweet_fields_is_refused_post_fields_is_requested_from_then_on(many: MakeCollector, emulator: Emulator) -> None:
    collector = many(TAGS="#devops")
    emulator.plan("no_tweet_fields", times=None)
    assert get_tweets(collector).state == "done"
    emulator.clock.advance(3600)
    assert get_tweets(collector).state == "done"
    first, *others = asked(emulator)
    assert "tweet.fields" in first
    assert all("post.fields" in params and "tweet.fields" not in params for params in others)
    assert all(row.lang and row.author_id for row in rows(collector.database, Tweet.__table__.select()))


def test_where_both_lists_are_refused_the_collection_ends(many: MakeCollector, emulator: Emulator) -> None:
    collector = many()
    emulator.plan("no_fields", times=None)
    view = get_tweets(collector)
    assert "X refuses the fields of posts (status 400)" in str(view.error)
    assert len(emulator.requests) <= 6
    assert emulator.ledger.total().posts_served == 0
    with collector.database.reading() as session:
        assert list(current_refusals(session)) == ["fields"]


@pytest.mark.parametrize(
    ("parameters", "message", "kind"),
    [
        ({"tweet.fields": "lang"}, "", "fields"),
        ({}, "The query parameter [tweet.fields] is not one of [query,post.fields]", "fields"),
        ({"query": "x"}, "The `query` query parameter is not one of [tweet.fields]", "refused"),
        ({}, "The query parameter [x] is not one of [query,tweet.fields]", "refused"),
    ],
)
def test_a_400_is_about_the_fields_only_if_it_names_their_list(parameters: dict[str, str], message: str, kind: str) -> None:
    assert classify(400, {}, json.dumps(invalid_request(message, parameters)).encode()).kind == kind


def test_few_posts_prove_nothing_before_the_end() -> None:
    page = ResultPage((), (), None, (), posts=frozenset({1, 2}), users=frozenset(), oldest=1, given=frozenset({"author_id"}))
    given = GivenFields()
    assert given.missing() == ()
    assert given.add(page) == given.add(page) == ()
    assert given.missing() == ("created_at", "lang")
    assert given.add(page) == ("created_at", "lang")
    assert given.add(page._replace(given=frozenset({"lang"}))) == ("created_at",)
