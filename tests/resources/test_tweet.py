"""/tweets/{id} over HTTP: one tweet by any version's id, and deletions that nothing brings back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import Event

import pytest

from emulator import Emulator
from tests.fixtures.archives import edited, own_row, page, post, user
from tests.fixtures.service import Service
from tests.resources import conftest
from tests.resources.conftest import QUIET, Json, Start, given, problem

ALONE, EDITED, OLD = 100, (0, 1, 2), 200
NEVER_STORED = 12345
BEFORE_AN_EDIT = datetime(2025, 12, 31, 2, 8, tzinfo=UTC)  # in the same world
WILL_BE_EDITED = "2025-12-31T02:05:30Z"

pytestmark = pytest.mark.dialects


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    """The service with the tweets of one collection, and some imported ones."""
    with shared(TW_NUMBER="40") as running:
        given(running, "/database")
        tweets = edited(*EDITED, text="the newest text #sre"), post(ALONE, author=7002)
        imported(running, page(*tweets, users=(user(), user(7002, "Bo Beispiel", "bo_beispiel", 10**8))))
        imported(running, own_row(400, tags=["#devops", "#sre"]))
        yield running


def imported(service: Service, *objects: object) -> tuple[int, int]:
    return conftest.imported(service.collector.database, *objects)


def tweets_of(service: Service) -> list[Json]:
    rows: list[Json] = given(service, "/tweets")["tweets"]
    return rows


def delete(service: Service, one: object) -> None:
    answer = service.request("DELETE", f"/tweets/{one}")
    assert (answer.status_code, answer.content) == (204, b"")


def gone(service: Service, *ids: object) -> bool:
    return [service.get(f"/tweets/{one}").status_code for one in ids] == [404] * len(ids)


def number(minute: int) -> int:
    return int(post(minute)["id"])


def assert_recounted(service: Service) -> None:
    """Hold all aggregates against the tweets themselves."""
    tweets = tweets_of(service)
    people = Counter(tweet["username"] for tweet in tweets if tweet["author"])
    authors = given(service, "/tweets?order_by_followers_desc=1000")["authors"]
    assert {author["username"]: author["tweets"] for author in authors} == people
    hours = Counter(tweet["created"][11:13] + ":00" for tweet in tweets)
    assert {
        row["at_hour"]: row["tweets"] for row in given(service, "/tweets_per_hour")["tweets_per_hour"] if row["tweets"]
    } == hours
    langs = Counter((tag, tweet["lang"]) for tweet in tweets for tag in tweet["tags"])
    lists = given(service, "/tweets_per_tag")["tweets_per_tags"]
    assert {(row["rash"], row["lang"]): row["tweets"] for rows in lists for row in rows} == langs
    tags = Counter(tag for tweet in tweets for tag in tweet["tags"])
    assert {tag["tag"]: tag["tweets"] for tag in given(service, "/tags")["tags"]} == tags


def test_a_tweet_is_the_bare_object_that_the_list_has_and_any_versions_id_finds_it(service: Service) -> None:
    tweets = tweets_of(service)
    for tweet in (tweets[0], tweets[-1]):
        answer = service.get(f"/tweets/{tweet['id']}")
        assert answer.headers["Content-Type"] == "application/json"
        detailed = answer.json()
        numbers = {name: tweet[name] for name in ("likes", "reposts", "replies", "quotes", "bookmarks", "views")}
        measured = [{"at": tweet["measured"], **numbers}] if tweet["measured"] else []
        assert detailed == tweet | {"measurements": measured}
        assert list(detailed) == [*tweet, "measurements"]
    versions = [given(service, f"/tweets/{number(minute)}") for minute in EDITED]
    assert [(one["id"], one["tweet"]) for one in versions] == [(str(number(EDITED[0])), "the newest text #sre")] * 3


def test_what_is_no_stored_id_is_404_and_what_can_be_none_can_not_be_deleted_either(service: Service) -> None:
    none = ["x", "-5", "5.0", "%D9%A5", "%00", "1%202", "9223372036854775808", "9" * 400]
    for one in ("1", "9223372036854775807", *none):
        assert problem(service.get(f"/tweets/{one}"), 404)["detail"] == "there is no tweet with this id"
    for one in none:
        problem(service.request("DELETE", f"/tweets/{one}"), 404)


def test_a_deleted_tweet_vanishes_everywhere_at_once_and_an_author_with_their_last_one(service: Service) -> None:
    tweets, most = tweets_of(service), "/tweets?order_by_followers_desc=1"
    assert given(service, most)["authors"][0]["username"] == "bo_beispiel"
    delete(service, NEVER_STORED)
    for one in (tweets[20]["id"], next(tweet["id"] for tweet in tweets if len(tweet["tags"]) > 1), str(number(ALONE))):
        before = tweets_of(service)
        delete(service, one)
        delete(service, one)
        assert tweets_of(service) == [other for other in before if other["id"] != one]
        assert problem(service.get(f"/tweets/{one}"), 404)["detail"] == "there is no tweet with this id"
        assert_recounted(service)
    assert given(service, most)["authors"][0]["username"] != "bo_beispiel"


def test_no_import_brings_a_deleted_tweet_back_and_it_adds_the_others(service: Service) -> None:
    stored = tweets_of(service)[5]
    delete(service, stored["id"])
    delete(service, number(OLD))  # not stored yet
    before = {tweet["id"] for tweet in tweets_of(service)}
    x_object = {**post(OLD), "id": stored["id"], "edit_history_tweet_ids": [stored["id"]]}
    rows = (stored, page(post(OLD), x_object, users=(user(),)), own_row(OLD), {**post(OLD), "author": user()})
    assert imported(service, *rows)[1] == 0
    assert {tweet["id"] for tweet in tweets_of(service)} == before
    assert imported(service, page(post(OLD), post(OLD + 1), users=(user(),))) == (2, 1)
    assert gone(service, stored["id"], number(OLD))
    assert_recounted(service)


def test_any_versions_id_deletes_an_edited_tweet_for_good(service: Service) -> None:
    chains = [[1000 + 10 * by + step for step in range(3)] for by in range(3)]
    versions = [minute for minutes in chains for minute in minutes]
    assert imported(service, page(*(edited(*minutes, text="edited #sre") for minutes in chains), users=(user(),))) == (3, 3)
    for by, minutes in enumerate(chains):
        delete(service, number(minutes[by]))
        assert gone(service, *map(number, minutes))
    early = 2000, 2001
    delete(service, number(early[1]))  # a version that is not stored yet
    next_versions = [edited(*minutes, minutes[-1] + 1, text="edited once more #sre") for minutes in chains]
    rows = page(*map(post, versions)), page(*next_versions, edited(*early, text="edited #sre")), *map(own_row, versions)
    assert imported(service, *rows)[1] == 0
    assert gone(service, *map(number, (*versions, *early)))
    assert_recounted(service)


def test_no_collection_brings_a_deleted_tweet_back(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    given(fresh, "/database")
    before = [tweet["id"] for tweet in tweets_of(fresh)]
    buried = {before[0], before[60], before[-1]}
    for one in buried:
        delete(fresh, one)
    for drop in (False, True):
        if drop:
            assert fresh.request("DELETE", "/database").status_code == 200
        given(fresh, "/database")
        assert [tweet["id"] for tweet in tweets_of(fresh)] == [one for one in before if one not in buried]
    assert given(fresh, "/collections/3")["tweets_added"] == len(before) - len(buried)


def test_an_edit_of_a_deleted_tweet_is_bought_but_not_stored(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(BEFORE_AN_EDIT)
    given(fresh, "/database")
    (one,) = [tweet["id"] for tweet in tweets_of(fresh) if tweet["created"] == WILL_BE_EDITED]
    delete(fresh, one)
    emulator.clock.advance(3600)
    later = [given(fresh, "/database")["collection"] for _ in range(2)]  # the first one learns X's time
    assert sum(one["spend"]["posts"] for one in later) == sum(one["tweets_added"] for one in later) + 1
    assert one not in {tweet["id"] for tweet in tweets_of(fresh)}


def test_tweets_can_be_deleted_while_a_collection_runs(fresh: Service, gate: Event) -> None:
    gate.set()
    given(fresh, "/database")
    gate.clear()
    one = tweets_of(fresh)[0]["id"]
    location = fresh.request("POST", "/collections").headers["Location"]
    delete(fresh, one)
    assert given(fresh, location)["state"] == "running"
    gate.set()
    fresh.until(lambda: given(fresh, location)["state"] == "done")
    assert gone(fresh, one)
