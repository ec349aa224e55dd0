"""The whole service beside plain Python: whatever is collected, imported and deleted, all endpoints say what a loop would.

X is asked a second time for what a collection asked it for: the emulator's clock stands still meanwhile, so it gives the same.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson
import pytest
import requests
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from app import create_app
from collector.imports import Import
from collector.verification import faults
from emulator import Emulator
from models import Tweet as StoredTweet
from queries.zones import DAY, HOUR, QUARTER
from schemas.records import record
from settings import load
from tests.fixtures.archives import tweet_id
from tests.fixtures.environment import environment
from tests.queries.test_timeline import CHANGES
from tests.reliability.judge import BILLING
from tests.reliability.plain import Asked, Json, Person, Plain, Tweet

TAGS = ("#devops", "#sre", "#Observability")
STARTS = datetime(2025, 12, 31, 7, 10, tzinfo=UTC)
BEARER = {"Authorization": "Bearer any"}
BUCKETS = {"15m": QUARTER, "hour": HOUR, "day": DAY}
ORDERS = ("id", "-id", "created", "-created", "followers", "-followers")
PEOPLE = 4
EDGES = (-120, 0, 28 * 60, 15, -105)  # minutes from a change of clocks, in which buckets and periods begin and end
TEXTS = ("On call #sre #ops", "nothing new", "Café closed, on call again #Ops #go", "#devops for all: #go #sre", "AND now #GO")
PLACES = (("Peru", "PE"), (None, "CL"), ("Brazil", "BR"), (None, None))

numbers, indexes = st.integers(0, 39), st.integers(0, 999)
changes = st.sampled_from(sorted(CHANGES))
buckets = st.sampled_from(sorted(BUCKETS))
offsets = st.integers(-30 * 3600, 30 * 3600) | st.integers(-120, 120).map(lambda quarters: 900 * quarters)


def row(number: int) -> Tweet:
    """Return a tweet of an archive, for each number always the same one.

    It is some hours from a change of the clocks of some zone, and every other one is where a quarter of an hour begins.
    """
    zone = sorted(CHANGES)[number % len(CHANGES)]
    away = (number * 397) % 3600 - 1800 + number / 60 if number % 2 else EDGES[number // 2 % len(EDGES)]
    created = datetime.fromisoformat(CHANGES[zone]) + timedelta(minutes=away)
    if not number % 2:
        created = created.replace(minute=created.minute // 15 * 15)
    tags = [TAGS[:1], TAGS[1:2], TAGS[:2], (), TAGS[1:]][number % 5]
    author = None if number % 7 == 6 else 900 + number % PEOPLE
    lang, rash = (None, "en", "pt", "PT")[number % 4], tags[0] if tags else None
    country, code = PLACES[number % 4]
    text, own = f"{TEXTS[number % 5]} {number}", tweet_id(created, number)
    return Tweet([own], text, created, lang, country, code, author, rash, set(tags))


@st.composite
def filters_of(draw: st.DrawFn) -> Asked:
    """Draw at most three filters."""
    moment = st.builds(lambda zone, by: datetime.fromisoformat(CHANGES[zone]) + timedelta(seconds=by), changes, offsets)
    ways: dict[str, st.SearchStrategy[Any]] = {
        "tag": st.lists(st.sampled_from(["#sre", "#DevOps", "#observability"]), max_size=2).map(tuple),
        "lang": st.sampled_from(["en", "pt", "PT", "de", "eo"]),
        "country": st.sampled_from(["Peru", "pe", "CL", "Brazil", "Nowhere"]),
        "author": st.sampled_from(["user_1", "USER_2", "nobody"]),
        "q": st.sampled_from(["on CALL", "café", "go", "the", "and 4", "nothing"]),
        "since": moment,
        "until": moment,
        "min_followers": st.sampled_from([0, 20, 70, 1000]),
    }
    asked = Asked()
    for name in draw(st.lists(st.sampled_from(sorted(ways)), max_size=3, unique=True)):
        asked = asked._replace(**{name: draw(ways[name])})
    if asked.since and asked.until and asked.since > asked.until:
        asked = asked._replace(since=asked.until, until=asked.since)
    return asked


filters = filters_of()


class Service(RuleBasedStateMachine):
    """The app in this process, and what it should say."""

    def __init__(self) -> None:
        super().__init__()
        self.plain, self.stack = Plain(), ExitStack()
        self.walk: tuple[str | None, set[int], list[str]] | None = None
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.x = self.stack.enter_context(Emulator(tweets=3000))
        self.now, self.imports, self.heard = STARTS, 0, False
        variables = environment(folder, self.x) | {"TAGS": ",".join(TAGS), "TW_NUMBER": "10", "MONTHLY_BUDGET_USD": "off"}
        self.app = create_app(load(variables, folder=folder))
        self.collector = self.app.extensions["collector"]
        self.stack.callback(self.collector.close)
        self.collector.prepare()
        self.client = self.app.test_client()

    def teardown(self) -> None:
        self.stack.close()

    def got(self, path: str, *pairs: tuple[str, str]) -> Any:
        answer = self.client.get(f"{path}?{urlencode(pairs)}" if pairs else path)
        assert answer.status_code == 200, (path, pairs, answer.text)
        return orjson.loads(answer.data)

    def walked(self, what: str, *pairs: tuple[str, str]) -> list[Json]:
        """Return a list page by page."""
        rows, path = list[Json](), f"/{what}?{urlencode(pairs)}"
        while path:
            body = self.got(path)
            rows, path = rows + body[what], body["next"]
        return rows

    @initialize()
    def some(self) -> None:
        self.imported(range(8))

    @rule(minutes=st.integers(1, 500))
    def collect(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)
        self.x.clock.hold(self.now)
        asked_before = len(self.x.requests)
        assert self.client.post("/database").status_code == 200
        self.heard = True
        sold: dict[int, Tweet] = {}
        people: dict[int, Person] = {}
        for asked in self.x.requests[asked_before:]:
            if asked.path.endswith("/search/recent") and "#" in asked.params.get("query", ""):
                again = requests.get(self.x.url + asked.path, params=dict(asked.params), headers=BEARER, timeout=5)
                self._read(again.json(), re.findall(r"#\w+", asked.params["query"])[0], sold, people)
        for tweet in sold.values():
            tweet.rash = min(tweet.tags, key=str.casefold)
        self.plain.store(sold.values(), people)

    def _read(self, body: Json, tag: str, sold: dict[int, Tweet], people: dict[int, Person]) -> None:
        """Note what a page of X's has, the tag under which it was found included."""
        includes = body.get("includes", {})
        places = {place["id"]: place for place in includes.get("places", ())}
        named = next(each for each in TAGS if each.lower() == tag.lower())
        for post in body.get("data", ()):
            place = places.get(post.get("geo", {}).get("place_id"), {})
            versions = list(map(int, post["edit_history_tweet_ids"]))
            text = post.get("note_tweet", {}).get("text") or post["text"]
            created = datetime.fromisoformat(post["created_at"]).replace(microsecond=0)
            if len(versions) > 1:
                created = datetime.fromtimestamp(((versions[0] >> 22) + 1288834974657) // 1000, UTC)
            author = int(post["author_id"]) if "author_id" in post else None
            where = (place.get("country"), place.get("country_code"))
            tweet = Tweet(versions, text, created, post.get("lang"), *where, author, None, {named})
            sold.setdefault(tweet.id, tweet).tags.add(named)
        for user in includes.get("users", ()):
            followers = user.get("public_metrics", {}).get("followers_count")
            people[int(user["id"])] = Person(user["name"], user["username"], followers, self.now)

    @rule(some=st.lists(numbers, min_size=1, max_size=12))
    def archive(self, some: list[int]) -> None:
        self.imported(some)

    def imported(self, some: Any) -> None:
        self.imports += 1
        observed = datetime(2025, 6, 1, tzinfo=UTC) + timedelta(hours=self.imports)
        followers = [None, *((each * 37 + self.imports * 11) % 90 for each in range(1, PEOPLE))]
        people = {900 + each: Person(f"Person {each}", f"user_{each}", followers[each], observed) for each in range(PEOPLE)}
        run, rows, written = Import(self.collector.database), [row(number) for number in some], Plain()
        written.people = people
        for one in rows:
            read = record(orjson.dumps(written.shown(one)))
            assert not read.refused
            run.add(read.tweets, read.authors)
        run.end()
        writers = {one.author for one in rows}
        self.plain.store(rows, {own: person for own, person in people.items() if own in writers})

    @rule(which=indexes, version=indexes)
    def delete(self, which: int, version: int) -> None:
        """Delete a tweet by the id of one of its versions; what a draw means depends on what there is, which threads decide."""
        known = sorted(self.plain.tweets)
        own = known[which % len(known)] if known else 5
        versions = self.plain.tweets[own].versions if known else [own]
        assert self.client.delete(f"/tweets/{versions[version % len(versions)]}").status_code == 204
        self.plain.delete(own)

    @rule(which=indexes)
    def delete_person(self, which: int) -> None:
        names = sorted(person.username for person in self.plain.people.values()) or ["nobody"]
        username = names[which % len(names)]
        answer = self.client.delete(f"/authors/{username}")
        assert answer.get_json() == {"deleted": self.plain.delete_person(username)}

    @rule(really=st.integers(0, 4))
    def drop(self, really: int) -> None:
        if not really:
            assert self.client.delete("/database").status_code == 200
            self.plain.drop()
            self.walk = None

    @rule(asked=filters, order=st.sampled_from(ORDERS[:4]), limit=st.integers(1, 5))
    def begin_walk(self, asked: Asked, order: str, limit: int) -> None:
        """Begin to walk through the pages of a list, of which nothing is let through at one time and not at another."""
        asked = asked._replace(min_followers=None)
        query = urlencode([*asked.query(), ("sort", order), ("limit", str(limit)), ("fields", "id")])
        self.walk = (f"/tweets?{query}", {tweet.id for tweet in self.plain.wanted(asked)}, [])

    @precondition(lambda self: self.walk)
    @rule(pages=st.integers(1, 4))
    def walk_on(self, pages: int) -> None:
        assert self.walk
        path, there, found = self.walk
        while path is not None and pages:
            body = self.got(path)
            found += [tweet["id"] for tweet in body["tweets"]]
            path, pages = body["next"], pages - 1
        self.walk = (path, there, found) if path else None
        assert len(found) == len(set(found))
        if not path:
            assert {str(own) for own in there & set(self.plain.tweets)} <= set(found)

    @rule(asked=filters, order=st.sampled_from(ORDERS))
    def lists(self, asked: Asked, order: str) -> None:
        expected = [self.plain.shown(tweet) for tweet in self.plain.sorted(asked, order)]
        assert self.got("/tweets", *asked.query(), ("sort", order)) == {"tweets": expected}
        assert self.walked("tweets", *asked.query(), ("sort", order), ("limit", "7")) == expected
        authors = self.plain.authors(asked)
        assert self.got("/authors", *asked.query(), ("limit", "1000")) == {"authors": authors, "next": None}
        assert self.walked("authors", *asked.query(), ("limit", "3")) == authors

    @rule(asked=filters, zone=changes)
    def counts(self, asked: Asked, zone: str) -> None:
        pairs = asked.query()
        assert self.got("/tweets_per_hour", *pairs, ("tz", zone)) == self.plain.hours(asked, ZoneInfo(zone))
        assert self.got("/tweets_per_tag", *pairs) == self.plain.per_tag(asked)
        for by in ("lang", "country", "tag", "author"):
            assert self.got("/facets", *pairs, ("by", by)) == self.plain.facets(asked, by), by
        for tag in TAGS:
            found = self.got(f"/tags/{tag[1:]}/related", *pairs, ("limit", "100"))["related"]
            rows = {row["tag"].lower(): (row["tweets"], row["share"], row["lift"]) for row in found}
            assert rows == self.plain.related(asked, tag)
            assert [row["tweets"] for row in found] == sorted((row["tweets"] for row in found), reverse=True)

    @rule(asked=filters, zone=changes, around=changes, bucket=buckets, offset=offsets, hours=st.integers(1, 40))
    def time(self, asked: Asked, zone: str, around: str, bucket: str, offset: int, hours: int) -> None:
        since = datetime.fromisoformat(CHANGES[around]) + timedelta(seconds=offset)
        asked = asked._replace(since=since, until=since + timedelta(hours=hours))
        found = self.got("/timeline", *asked.query(), ("bucket", bucket), ("tz", zone))
        now = self.now if self.heard else datetime.now(UTC)
        assert found["timeline"] == self.plain.timeline(asked, BUCKETS[bucket], ZoneInfo(zone), now)

    @invariant()
    def what_is_kept_is_what_is_there(self) -> None:
        with self.collector.database.reading() as session:
            assert list(session.scalars(select(StoredTweet.id).order_by(StoredTweet.id))) == sorted(self.plain.tweets)
        assert faults(self.collector.database, BILLING) == []


LEAST = settings(  # a run takes a second or more, so one that failed is not made shorter
    phases=[Phase.generate], max_examples=4, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
TestService = Service.TestCase
TestService.settings = settings(LEAST, derandomize=True)


@pytest.mark.slow
@pytest.mark.reliability
def test_many_more_of_these() -> None:
    run_state_machine_as_test(Service, settings=settings(LEAST, max_examples=60, stateful_step_count=40))


CHANGED = datetime.fromisoformat(CHANGES["Europe/Berlin"])
WRITTEN = row(13).created
ASKED = (
    Asked(),
    Asked(since=WRITTEN + timedelta(seconds=1), until=WRITTEN + timedelta(days=1)),
    Asked(tag=("#SRE", "#devops")),
    Asked(lang="PT", q="on CALL"),
    Asked(country="pe"),
    Asked(country="Brazil", author="USER_2"),
    Asked(min_followers=70, since=CHANGED),
)


def test_a_history_of_everything_once() -> None:
    """What the random schedules above choose from, all of it, so that no draw of theirs leaves a read out."""
    service = Service()
    try:
        service.some()
        service.collect(minutes=90)
        service.archive(some=list(range(4, 30)))
        service.begin_walk(asked=Asked(), order="-created", limit=5)
        service.walk_on(pages=2)
        service.delete(which=5, version=0)
        service.delete_person(which=1)
        service.collect(minutes=200)
        service.archive(some=list(range(0, 40, 3)))
        service.walk_on(pages=99)
        service.what_is_kept_is_what_is_there()
        for number, asked in enumerate(ASKED):
            zone = sorted(CHANGES)[number % len(CHANGES)]
            service.lists(asked=asked, order=ORDERS[number % len(ORDERS)])
            service.counts(asked=asked, zone=zone)
            for bucket in BUCKETS:
                service.time(asked=asked, zone=zone, around="Europe/Berlin", bucket=bucket, offset=-7200, hours=30)
        service.drop(really=0)
        service.lists(asked=Asked(), order="id")
        service.what_is_kept_is_what_is_there()
    finally:
        service.teardown()
