"""/tweets/{id} over HTTP: one tweet by any version's id, and deletions that nothing brings back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from emulator import Emulator
from tests.fixtures.archives import edited, own_row, page, post, user
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process
from tests.resources import conftest
from tests.resources.conftest import QUIET, Json, problem

ALONE, EDITED, OLD, LATE = 100, (0, 1, 2), 200, 300
NEVER_STORED = 12345
BEFORE_AN_EDIT = datetime(2025, 12, 31, 2, 8, tzinfo=UTC)  # in the same world
WILL_BE_EDITED = "2025-12-31T02:05:30Z"

pytestmark = pytest.mark.dialects


@pytest.fixture(scope="module")
def service(folder: Path, x: Emulator) -> Iterator[Service]:
    """The service with the tweets of one collection, and some imported ones."""
    with in_process(folder, **environment(folder, x) | {"TW_NUMBER": "40"}) as running:
        assert running.get("/database").status_code == 200
        tweet = edited(*EDITED, text="the newest text #sre")
        imported(
            running, page(tweet, post(ALONE, author=7002), users=(user(), user(7002, "Bo Beispiel", "bo_beispiel", 10**8)))
        )
        imported(running, own_row(400, tags=["#devops", "#sre"]))
        yield running


def imported(service: Service, *objects: object) -> tuple[int, int]:
    return conftest.imported(service.collector.database, *objects)


def tweets_of(service: Service) -> list[Json]:
    rows: list[Json] = service.get("/tweets").json()["tweets"]
    return rows


def delete(service: Service, one: object) -> None:
    answer = service.request("DELETE", f"/tweets/{one}")
    assert (answer.status_code, answer.content) == (204, b"")


def gone(service: Service, *ids: object) -> bool:
    return [service.get(f"/tweets/{one}").status_code for one in ids] == [404] * len(ids)


def number(minute: int) -> int:
    return int(post(minute)["id"])


def aggregates(service: Service) -> Json:
    """Return what the API counts."""
    return {
        "authors": service.get("/tweets?order_by_followers_desc=1000").json()["authors"],
        "hours": service.get("/tweets_per_hour").json()["tweets_per_hour"],
        "tags": service.get("/tweets_per_tag").json()["tweets_per_tags"],
        "tracked": {tag["tag"]: tag["tweets"] for tag in service.get("/tags").json()["tags"]},
    }


def assert_recounted(service: Service) -> None:
    """Hold all aggregates against the tweets themselves."""
    tweets, counted = tweets_of(service), aggregates(service)
    authors = Counter(tweet["username"] for tweet in tweets if tweet["author"])
    assert {author["username"]: author["tweets"] for author in counted["authors"]} == authors
    hours = Counter(tweet["created"][11:13] for tweet in tweets)
    assert counted["hours"] == [{"at_hour": f"{hour:02d}:00", "tweets": hours[f"{hour:02d}"]} for hour in range(24)]
    langs = Counter((tag, tweet["lang"]) for tweet in tweets for tag in tweet["tags"])
    assert {(row["rash"], row["lang"]): row["tweets"] for rows in counted["tags"] for row in rows} == langs
    tags = Counter(tag for tweet in tweets for tag in tweet["tags"])
    assert counted["tracked"] == {tag: tags[tag] for tag in counted["tracked"]}


def test_a_tweet_is_the_bare_object_that_the_list_has(service: Service) -> None:
    tweets = tweets_of(service)
    for tweet in (tweets[0], tweets[len(tweets) // 2], tweets[-1]):
        answer = service.get(f"/tweets/{tweet['id']}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json() == tweet
        assert list(answer.json())[:7] == ["tweet", "author", "followers", "created", "lang", "country", "rash"]


def test_any_versions_id_finds_an_edited_tweet(service: Service) -> None:
    found = [service.get(f"/tweets/{number(minute)}").json() for minute in EDITED]
    assert {tweet["id"] for tweet in found} == {str(number(EDITED[0]))}
    assert {tweet["tweet"] for tweet in found} == {"the newest text #sre"}


def test_what_is_no_stored_id_is_404_and_what_can_be_none_can_not_be_deleted_either(service: Service) -> None:
    none = ["x", "-5", "5.0", "0x5", "%D9%A5", "%00", "%20", "1%202", "9223372036854775808", "9" * 400]
    for one in ("1", "9223372036854775807", *none):
        assert problem(service.get(f"/tweets/{one}"), 404)["detail"] == "there is no tweet with this id"
    for one in none:
        problem(service.request("DELETE", f"/tweets/{one}"), 404)


def test_head_deletes_nothing(service: Service) -> None:
    path = f"/tweets/{tweets_of(service)[0]['id']}"
    assert service.request("HEAD", path).status_code == 200
    assert service.get(path).status_code == 200


def test_a_deleted_tweet_vanishes_everywhere_at_once(service: Service) -> None:
    tweets = tweets_of(service)
    shared = next(tweet for tweet in tweets if len(tweet["tags"]) > 1)
    for tweet in (tweets[20], tweets[70], shared):
        before = tweets_of(service)
        delete(service, tweet["id"])
        assert tweets_of(service) == [other for other in before if other["id"] != tweet["id"]]
        assert problem(service.get(f"/tweets/{tweet['id']}"), 404)["detail"] == "there is no tweet with this id"
        assert_recounted(service)


def test_an_author_goes_with_their_last_tweet(service: Service) -> None:
    most = "/tweets?order_by_followers_desc=1"
    assert service.get(most).json()["authors"][0]["username"] == "bo_beispiel"
    delete(service, number(ALONE))
    assert service.get(most).json()["authors"][0]["username"] != "bo_beispiel"
    assert_recounted(service)


def test_deleting_again_and_what_is_not_stored_is_204_as_well(service: Service) -> None:
    one, before = tweets_of(service)[10]["id"], len(tweets_of(service))
    delete(service, one)
    delete(service, one)
    delete(service, NEVER_STORED)
    assert gone(service, one, NEVER_STORED)
    assert len(tweets_of(service)) == before - 1


def test_no_import_brings_a_deleted_tweet_back(service: Service) -> None:
    stored = tweets_of(service)[5]
    delete(service, stored["id"])
    delete(service, number(OLD))  # not stored yet
    before = {tweet["id"] for tweet in tweets_of(service)}
    x_object = {**post(OLD), "id": stored["id"], "edit_history_tweet_ids": [stored["id"]]}
    rows = (stored, page(post(OLD), x_object, users=(user(),)), own_row(OLD), {**post(OLD), "author": user()})
    assert imported(service, *rows)[1] == 0
    assert {tweet["id"] for tweet in tweets_of(service)} == before
    assert gone(service, stored["id"], number(OLD))
    assert_recounted(service)


def test_an_import_of_deleted_and_other_tweets_adds_the_others(service: Service) -> None:
    delete(service, number(LATE))
    assert imported(service, page(post(LATE), post(LATE + 1), users=(user(),))) == (2, 1)
    assert gone(service, number(LATE))
    assert service.get(f"/tweets/{number(LATE + 1)}").status_code == 200
    assert_recounted(service)


def test_any_versions_id_deletes_an_edited_tweet_for_good(service: Service) -> None:
    chains = [[1000 + 10 * by + step for step in range(3)] for by in range(3)]
    ids = [number(minute) for minutes in chains for minute in minutes]
    stored = [edited(*minutes, text="edited #sre") for minutes in chains]
    assert imported(service, page(*stored, users=(user(),))) == (3, 3)
    for by, minutes in enumerate(chains):
        delete(service, number(minutes[by]))
        assert gone(service, *map(number, minutes))
    early = 2000, 2001
    delete(service, number(early[1]))  # a version that is not stored yet
    next_versions = [edited(*minutes, minutes[-1] + 1, text="edited once more #sre") for minutes in chains]
    versions = [minute for minutes in chains for minute in minutes]
    alone = [post(minute) for minute in versions]
    rows = page(*alone), page(*next_versions, edited(*early, text="edited #sre")), *map(own_row, versions)
    assert imported(service, *rows)[1] == 0
    assert gone(service, *ids, *map(number, early))
    assert_recounted(service)


def test_no_collection_brings_a_deleted_tweet_back(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    assert fresh.get("/database").status_code == 200
    before = [tweet["id"] for tweet in fresh.get("/tweets").json()["tweets"]]
    buried = {before[0], before[60], before[-1]}
    for one in buried:
        assert fresh.request("DELETE", f"/tweets/{one}").status_code == 204
    for drop in (False, True):
        if drop:
            assert fresh.request("DELETE", "/database").status_code == 200
        assert fresh.get("/database").status_code == 200
        assert [tweet["id"] for tweet in fresh.get("/tweets").json()["tweets"]] == [one for one in before if one not in buried]
    assert fresh.get("/collections/3").json()["tweets_added"] == len(before) - len(buried)


def test_an_edit_of_a_deleted_tweet_is_bought_but_not_stored(fresh: Service, emulator: Emulator) -> None:
    emulator.clock.hold(BEFORE_AN_EDIT)
    assert fresh.get("/database").status_code == 200
    (one,) = [tweet["id"] for tweet in fresh.get("/tweets").json()["tweets"] if tweet["created"] == WILL_BE_EDITED]
    assert fresh.request("DELETE", f"/tweets/{one}").status_code == 204
    emulator.clock.advance(3600)
    later = [fresh.get("/database").json()["collection"] for _ in range(2)]  # the first one learns X's time
    assert (
        sum(collection["spend"]["posts"] for collection in later) == sum(collection["tweets_added"] for collection in later) + 1
    )
    assert one not in {tweet["id"] for tweet in fresh.get("/tweets").json()["tweets"]}


def test_tweets_can_be_deleted_while_a_collection_runs(fresh: Service, gate: Event) -> None:
    gate.set()
    assert fresh.get("/database").status_code == 200
    gate.clear()
    one = tweets_of(fresh)[0]["id"]
    location = fresh.request("POST", "/collections").headers["Location"]
    delete(fresh, one)
    assert fresh.get(location).json()["state"] == "running"
    gate.set()
    fresh.until(lambda: fresh.get(location).json()["state"] == "done")
    problem(fresh.get(f"/tweets/{one}"), 404)
