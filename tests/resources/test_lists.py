"""Lists of tweets over HTTP: filters, orders, fields, pages and forms, against the same done in plain Python."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from emulator import Emulator
from tests.commands.conftest import Program
from tests.fixtures.archives import MORNING, json_lines, own_row
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.resources.test_errors import problem

Tweet = dict[str, Any]
COUNT = 70
ORDERS = [f"{sign}{column}" for column in ("id", "created", "followers") for sign in ("", "-")]


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
        made.append(own_row(number, text, **(nobody | person), **more, **place))
    return made


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, x: Emulator, database_backend: str) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("lists")
    program = Program(folder)
    program.imported(json_lines(folder / "archive.jsonl", *rows()))
    program.collector.close()
    with serving(folder, **environment(folder, x)) as server:
        yield server


@pytest.fixture(scope="module")
def stored(service: Server) -> list[Tweet]:
    tweets: list[Tweet] = service.get("/tweets").json()["tweets"]
    assert len(tweets) == COUNT
    return tweets


def ids(tweets: list[Tweet]) -> list[str]:
    return [tweet["id"] for tweet in tweets]


def in_order(tweets: list[Tweet], order: str) -> list[Tweet]:
    column, backwards = order.removeprefix("-"), order.startswith("-")
    tweets = sorted(tweets, key=lambda tweet: int(tweet["id"]), reverse=backwards)
    if column == "id":
        return tweets
    known = [tweet for tweet in tweets if tweet[column] is not None]
    last = [tweet for tweet in tweets if tweet[column] is None]
    return sorted(known, key=lambda tweet: tweet[column], reverse=backwards) + last


def walked(server: Server, path: str) -> list[Tweet]:
    """Return all pages from this one on."""
    found: list[Tweet] = []
    following: str | None = path
    while following:
        answer = server.get(following)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert list(body) == ["tweets", "next"]
        assert answer.headers.get("Link") == (f'<{body["next"]}>; rel="next"' if body["next"] else None)
        found, following = found + body["tweets"], body["next"]
    return found


NOON = (MORNING + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
LATER = (MORNING + timedelta(minutes=15)).strftime("%Y-%m-%dT%H:%M:%SZ")
FILTERS: list[tuple[str, Callable[[Tweet], bool]]] = [
    ("", lambda tweet: True),
    ("tag=SRE", lambda tweet: "#sre" in tweet["tags"]),
    ("tag=%23devops&tag=sre", lambda tweet: {"#sre", "#devops"} <= set(tweet["tags"])),
    ("tag=unheard_of", lambda tweet: False),
    ("lang=Pt", lambda tweet: tweet["lang"] in ("pt", "PT")),
    ("country=br", lambda tweet: tweet["country_code"] == "BR"),
    ("country=Colombia", lambda tweet: tweet["country"] == "Colombia"),
    ("country=GB", lambda tweet: tweet["country_code"] == "GB"),
    ("author=@USER_3", lambda tweet: tweet["username"] == "user_3"),
    ("author=nobody", lambda tweet: False),
    (f"since={NOON}", lambda tweet: tweet["created"] >= NOON),
    (f"until={NOON}", lambda tweet: tweet["created"] < NOON),
    (f"since={NOON}&until={LATER}", lambda tweet: NOON <= tweet["created"] < LATER),
    (f"since={NOON}&until={NOON}", lambda tweet: False),
    ("min_followers=5", lambda tweet: (tweet["followers"] or 0) >= 5),
    ("min_followers=0", lambda tweet: tweet["followers"] is not None),
    (
        f"tag=sre&lang=en&since={NOON}",
        lambda tweet: "#sre" in tweet["tags"] and tweet["lang"] == "en" and tweet["created"] >= NOON,
    ),
    ("author=user_3&min_followers=1", lambda tweet: tweet["username"] == "user_3" and (tweet["followers"] or 0) >= 1),
]


@pytest.mark.parametrize(("filters", "wanted"), FILTERS)
def test_each_filter_in_each_order_gives_what_python_would(
    service: Server, stored: list[Tweet], filters: str, wanted: Callable[[Tweet], bool]
) -> None:
    expected = [tweet for tweet in stored if wanted(tweet)]
    for order in ORDERS:
        assert walked(service, f"/tweets?{filters}&sort={order}&limit=9") == in_order(expected, order), order
        assert service.get(f"/tweets?{filters}&sort={order}").json() == {"tweets": in_order(expected, order)}, order


def test_filters_let_something_through_and_leave_something_out(stored: list[Tweet]) -> None:
    counts = [sum(map(wanted, stored)) for filters, wanted in FILTERS if "nobody" not in filters and "unheard" not in filters]
    assert all(0 < count < COUNT for count in counts[1:] if count)
    assert counts.count(0) == 1


def test_ids_above_one_are_given(service: Server, stored: list[Tweet]) -> None:
    since = stored[29]["id"]
    assert service.get(f"/tweets?since_id={since}").json()["tweets"] == stored[30:]
    assert walked(service, f"/tweets?since_id={since}&limit=7&sort=-id") == stored[:29:-1]


def test_fields_are_given_as_asked_in_the_order_of_the_contract(service: Server, stored: list[Tweet]) -> None:
    given = service.get("/tweets?fields=id,tags,tweet").json()["tweets"]
    assert given == [{name: tweet[name] for name in ("tweet", "id", "tags")} for tweet in stored]
    assert list(given[0]) == ["tweet", "id", "tags"]


def test_pages_go_on_where_they_were_while_tweets_come_and_go(service: Server, stored: list[Tweet]) -> None:
    first = service.get("/tweets?limit=10&sort=-created").json()
    again = service.get(first["next"]).json()
    assert not set(ids(first["tweets"])) & set(ids(again["tweets"]))


def test_ndjson_csv_and_ids_say_the_same(service: Server, stored: list[Tweet]) -> None:
    lines = service.get("/tweets?format=ndjson")
    assert lines.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in lines.text.splitlines()] == stored
    sheet = service.get("/tweets?format=csv&fields=id,author,followers")
    assert sheet.headers["Content-Type"] == "text/csv; charset=utf-8"
    table = list(csv.reader(io.StringIO(sheet.text, newline="")))
    assert table[0] == ["author", "followers", "id"]
    assert [row[2] for row in table[1:]] == ids(stored)
    plain = service.get("/tweets?format=ids&limit=5")
    assert plain.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert plain.text.split() == ids(stored[:5])
    assert plain.headers["Link"].startswith("</tweets?format=ids&limit=5&cursor=")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("application/json;q=0.5, text/csv", "text/csv; charset=utf-8"),
        ("text/plain", "text/plain; charset=utf-8"),
    ],
)
def test_accept_chooses_the_form(service: Server, accept: str, kind: str) -> None:
    answer = service.get("/tweets", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
    assert service.get("/tweets?format=csv", headers={"Accept": accept}).headers["Content-Type"].startswith("text/csv")


def test_a_form_that_is_not_made_is_406_and_those_that_are_are_named(service: Server) -> None:
    body = problem(service.get("/tweets", headers={"Accept": "application/xml"}), 406)
    assert "application/json, application/x-ndjson, text/csv, text/plain" in body["detail"]


def test_ids_have_no_fields_however_they_are_asked_for(service: Server) -> None:
    body = problem(service.get("/tweets?limit=1&fields=tweet", headers={"Accept": "text/plain"}), 400)
    assert [error["parameter"] for error in body["errors"]] == ["fields"]


@pytest.mark.parametrize(
    ("query", "parameter", "words"),
    [
        ("sort=name", "sort", "-followers"),
        ("fields=id,nothing", "fields", "country_code"),
        ("fields=id,,tweet", "fields", "between commas"),
        ("limit=0", "limit", "from 1 to 1000"),
        ("limit=1001", "limit", "from 1 to 1000"),
        ("limit=5&limit=6", "limit", "more than once"),
        ("format=xml", "format", "ndjson"),
        ("since_id=-1", "since_id", "id of a tweet"),
        ("since_id=9223372036854775808", "since_id", "id of a tweet"),
        ("since=yesterday", "since", "2026-11-17T12:34:56Z"),
        ("since=2026-11-17", "since", "2026-11-17T12:34:56Z"),
        (f"since={LATER}&until={NOON}", "since", "after until"),
        ("lang=", "lang", "is empty"),
        ("lang=en&lang=pt", "lang", "more than once"),
        ("tag=a b", "tag", "hashtag"),
        ("author=a,b", "author", "username"),
        ("min_followers=1.5", "min_followers", "whole number"),
        ("cursor=abc", "cursor", "cursor of this list"),
        ("hashtag=sre", "hashtag", "which takes: author, country, cursor"),
        ("order_by_followers_desc=5&limit=3", "limit", "is not for order_by_followers_desc"),
        ("order_by_followers_desc=5&fields=id", "fields", "is not for order_by_followers_desc"),
        ("format=ids&fields=id", "fields", "is not for format ids"),
    ],
)
def test_what_cannot_be_accepted_is_400_and_named(service: Server, query: str, parameter: str, words: str) -> None:
    body = problem(service.get(f"/tweets?{query}"), 400)
    assert [error["parameter"] for error in body["errors"]] == [parameter]
    assert words in body["errors"][0]["detail"]


def test_a_cursor_is_for_its_list_alone(service: Server) -> None:
    following = service.get("/tweets?limit=5&sort=created").json()["next"]
    cursor = following.rpartition("=")[2]
    assert service.get(f"/tweets?limit=20&sort=created&fields=id&cursor={cursor}").status_code == 200
    for other in ("sort=-created", "sort=created&lang=en", "sort=created&since_id=5", "sort=created&q=x"):
        assert service.get(f"/tweets?{other}&cursor={cursor}").status_code == 400
    forged = cursor[:-6] + ("A" * 6 if cursor[-6:] != "A" * 6 else "B" * 6)
    assert service.get(f"/tweets?sort=created&cursor={forged}").status_code == 400
    assert service.get(f"/authors?cursor={cursor}").status_code == 400


def test_a_tag_of_the_state_is_answered_by_304(service: Server) -> None:
    for path in ("/tweets", "/tweets?limit=3", "/tweets?format=csv", "/tweets_per_hour", "/authors", "/tags", "/spend"):
        answer = service.get(path)
        tag = answer.headers["ETag"]
        assert tag.startswith('W/"')
        assert answer.headers["Cache-Control"] == "private, no-cache"
        again = service.get(path, headers={"If-None-Match": f'"other", {tag}'})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        assert service.get(path, headers={"If-None-Match": '"other"'}).content == answer.content
    tags = {
        service.get(path).headers["ETag"] for path in ("/tweets", "/tweets?limit=3", "/tweets?limit=4", "/tweets?format=csv")
    }
    assert len(tags) == 4


def test_any_tag_is_that_of_what_there_is_and_of_nothing_else(service: Server) -> None:
    anything = {"If-None-Match": "*"}
    for path in ("/tweets", "/tweets?limit=3", "/tweets_per_tag"):
        assert [service.get(path, headers=anything).status_code for _ in range(2)] == [304, 304]
    for path, status in (("/tweets?x=1", 400), ("/facets", 400), ("/tweets/1", 404), ("/tags/nosuch/related", 404)):
        assert service.get(path, headers=anything).status_code == status


def test_what_is_asked_for_compressed_is(service: Server, stored: list[Tweet]) -> None:
    plain = service.get("/tweets", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    raw = service.get("/tweets", headers={"Accept-Encoding": "gzip"}, stream=True)
    assert raw.headers["Content-Encoding"] == "gzip"
    assert json.loads(gzip.decompress(raw.raw.read()))["tweets"] == stored
    assert raw.headers["ETag"] != plain.headers["ETag"]
    assert "Accept-Encoding" in raw.headers["Vary"]


def test_authors_are_given_most_followed_first_in_pages(service: Server, stored: list[Tweet]) -> None:
    people = {tweet["username"]: tweet for tweet in stored if tweet["username"]}
    written = {name: sum(tweet["username"] == name for tweet in stored) for name in people}
    expected = [
        {"author": tweet["author"], "followers": tweet["followers"], "username": name, "tweets": written[name]}
        for name, tweet in people.items()
    ]
    expected.sort(key=lambda one: (-(one["followers"] if one["followers"] is not None else -1), one["username"]))
    assert service.get("/authors").json() == {"authors": expected, "next": None}
    paged: list[dict[str, Any]] = []
    path: str | None = "/authors?limit=2"
    while path:
        body = service.get(path).json()
        paged, path = paged + body["authors"], body["next"]
    assert paged == expected
    busy = service.get("/authors?sort=-tweets").json()["authors"]
    assert all((-one["tweets"], one["username"]) < (-two["tweets"], two["username"]) for one, two in pairwise(busy))
    english = {tweet["username"] for tweet in stored if tweet["lang"] == "en" and tweet["username"]}
    assert {one["username"] for one in service.get("/authors?lang=en").json()["authors"]} == english
    top = service.get("/tweets?order_by_followers_desc=1000&lang=en").json()["authors"]
    assert {one["username"] for one in top} == english
    assert [one["username"] for one in service.get("/authors?min_followers=900").json()["authors"]] == [
        one["username"] for one in expected if (one["followers"] or 0) >= 900
    ]
