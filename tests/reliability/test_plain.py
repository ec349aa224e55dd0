"""The whole service beside plain Python: whatever is collected, imported, edited, measured again, deleted or too old, all
endpoints say what a loop would.

X is asked a second time for what a collection asked it for: the emulator's clock stands still meanwhile, so it gives the same.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
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
from collector.tweets.retention import expire
from collector.verification import faults
from emulator import Emulator
from models import Tweet as StoredTweet
from queries.zones import DAY, HOUR, QUARTER
from schemas.records import record
from settings import load
from tests.fixtures.environment import environment
from tests.queries.test_timeline import CHANGES
from tests.reliability import plain_insight
from tests.reliability.judge import BILLING
from tests.reliability.plain import Asked, Json, Person, Plain, Tweet
from tests.reliability.plain_inputs import (
    CROWD,
    CROWD_BEGINS,
    FIRST_OF_CROWD,
    PEOPLE,
    STARTS,
    TAGS,
    measured,
    one_of_a_crowd,
    posted,
    row,
    second_of,
)
from tests.reliability.plain_insight import Reaches
from tests.reliability.plain_texts import page

pytestmark = pytest.mark.dialects
BEARER = {"Authorization": "Bearer any"}
BUCKETS = {"15m": QUARTER, "hour": HOUR, "day": DAY}
SORTED_BY = ("id", "created", "followers", "engagement", "likes", "reposts", "views")
ORDERS = tuple(f"{sign}{column}" for column in SORTED_BY for sign in ("", "-"))
AUTHOR_ORDERS = ("-followers", "-tweets", "-engagement", "engagement")
FIRST_OF_ALL, LAST_OF_ALL = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2, 9999))

numbers, indexes = st.integers(0, 39), st.integers(0, 999)
changes = st.sampled_from(sorted(CHANGES))
lengths = st.sampled_from([24, 36, 72, 480])
buckets = st.sampled_from(sorted(BUCKETS))
SEARCHES = (
    *("on CALL", "café", "go", "the", "and 4", "nothing", "on-call", "東京"),
    *('"on call"', '"call on"', '"京で障"', 'foo-"on call"'),
    *("-call", "on -call", "-東京 outage", '-"on call" #go', '"status page" -again', '"call again" -閉'),
)
offsets = st.integers(-30 * 3600, 30 * 3600) | st.integers(-120, 120).map(lambda quarters: 900 * quarters)


@st.composite
def filters_of(draw: st.DrawFn) -> Asked:
    """Draw at most three filters."""
    moment = st.builds(lambda zone, by: datetime.fromisoformat(CHANGES[zone]) + timedelta(seconds=by), changes, offsets)
    ways: dict[str, st.SearchStrategy[Any]] = {
        "tag": st.lists(st.sampled_from(["#sre", "#DevOps", "#observability"]), max_size=2).map(tuple),
        "lang": st.sampled_from(["en", "pt", "PT", "de", "eo"]),
        "country": st.sampled_from(["Peru", "pe", "CL", "Brazil", "Nowhere"]),
        "author": st.sampled_from(["user_1", "USER_2", "nobody"]),
        "any_tag": st.lists(st.sampled_from(["#sre", "#DevOps", "#unknown"]), max_size=2).map(tuple),
        "has": st.lists(st.sampled_from(["media", "link", "reply"]), max_size=2, unique=True).map(tuple),
        "min_engagement": st.sampled_from([0, 10, 40, 1000]),
        "q": st.sampled_from(SEARCHES),
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
        self.begins: dict[str, int] = {}
        self.ends: dict[str, int] = {}  # the clock jumps, so the tag that is asked for first is asked until before that
        self.spikes = 0
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
                tag = re.findall(r"#\w+", asked.params["query"])[0].lower()
                self._read(again.json(), tag, sold, people)
                asked_until = min(second_of(int(asked.params["until_id"])), int(self.now.timestamp()) - 30)
                self.ends[tag] = max(self.ends.get(tag, 0), asked_until)
        for tweet in sold.values():
            tweet.rash = min(tweet.tags, key=str.casefold)
        self.plain.store(sold.values(), people)

    def _read(self, body: Json, tag: str, sold: dict[int, Tweet], people: dict[int, Person]) -> None:
        """Note what a page of X's has, the tag under which it was found included."""
        if tag not in self.begins:
            assert "next_token" in body["meta"], "a tag's first page is not all there is of it, so its history begins there"
            self.begins[tag] = second_of(min(int(post["id"]) for post in body["data"]) - 1)
        includes = body.get("includes", {})
        places = {place["id"]: place for place in includes.get("places", ())}
        named = next(each for each in TAGS if each.lower() == tag)
        for post in body.get("data", ()):
            tweet = posted(post, places, named, self.now)
            sold.setdefault(tweet.id, tweet).merge(tweet)
        for user in includes.get("users", ()):
            followers = user.get("public_metrics", {}).get("followers_count")
            people[int(user["id"])] = Person(user["name"], user["username"], followers, self.now)

    @rule(some=st.lists(numbers, min_size=1, max_size=12), edition=st.integers(0, 2))
    def archive(self, some: list[int], edition: int) -> None:
        self.imported(some, edition)

    @rule(first=st.integers(0, 5), step=st.integers(1, 3))
    def crowd(self, first: int, step: int) -> None:
        self.imported(range(FIRST_OF_CROWD + first, FIRST_OF_CROWD + CROWD, step))

    def imported(self, some: Any, edition: int = 0) -> None:
        """Import tweets as they were exported, with other numbers each time."""
        self.imports += 1
        observed = datetime(2025, 6, 1, tzinfo=UTC) + timedelta(hours=self.imports)
        followers = [None, *((each * 37 + self.imports * 11) % 90 for each in range(1, PEOPLE))]
        people = {900 + each: Person(f"Person {each}", f"user_{each}", followers[each], observed) for each in range(PEOPLE)}
        run, written = Import(self.collector.database), Plain()
        rows = [row(number, edition) if number < FIRST_OF_CROWD else one_of_a_crowd(number) for number in some]
        written.people = people
        for number, one in zip(some, rows, strict=True):
            one.measured = measured(number, self.imports)
            read = record(orjson.dumps(written.shown(one)))
            assert not read.refused
            run.add(read.tweets, read.authors)
            one.links = {page(link) for link in one.links}
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
            self.begins.clear()
            self.ends.clear()
            self.walk = None

    @rule(when=st.sampled_from(sorted(CHANGES.values())))
    def retain(self, when: str) -> None:
        """Remove what is older than some change of clocks; this machine's clock is never behind that of X's."""
        limit = datetime.fromisoformat(when) + timedelta(seconds=41)
        expire(self.collector.database, tweets=self.clock() - limit, payloads=None, stop=Event())
        self.plain.expire(limit)
        self.walk = None

    @rule(asked=filters, order=st.sampled_from(ORDERS[:4]), limit=st.integers(1, 5))
    def begin_walk(self, asked: Asked, order: str, limit: int) -> None:
        """Begin to walk through the pages of a list, of which nothing is let through at one time and not at another."""
        asked = asked._replace(min_followers=None, min_engagement=None, lang=None, q=None, has=())
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

    @rule(asked=filters, order=st.sampled_from(ORDERS), by=st.sampled_from(AUTHOR_ORDERS))
    def lists(self, asked: Asked, order: str, by: str) -> None:
        expected = [self.plain.shown(tweet) for tweet in self.plain.sorted(asked, order)]
        assert self.got("/tweets", *asked.query(), ("sort", order)) == {"tweets": expected}
        assert self.walked("tweets", *asked.query(), ("sort", order), ("limit", "67")) == expected
        if expected:
            one = self.plain.tweets[int(expected[len(expected) // 2]["id"])]
            assert self.got(f"/tweets/{one.versions[-1]}") == self.plain.detailed(one)
        authors = self.plain.authors(asked)
        assert self.got("/authors", *asked.query(), ("limit", "1000")) == {"authors": authors, "next": None}
        pairs = [*asked.query(), ("sort", by), ("limit", "19")]
        assert self.walked("authors", *pairs) == self.plain.authors(asked, by)

    @rule(asked=filters, zone=changes)
    def counts(self, asked: Asked, zone: str) -> None:
        pairs = asked.query()
        assert self.got("/tweets_per_hour", *pairs, ("tz", zone)) == self.plain.hours(asked, ZoneInfo(zone))
        assert self.got("/tweets_per_tag", *pairs) == self.plain.per_tag(asked)
        tags = {one["tag"]: (one["tweets"], one["engagement"]) for one in self.got("/tags")["tags"]}
        assert tags == {tag: self.plain.found_by(tag) for tag in TAGS}
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
        rows = self.plain.timeline(asked, BUCKETS[bucket], ZoneInfo(zone), self.clock())
        assert found["timeline"] == rows
        assert asked.since
        assert asked.until
        bounds = int(asked.since.timestamp()), int(asked.until.timestamp())
        cut = [(max(bounds[0], _epoch(one["start"])), min(bounds[1], _epoch(one["end"]))) for one in rows]
        expected = plain_insight.by_tag(self.plain, asked, cut, self.reaches(FIRST_OF_ALL, LAST_OF_ALL), TAGS)
        found = self.got("/timeline", *asked.query(), ("bucket", bucket), ("tz", zone), ("by", "tag"))
        assert found["timeline"] == [{**one, "tags": tags} for one, tags in zip(rows, expected, strict=True)]

    @rule(asked=filters, limit=st.sampled_from([3, 200]))
    def contents(self, asked: Asked, limit: int) -> None:
        pairs = [*asked.query(), ("limit", str(limit))]
        assert self.got("/terms", *pairs) == plain_insight.terms(self.plain, asked, TAGS, limit)
        for by in ("domain", "url"):
            assert self.got("/links", *pairs, ("by", by)) == plain_insight.links(self.plain, asked, by, limit)
        assert self.got("/network", *pairs, ("by", "mention")) == plain_insight.network(self.plain, asked, "mention", limit)
        found = self.got("/network", *asked.query(), ("by", "tag"))
        assert in_lower_case(found) == plain_insight.network(self.plain, asked, "tag", 5000)

    @rule(asked=filters, zone=changes, bucket=st.sampled_from(["hour", "day"]), begin=st.integers(-20, 30), hours=lengths)
    def peaks(self, asked: Asked, zone: str, bucket: str, begin: int, hours: int) -> None:
        """Ask for the spikes of a period near a crowd."""
        since = CROWD_BEGINS + timedelta(hours=begin)
        asked = asked._replace(since=since, until=since + timedelta(hours=hours))
        quarters = sorted(int(tweet.created.timestamp()) // 900 * 900 for tweet in self.plain.tweets.values()) or [0]
        reaches = self.reaches(quarters[0], quarters[-1] + 900)
        where = (BUCKETS[bucket], ZoneInfo(zone), self.clock(), reaches)
        expected = plain_insight.spikes(self.plain, asked, *where, TAGS)
        assert self.got("/spikes", *asked.query(), ("bucket", bucket), ("tz", zone)) == {"spikes": expected}
        self.spikes += len(expected)

    def clock(self) -> datetime:
        return self.now if self.heard else datetime.now(UTC)

    def reaches(self, first: int, last: int) -> Reaches:
        """Return when each tag was collected: from `first` to `last` if only imports have filled the database."""
        end = int(self.clock().timestamp())
        if not self.begins:
            return {tag.lower(): [(first, min(last, end))] for tag in TAGS}
        gaps = {one["tag"].lower(): one["gaps"] for one in self.got("/tags")["tags"]}
        return {tag: _without(begin, self.ends[tag], gaps[tag]) for tag, begin in self.begins.items()}

    @invariant()
    def what_is_kept_is_what_is_there(self) -> None:
        with self.collector.database.reading() as session:
            assert list(session.scalars(select(StoredTweet.id).order_by(StoredTweet.id))) == sorted(self.plain.tweets)
        assert faults(self.collector.database, BILLING) == []


def in_lower_case(network: Json) -> Json:
    """Return a network whose hashtags are in lower case, in the order that they have then: the spelling stored first counts."""
    nodes = [{**one, "id": one["id"].lower()} for one in network["nodes"]]
    edges = list[Json]()
    for one in network["edges"]:
        source, target = sorted((one["source"].lower(), one["target"].lower()))
        edges.append({"source": source, "target": target, "weight": one["weight"]})
    in_order = sorted(edges, key=lambda one: (-one["weight"], one["source"], one["target"]))
    return {"nodes": sorted(nodes, key=lambda one: (-one["tweets"], one["id"])), "edges": in_order}


def _epoch(when: str) -> int:
    return int(datetime.fromisoformat(when).timestamp())


def _without(begin: int, end: int, gaps: list[Json]) -> list[tuple[int, int]]:
    """Return a time without gaps, whose bounds are ids, both exclusive."""
    found = list[tuple[int, int]]()
    for first, last in sorted((second_of(int(gap["since_id"]) + 1), second_of(int(gap["until_id"]) - 1) + 1) for gap in gaps):
        found, begin = [*found, (begin, min(first, end))], max(begin, last)
    return [(start, stop) for start, stop in [*found, (begin, end)] if start < stop]


LEAST = settings(  # a run takes a second or more, so one that failed is not made shorter
    phases=[Phase.generate], max_examples=4, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_random_histories(database_backend: str) -> None:
    run_state_machine_as_test(Service, settings=settings(LEAST, derandomize=True))


@pytest.mark.slow
@pytest.mark.reliability
def test_many_more_of_these(database_backend: str) -> None:
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
    Asked(any_tag=("#sre", "DevOps")),
    Asked(any_tag=("#unknown", "#devops"), min_engagement=10),
    Asked(has=("link", "reply")),
    Asked(tag=("sre",), has=("media",), q="-the"),
    *(Asked(q=search) for search in SEARCHES),
)


@pytest.mark.reliability
def test_a_history_of_everything_once(database_backend: str) -> None:
    """What the random schedules above choose from, all of it, so that no draw of theirs leaves a read out."""
    service = Service()
    try:
        service.some()
        service.crowd(first=0, step=2)
        look_at(service, ASKED[::6])
        service.archive(some=list(range(4, 30)), edition=0)
        service.crowd(first=1, step=1)
        for minutes in (90, 400, *[100] * 17):
            service.collect(minutes=minutes)
        service.begin_walk(asked=Asked(), order="-created", limit=5)
        service.walk_on(pages=2)
        service.delete(which=5, version=0)
        service.delete_person(which=1)
        service.collect(minutes=200)
        service.archive(some=list(range(0, 40, 3)), edition=2)
        service.archive(some=list(range(0, 40, 2)), edition=1)
        service.walk_on(pages=99)
        service.what_is_kept_is_what_is_there()
        look_at(service, ASKED)
        service.retain(when=CHANGES["Asia/Kathmandu"])
        service.what_is_kept_is_what_is_there()
        look_at(service, ASKED[1::6])
        service.drop(really=0)
        service.crowd(first=0, step=3)
        look_at(service, ASKED[::9])
        service.what_is_kept_is_what_is_there()
    finally:
        service.teardown()


def look_at(service: Service, filters: Sequence[Asked]) -> None:
    """Compare all endpoints with each of some filters; there are spikes whatever has been done."""
    service.spikes = 0
    for number, asked in enumerate(filters):
        zone = sorted(CHANGES)[number % len(CHANGES)]
        service.lists(asked=asked, order=ORDERS[number % len(ORDERS)], by=AUTHOR_ORDERS[number % 4])
        if asked.q not in SEARCHES[:-2]:
            service.counts(asked=asked, zone=zone)
        service.contents(asked=asked, limit=200)
        service.time(asked=asked, zone=zone, around="Europe/Berlin", bucket=sorted(BUCKETS)[number % 3], offset=-7200, hours=30)
        for bucket, hours in (("hour", 36 + number % 3 * 18), ("day", 480))[: 1 + number % 2]:
            service.peaks(asked=asked, zone=zone, bucket=bucket, begin=0, hours=hours)
    assert service.spikes
