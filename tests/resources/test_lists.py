"""Lists of tweets over HTTP: orders, fields, pages and forms, against the same done in plain Python; filters are passed on."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import cycle, pairwise
from typing import Any

import pytest

from tests.fixtures.archives import MORNING, own_row
from tests.fixtures.service import Service
from tests.resources.conftest import Start, given, imported, problem

Tweet = dict[str, Any]
COUNT = 70
BOTH = ("2026-03-02", "2026-03-01T15:00:00Z")
"""The beginning of the day of all tweets in Tokyo."""
ORDERS = [
    f"{sign}{column}"
    for column in ("id", "created", "followers", "engagement", "likes", "reposts", "views")
    for sign in ("", "-")
]

pytestmark = pytest.mark.dialects


def rows() -> list[Tweet]:
    """Return invented tweets: some at the same second, some whose id tells another time, of known and unknown authors."""
    luck = random.Random(6)
    people = [(f"user_{n}", f"User {n}", luck.choice([None, 0, 5, 5, 900])) for n in range(9)]
    made = []
    for number in range(COUNT):
        username, name, followers = luck.choice(people)
        tags = luck.choice([["#sre"], ["#devops"], ["#devops", "#sre"], []])
        minute = number if number % 10 else luck.randrange(COUNT)
        country, code = luck.choice([("Brazil", "BR"), ("Colombia", "CO"), (None, None), (None, None), (None, "GB")])
        created = MORNING + timedelta(minutes=minute // 3)
        more = {"tags": tags, "rash": tags[0] if tags else None, "lang": luck.choice(["en", "pt", "PT", None])}
        person = {"username": username, "author": name, "followers": followers} if number % 11 else {}
        nobody = {"username": None, "author": None, "followers": None}
        text = f"tweet {number} of the {luck.choice(['morning', 'evening'])}"
        place = {"country": country, "country_code": code, "created": f"{created:%Y-%m-%dT%H:%M:%SZ}"}
        numbers = {name: luck.choice([None, 0, 7, 7, 300, 10**12]) for name in ("likes", "reposts", "views") if number % 7}
        made.append(own_row(number, text, **(nobody | person), **more, **place, **numbers))
    return made


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    with shared() as running:
        imported(running.collector.database, *rows())
        yield running


@pytest.fixture(scope="module")
def stored(service: Service) -> list[Tweet]:
    tweets: list[Tweet] = given(service, "/tweets")["tweets"]
    assert len(tweets) == COUNT
    return tweets


def in_order(tweets: list[Tweet], order: str) -> list[Tweet]:
    column, backwards = order.removeprefix("-"), order.startswith("-")
    tweets = sorted(tweets, key=lambda tweet: int(tweet["id"]), reverse=backwards)
    if column == "id":
        return tweets
    known = [tweet for tweet in tweets if tweet[column] is not None]
    last = [tweet for tweet in tweets if tweet[column] is None]
    return sorted(known, key=lambda tweet: tweet[column], reverse=backwards) + last


def walked(service: Service, path: str, kind: str = "tweets") -> list[Tweet]:
    """Return all pages from this one on."""
    found: list[Tweet] = []
    following: str | None = path
    while following:
        assert len(found) < 10_000, "the list has no end"
        answer = service.get(following)
        body = answer.json()
        assert list(body) == [kind, "next"], body
        assert answer.headers.get("Link") == (f'<{body["next"]}>; rel="next"' if body["next"] else None)
        found, following = found + body[kind], body["next"]
    return found


NOON = (MORNING + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
LATER = (MORNING + timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%SZ")
Filters = dict[str, Callable[[Tweet], bool]]
FILTERS: Filters = {
    "tag=%23devops&tag=SRE": lambda tweet: {"#sre", "#devops"} <= set(tweet["tags"]),
    "lang=Pt": lambda tweet: tweet["lang"] in ("pt", "PT"),
    "country=br": lambda tweet: tweet["country_code"] == "BR",
    "author=@USER_3": lambda tweet: tweet["username"] == "user_3",
    f"since={NOON}&until={LATER}": lambda tweet: NOON <= tweet["created"] < LATER,
    "min_followers=5": lambda tweet: (tweet["followers"] or 0) >= 5,
    "min_engagement=8": lambda tweet: (tweet["engagement"] or 0) >= 8,
    "q=EVENING": lambda tweet: "evening" in tweet["tweet"],
}


@pytest.mark.parametrize("order", ORDERS)
def test_each_order_gives_what_python_would_whole_and_in_pages(service: Service, stored: list[Tweet], order: str) -> None:
    for filters, wanted in (("", stored), ("tag=sre", [tweet for tweet in stored if "#sre" in tweet["tags"]])):
        expected = in_order(wanted, order)
        assert given(service, f"/tweets?{filters}&sort={order}") == {"tweets": expected}
        assert walked(service, f"/tweets?{filters}&sort={order}&limit=9") == expected
    since = stored[29]["id"]
    assert walked(service, f"/tweets?since_id={since}&limit=23&sort={order}") == in_order(stored[30:], order)


def test_each_filter_is_passed_on(service: Service, stored: list[Tweet]) -> None:
    for (filters, wanted), order in zip(FILTERS.items(), cycle(ORDERS), strict=False):
        expected = in_order([tweet for tweet in stored if wanted(tweet)], order)
        assert 0 < len(expected) < COUNT, filters
        assert given(service, f"/tweets?{filters}&sort={order}") == {"tweets": expected}, filters
        assert walked(service, f"/tweets?{filters}&sort={order}&limit=5") == expected, filters
    assert given(service, "/tweets?tag=unheard_of") == {"tweets": []}


def test_fields_are_given_once_each_in_the_order_asked_for(service: Service, stored: list[Tweet]) -> None:
    found = given(service, "/tweets?fields=id,tags,tweet,id")["tweets"]
    assert found == [{name: tweet[name] for name in ("tweet", "id", "tags")} for tweet in stored]
    assert list(found[0]) == ["id", "tags", "tweet"]


def test_days_begin_in_the_zone_that_is_asked_for(service: Service, stored: list[Tweet]) -> None:
    assert given(service, "/tweets?since=2026-03-02") == {"tweets": stored}
    assert given(service, "/tweets?since=2026-03-02&tz=America/Sao_Paulo&until=2026-03-02T03:00:00Z") == {"tweets": []}
    for path in ("/authors", "/facets?by=lang", "/tweets_per_tag", "/tags/sre/related", "/timeline", "/volume?bucket=day"):
        dated, timed = (f"{path}{'&' if '?' in path else '?'}since={since}&tz=Asia/Tokyo" for since in BOTH)
        assert given(service, dated) == given(service, timed), path


def test_csv_is_as_x_sent_it_and_a_sheet_has_entities_decoded(fresh: Service) -> None:
    imported(fresh.collector.database, own_row(text="salt &amp; pepper &lt;3", author="A &amp; B"))
    for form, row in (("csv", ["salt &amp; pepper &lt;3", "A &amp; B"]), ("sheet", ["salt & pepper <3", "A & B"])):
        sheet = fresh.get(f"/tweets?format={form}&fields=tweet,author")
        assert sheet.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert list(csv.reader(io.StringIO(sheet.text, newline="")))[1:] == [row]


def test_ndjson_csv_and_ids_say_the_same(service: Service, stored: list[Tweet]) -> None:
    ids, lines = [tweet["id"] for tweet in stored], service.get("/tweets?format=ndjson")
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == stored
    sheet = service.get("/tweets?format=csv&fields=id,author,followers")
    assert sheet.headers["Content-Type"] == "text/csv; charset=utf-8"
    table = list(csv.reader(io.StringIO(sheet.text, newline="")))
    assert table[0] == ["id", "author", "followers"]
    assert [row[0] for row in table[1:]] == ids
    plain = service.get("/tweets?format=ids&limit=5")
    assert plain.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert plain.text.split() == ids[:5]
    assert plain.headers["Link"].startswith("</tweets?format=ids&limit=5&cursor=")


def test_accept_chooses_the_form_and_format_beats_it(service: Service) -> None:
    for accept, kind in (
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/json;q=0.5, text/csv", "text/csv; charset=utf-8"),
        ("text/plain", "text/plain; charset=utf-8"),
    ):
        answer = service.get("/tweets", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
        assert service.get("/tweets?format=csv", headers={"Accept": accept}).headers["Content-Type"].startswith("text/csv")
    body = problem(service.get("/tweets", headers={"Accept": "application/xml"}), 406)
    assert "application/json, application/x-ndjson, text/csv, text/plain" in body["detail"]
    body = problem(service.get("/tweets?limit=1&fields=tweet", headers={"Accept": "text/plain"}), 400)
    assert [error["parameter"] for error in body["errors"]] == ["fields"]


def test_a_cursor_is_for_its_list_alone(service: Service) -> None:
    following = service.get("/tweets?limit=5&sort=created").json()["next"]
    cursor = following.rpartition("=")[2]
    assert service.get(f"/tweets?limit=20&sort=created&fields=id&cursor={cursor}").status_code == 200
    for other in ("sort=-created", "sort=created&lang=en", "sort=created&since_id=5", "sort=created&q=x"):
        assert service.get(f"/tweets?{other}&cursor={cursor}").status_code == 400
    forged = cursor[:-6] + ("A" * 6 if cursor[-6:] != "A" * 6 else "B" * 6)
    assert service.get(f"/tweets?sort=created&cursor={forged}").status_code == 400
    assert service.get(f"/authors?cursor={cursor}").status_code == 400


def test_a_tag_of_the_state_is_answered_by_304(service: Service) -> None:
    tags = set()
    for path in ("/tweets", "/tweets?limit=3", "/tweets?limit=4", "/tweets?format=csv", "/tweets_per_hour", "/tags", "/spend"):
        answer = service.get(path)
        tag = answer.headers["ETag"]
        tags.add(tag)
        assert tag.startswith('W/"')
        assert answer.headers["Cache-Control"] == "private, no-cache"
        again = service.get(path, headers={"If-None-Match": f'"other", {tag}'})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        assert service.get(path, headers={"If-None-Match": '"other"'}).content == answer.content
        assert service.get(path, headers={"If-None-Match": "*"}).status_code == 304
    assert len(tags) == 7
    for path, status in (("/tweets?x=1", 400), ("/tweets/1", 404)):  # of what is not there any tag is none
        assert service.get(path, headers={"If-None-Match": "*"}).status_code == status


def test_what_is_asked_for_compressed_is(service: Service, stored: list[Tweet]) -> None:
    plain = service.get("/tweets", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    packed = service.app.test_client().get("/tweets", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(packed.data))["tweets"] == stored
    assert packed.headers["ETag"] != plain.headers["ETag"]
    table = service.app.test_client().get("/tweets", headers={"Accept": "text/csv"})
    assert (table.mimetype, table.headers["ETag"] != plain.headers["ETag"]) == ("text/csv", True)
    assert "Accept-Encoding" in packed.headers["Vary"]


def test_distinct_authors_are_given_most_followed_first_whole_and_in_pages(service: Service, stored: list[Tweet]) -> None:
    written = Counter(tweet["username"] for tweet in stored if tweet["username"])
    people = {tweet["username"]: {name: tweet[name] for name in ("author", "followers", "username")} for tweet in stored}
    sums = {name: _sum([tweet["engagement"] for tweet in stored if tweet["username"] == name]) for name in written}
    expected = [{**people[name], "tweets": tweets, "engagement": sums[name]} for name, tweets in written.items()]
    expected.sort(key=lambda one: (-(one["followers"] if one["followers"] is not None else -1), one["username"]))
    assert given(service, "/authors") == {"authors": expected, "next": None}
    assert walked(service, "/authors?limit=2", "authors") == expected
    for most in (2, 1000):
        assert given(service, f"/tweets?order_by_followers_desc={most}") == {
            "authors": [{key: one[key] for key in one if key != "engagement"} for one in expected[:most]]
        }
    busy = given(service, "/authors?sort=-tweets")["authors"]
    assert all((-one["tweets"], one["username"]) < (-two["tweets"], two["username"]) for one, two in pairwise(busy))
    for sort, sign in (("-engagement", -1), ("engagement", 1)):
        ranked = sorted(expected, key=lambda one: (one["engagement"] is None, sign * (one["engagement"] or 0), one["username"]))
        assert walked(service, f"/authors?limit=2&sort={sort}", "authors") == ranked
    english = {tweet["username"] for tweet in stored if tweet["lang"] == "en" and tweet["username"]}
    for path in ("/authors?lang=en", "/tweets?order_by_followers_desc=1000&lang=en"):
        assert {one["username"] for one in given(service, path)["authors"]} == english


def _sum(numbers: list[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
