"""/tweets/{id} over HTTP: one tweet by any version's id, and deletions that nothing brings back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from emulator import Emulator
from tests.fixtures.archives import edited, json_lines, own_row, page, post, user
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.processes import Server, serving
from tests.resources.conftest import QUIET
from tests.resources.test_errors import problem

Json = dict[str, Any]
ALONE, EDITED, OLD, LATE = 100, (0, 1, 2), 200, 300
NEVER_STORED = 12345
BEFORE_AN_EDIT = datetime(2025, 12, 31, 2, 8, tzinfo=UTC)  # in the same world
WILL_BE_EDITED = "2025-12-31T02:05:30Z"


class Service(NamedTuple):
    """The service and how to import into its database."""

    server: Server
    folder: Path
    settings: dict[str, str]

    def imported(self, *objects: object) -> str:
        """Import without a refusal by `flask --app app tweets import`, and return the line of counts."""
        file = json_lines(self.folder / "archive.jsonl", *objects)
        command = [sys.executable, "-m", "flask", "--app", "app", "tweets", "import", str(file)]
        variables = {"PATH": os.environ["PATH"], **self.settings}
        done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stderr.splitlines()[-1]

    def tweets(self) -> list[Json]:
        rows: list[Json] = self.server.get("/tweets").json()["tweets"]
        return rows

    def delete(self, one: object) -> None:
        answer = self.server.request("DELETE", f"/tweets/{one}")
        assert (answer.status_code, answer.content) == (204, b"")

    def gone(self, *ids: object) -> bool:
        return [self.server.get(f"/tweets/{one}").status_code for one in ids] == [404] * len(ids)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, x: Emulator, database_backend: str) -> Iterator[Service]:
    """The service with the tweets of one collection, and some imported ones."""
    folder = tmp_path_factory.mktemp("tweet")
    settings = environment(folder, x)
    with serving(folder, **settings) as server:
        assert server.get("/database").status_code == 200
        running = Service(server, folder, settings)
        tweet = edited(*EDITED, text="the newest text #sre")
        running.imported(page(tweet, post(ALONE, author=7002), users=(user(), user(7002, "Bo Beispiel", "bo_beispiel", 10**8))))
        yield running


def number(minute: int) -> int:
    return int(post(minute)["id"])


def aggregates(server: Server) -> Json:
    """Return what the API counts."""
    return {
        "authors": server.get("/tweets?order_by_followers_desc=1000").json()["authors"],
        "hours": server.get("/tweets_per_hour").json()["tweets_per_hour"],
        "tags": server.get("/tweets_per_tag").json()["tweets_per_tags"],
        "tracked": {tag["tag"]: tag["tweets"] for tag in server.get("/tags").json()["tags"]},
    }


def assert_recounted(service: Service) -> None:
    """Hold all aggregates against the tweets themselves."""
    tweets, counted = service.tweets(), aggregates(service.server)
    authors = Counter(tweet["username"] for tweet in tweets if tweet["author"])
    assert {author["username"]: author["tweets"] for author in counted["authors"]} == authors
    hours = Counter(tweet["created"][11:13] for tweet in tweets)
    assert counted["hours"] == [{"at_hour": f"{hour:02d}:00", "tweets": hours[f"{hour:02d}"]} for hour in range(24)]
    langs = Counter((tag, tweet["lang"]) for tweet in tweets for tag in tweet["tags"])
    assert {(row["rash"], row["lang"]): row["tweets"] for rows in counted["tags"] for row in rows} == langs
    tags = Counter(tag for tweet in tweets for tag in tweet["tags"])
    assert counted["tracked"] == {tag: tags[tag] for tag in counted["tracked"]}


def test_a_tweet_is_the_bare_object_that_the_list_has(service: Service) -> None:
    tweets = service.tweets()
    for tweet in (tweets[0], tweets[len(tweets) // 2], tweets[-1]):
        answer = service.server.get(f"/tweets/{tweet['id']}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json() == tweet
        assert list(answer.json())[:7] == ["tweet", "author", "followers", "created", "lang", "country", "rash"]


def test_any_versions_id_finds_an_edited_tweet(service: Service) -> None:
    found = [service.server.get(f"/tweets/{number(minute)}").json() for minute in EDITED]
    assert {tweet["id"] for tweet in found} == {str(number(EDITED[0]))}
    assert {tweet["tweet"] for tweet in found} == {"the newest text #sre"}


@pytest.mark.parametrize(
    "one",
    ["1", "x", "-5", "5.0", "0x5", "%D9%A5", "%00", "%20", "1%202", "9223372036854775807", "9223372036854775808", "9" * 400],
)
def test_what_is_no_stored_id_is_404(service: Service, one: str) -> None:
    assert problem(service.server.get(f"/tweets/{one}"), 404)["detail"] == "there is no tweet with this id"


@pytest.mark.parametrize("one", ["x", "-5", "5.0", "%D9%A5", "%00", "9223372036854775808", "9" * 400])
def test_what_can_be_no_id_can_not_be_deleted_either(service: Service, one: str) -> None:
    problem(service.server.request("DELETE", f"/tweets/{one}"), 404)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_parameter_is_400_and_deletes_nothing(service: Service, method: str) -> None:
    path = f"/tweets/{service.tweets()[0]['id']}"
    refused = problem(service.server.request(method, f"{path}?fields=id"), 400)
    assert [error["parameter"] for error in refused["errors"]] == ["fields"]
    assert service.server.get(path).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_other_methods_are_405(service: Service, method: str) -> None:
    answer = service.server.request(method, "/tweets/1")
    problem(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "DELETE", "OPTIONS"}


def test_head_deletes_nothing(service: Service) -> None:
    path = f"/tweets/{service.tweets()[0]['id']}"
    assert service.server.request("HEAD", path).status_code == 200
    assert service.server.get(path).status_code == 200


def test_a_deleted_tweet_vanishes_everywhere_at_once(service: Service) -> None:
    tweets = service.tweets()
    shared = [tweet for tweet in tweets if len(tweet["tags"]) > 1]
    for tweet in [tweets[20], tweets[100], *shared[:1]]:
        before = service.tweets()
        service.delete(tweet["id"])
        assert service.tweets() == [other for other in before if other["id"] != tweet["id"]]
        assert problem(service.server.get(f"/tweets/{tweet['id']}"), 404)["detail"] == "there is no tweet with this id"
        assert_recounted(service)


def test_an_author_goes_with_their_last_tweet(service: Service) -> None:
    most = "/tweets?order_by_followers_desc=1"
    assert service.server.get(most).json()["authors"][0]["username"] == "bo_beispiel"
    service.delete(number(ALONE))
    assert service.server.get(most).json()["authors"][0]["username"] != "bo_beispiel"
    assert_recounted(service)


def test_deleting_again_and_what_is_not_stored_is_204_as_well(service: Service) -> None:
    one, before = service.tweets()[10]["id"], len(service.tweets())
    service.delete(one)
    service.delete(one)
    service.delete(NEVER_STORED)
    assert service.gone(one, NEVER_STORED)
    assert len(service.tweets()) == before - 1


def test_no_import_brings_a_deleted_tweet_back(service: Service) -> None:
    stored = service.tweets()[5]
    service.delete(stored["id"])
    service.delete(number(OLD))  # not stored yet
    before = {tweet["id"] for tweet in service.tweets()}
    x_object = {**post(OLD), "id": stored["id"], "edit_history_tweet_ids": [stored["id"]]}
    rows = (stored, page(post(OLD), x_object, users=(user(),)), own_row(OLD), {**post(OLD), "author": user()})
    assert service.imported(*rows).endswith(" 0 added, 0 refused")
    assert {tweet["id"] for tweet in service.tweets()} == before
    assert service.gone(stored["id"], number(OLD))
    assert_recounted(service)


def test_an_import_of_deleted_and_other_tweets_adds_the_others(service: Service) -> None:
    service.delete(number(LATE))
    assert service.imported(page(post(LATE), post(LATE + 1), users=(user(),))) == "2 tweets read, 1 added, 0 refused"
    assert service.gone(number(LATE))
    assert service.server.get(f"/tweets/{number(LATE + 1)}").status_code == 200
    assert_recounted(service)


def test_any_versions_id_deletes_an_edited_tweet_for_good(service: Service) -> None:
    chains = [[1000 + 10 * by + step for step in range(3)] for by in range(3)]
    ids = [number(minute) for minutes in chains for minute in minutes]
    stored = [edited(*minutes, text="edited #sre") for minutes in chains]
    assert service.imported(page(*stored, users=(user(),))) == "3 tweets read, 3 added, 0 refused"
    for by, minutes in enumerate(chains):
        service.delete(number(minutes[by]))
        assert service.gone(*map(number, minutes))
    early = 2000, 2001
    service.delete(number(early[1]))  # a version that is not stored yet
    next_versions = [edited(*minutes, minutes[-1] + 1, text="edited once more #sre") for minutes in chains]
    versions = [minute for minutes in chains for minute in minutes]
    alone = [post(minute) for minute in versions]
    rows = page(*alone), page(*next_versions, edited(*early, text="edited #sre")), *map(own_row, versions)
    assert service.imported(*rows).endswith(" 0 added, 0 refused")
    assert service.gone(*ids, *map(number, early))
    assert_recounted(service)


def test_no_collection_brings_a_deleted_tweet_back(server: Server, emulator: Emulator) -> None:
    emulator.clock.hold(QUIET)
    assert server.get("/database").status_code == 200
    before = [tweet["id"] for tweet in server.get("/tweets").json()["tweets"]]
    buried = {before[0], before[150], before[-1]}
    for one in buried:
        assert server.request("DELETE", f"/tweets/{one}").status_code == 204
    for drop in (False, True):
        if drop:
            assert server.request("DELETE", "/database").status_code == 200
        assert server.get("/database").status_code == 200
        assert [tweet["id"] for tweet in server.get("/tweets").json()["tweets"]] == [one for one in before if one not in buried]
    assert server.get("/collections/3").json()["tweets_added"] == len(before) - len(buried)


def test_an_edit_of_a_deleted_tweet_is_bought_but_not_stored(server: Server, emulator: Emulator) -> None:
    emulator.clock.hold(BEFORE_AN_EDIT)
    assert server.get("/database").status_code == 200
    (one,) = [tweet["id"] for tweet in server.get("/tweets").json()["tweets"] if tweet["created"] == WILL_BE_EDITED]
    assert server.request("DELETE", f"/tweets/{one}").status_code == 204
    emulator.clock.advance(3600)
    later = [server.get("/database").json()["collection"] for _ in range(2)]  # the first one learns X's time
    assert (
        sum(collection["spend"]["posts"] for collection in later) == sum(collection["tweets_added"] for collection in later) + 1
    )
    assert one not in {tweet["id"] for tweet in server.get("/tweets").json()["tweets"]}


def test_tweets_can_be_deleted_while_a_collection_runs(server: Server, emulator: Emulator) -> None:
    assert server.get("/database").status_code == 200
    one = server.get("/tweets").json()["tweets"][0]["id"]
    emulator.latency = 0.3
    location = server.request("POST", "/collections").headers["Location"]
    assert server.request("DELETE", f"/tweets/{one}").status_code == 204
    assert server.get(location).json()["state"] == "running"
    server.until(lambda: server.get(location).json()["state"] == "done")
    problem(server.get(f"/tweets/{one}"), 404)
