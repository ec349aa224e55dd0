"""Feeds over HTTP: valid Atom of the tweets and spikes that the API lists, and keys that read one feed each."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import feedparser
import pytest
import requests
from sqlalchemy import func, select, update

from alchemy import DatabaseUnavailable
from collector import counters
from models import Run
from tests.fixtures.service import Service
from tests.resources.conftest import Json, Start, given, imported, problem

ATOM = "{http://www.w3.org/2005/Atom}"
SITE = "https://tags.example"
WRITE, READ = "write-7c1f0ad24b9e58d3", "read-91b0c3e47fa2d685"
END = datetime(2025, 12, 31, 6, tzinfo=UTC)
"""When the hour of the spike ends."""
HOSTILE = 'a < b & "c" \x07<script>alert(1)</script>\nsecond\u202e line\ufffe @everyone'
USERS = [
    {
        "id": "7",
        "name": "Eve \u2066&amp; <b>\x1f",
        "username": "eve",
        "public_metrics": {"followers_count": 1, "tweet_count": 1},
    },
    {"id": "8", "name": "Bob", "username": "bob", "public_metrics": {"followers_count": 1, "tweet_count": 1}},
]


def snowflake(when: datetime, number: int = 0) -> int:
    return ((int(when.timestamp() * 1000) - 1288834974657) << 22) + number


def tweet(when: datetime, number: int, text: str, **more: Any) -> Json:
    own = str(snowflake(when, number))
    created = when.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return {"id": own, "text": text, "created_at": created, "author_id": "8", "lang": "en", **more}


def page(*tweets: Json) -> Json:
    return {"data": list(tweets), "includes": {"users": USERS}}


def hours() -> Iterator[Json]:
    """Two tweets in each of the ten days' hours before the last one, which has forty."""
    for back in range(1, 240):
        for number in range(2):
            yield tweet(END - timedelta(hours=back, minutes=40 + number), back * 2 + number, f"#devops quiet {back}")
    for number in range(40):
        yield tweet(END - timedelta(minutes=59, seconds=-number), number, "#devops outage of the status page")


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    with shared(PUBLIC_URL=f"{SITE}/") as running:
        imported(running.collector.database, page(*hours()))
        hostile = tweet(END + timedelta(minutes=5), 1, f"#devops {HOSTILE}", author_id="7")
        first = snowflake(END + timedelta(minutes=6))
        later = {"edit_history_tweet_ids": [str(first), str(snowflake(END + timedelta(minutes=16)))]}
        edited = {**tweet(END + timedelta(minutes=16), 0, "#devops edited"), **later}
        imported(running.collector.database, page(hostile, edited))
        yield running


@pytest.fixture
def guarded(start: Start) -> Iterator[Service]:
    with start(API_TOKEN=WRITE, API_READ_TOKEN=READ) as running:
        yield running


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def feed(answer: requests.Response) -> Any:
    """Check what RFC 4287 asks of every feed, and return the feed as feedparser reads it."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/atom+xml"
    root = ET.fromstring(answer.content)
    assert root.tag == f"{ATOM}feed"
    for element in (root, *root.iter(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            assert len(element.findall(ATOM + name)) == 1
        own, updated = (str(element.findtext(ATOM + name)) for name in ("id", "updated"))
        assert urlsplit(own).scheme
        assert datetime.fromisoformat(updated).tzinfo
        links = [(one.get("rel", "alternate"), one.get("href", "")) for one in element.findall(f"{ATOM}link")]
        assert len(dict(links)) == len(links)
        assert all(urlsplit(url).netloc for _, url in links)
        assert "alternate" in dict(links)
    assert root.find(f"{ATOM}author/{ATOM}name") is not None
    ids = [entry.findtext(f"{ATOM}id") for entry in root.iter(f"{ATOM}entry")]
    assert len(set(ids)) == len(ids)
    times = [str(entry.findtext(f"{ATOM}updated")) for entry in root.iter(f"{ATOM}entry")]
    assert root.findtext(f"{ATOM}updated") == max(times, default="1970-01-01T00:00:00+00:00")
    read = feedparser.parse(answer.content)
    assert not read.bozo, read.get("bozo_exception")
    assert read.version == "atom10"
    return read


def keyed(service: Service, path: str, **more: Any) -> str:
    answer = service.request("POST", "/feeds", json={"path": path}, **more)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return str(answer.json()["url"])


@pytest.mark.dialects
@pytest.mark.parametrize("query", ["", "tag=devops&until=2025-12-30", "q=outage", "has=link"])
def test_the_feed_of_tweets_has_the_newest_hundred_that_the_api_lists(service: Service, query: str) -> None:
    listed = given(service, f"/tweets?{query}&sort=-created&limit=100".replace("?&", "?"))["tweets"]
    found = feed(service.get(f"/tweets.atom?{query}"))
    assert [entry.id for entry in found.entries] == [f"urn:x:tweet:{one['id']}" for one in listed]
    assert [entry.published[:19] for entry in found.entries] == [one["created"][:19] for one in listed]


def test_an_edit_keeps_the_id_and_is_a_later_update(service: Service) -> None:
    entry = next(one for one in feed(service.get("/tweets.atom")).entries if "edited" in one.title)
    assert entry.id == f"urn:x:tweet:{snowflake(END + timedelta(minutes=6))}"
    assert entry.updated == "2025-12-31T06:16:00+00:00"


def test_hostile_text_is_text_and_what_xml_forbids_is_left_out(service: Service) -> None:
    answer = service.get("/tweets.atom?author=eve")
    [entry] = feed(answer).entries
    assert entry.title == '@eve: #devops a < b & "c" <script>alert(1)</script> second line @everyone'
    content = ET.fromstring(answer.content).findtext(f"{ATOM}entry/{ATOM}content")
    assert content == (
        "<p>#devops a &lt; b &amp; &quot;c&quot; &lt;script&gt;alert(1)&lt;/script&gt;<br>second line @everyone</p>"
    )
    assert entry.author == "Eve & <b>"
    assert entry.link == f"https://x.com/eve/status/{entry.id.rpartition(':')[2]}"


def test_links_lead_to_the_feed_itself_and_to_the_page_that_shows_the_same(service: Service) -> None:
    found = feed(service.get("/tweets.atom?tag=devops&q=a+b"))
    assert {one.rel: one.href for one in found.feed.links} == {
        "self": f"{SITE}/tweets.atom?q=a+b&tag=devops",
        "alternate": f"{SITE}/view/tweets?tag=devops&q=a+b",
    }
    assert found.feed.title == "Tweets · Tag: devops · Words: a b"


SPIKES = "/spikes.atom?since=2025-12-30&until=2026-01-01"


@pytest.mark.dialects
def test_the_feed_of_spikes_has_those_of_the_api_in_words(service: Service) -> None:
    [spike] = given(service, SPIKES.replace(".atom", ""))["spikes"]
    [entry] = feed(service.get(SPIKES)).entries
    assert entry.title.replace("\xa0", " ").startswith(
        "Tweets peaked at 40 on Wed 31 Dec 2025, 05:00 UTC, 20 times the usual: "
    )
    assert spike["end"] == "2025-12-31T06:00:00Z"
    assert entry.link == f"{SITE}/view/spike?since=2025-12-30&until=2026-01-01&start=2025-12-31T05%3A00%3A00Z"
    assert "outage of the status page" in entry.content[0].value


@pytest.mark.dialects
def test_a_spike_to_which_a_run_adds_tweets_keeps_its_id_and_is_updated_later(start: Start) -> None:
    with start() as service:
        imported(service.collector.database, page(*hours(), tweet(END + timedelta(minutes=5), 0, "#devops later")))
        [before] = feed(service.get(SPIKES)).entries
        [other] = feed(service.get(f"{SPIKES}&lang=en")).entries
        [wider] = feed(service.get(SPIKES.replace("30", "29"))).entries
        later = datetime.now(UTC) + timedelta(hours=1)
        imported(service.collector.database, page(tweet(END - timedelta(minutes=1), 999, "#devops late")))
        service.collector.database.write(lambda session: _end_newest_run(session, later))
        [after] = feed(service.get(SPIKES)).entries
    assert before.id == after.id == wider.id != other.id
    assert before.title != after.title
    assert (before.updated >= before.published, after.updated) == (True, f"{later:%Y-%m-%dT%H:%M:%S+00:00}")


def _end_newest_run(session: Any, when: datetime) -> None:
    session.execute(update(Run).where(Run.id == select(func.max(Run.id)).scalar_subquery()).values(ended=when))
    counters.bump_sequence(session)


@pytest.mark.parametrize("path", ["/tweets.atom", SPIKES])
def test_a_feed_is_validated_as_other_reads_and_has_no_body_for_head(service: Service, path: str) -> None:
    answer = service.get(path)
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert service.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    head = service.request("HEAD", path)
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", answer.headers["ETag"])
    assert service.get(path, headers={"Accept": "image/png"}).status_code == 406
    for wrong in ("mood=1", "sort=id", "limit=5", "tag=", "lang=en&lang=de", "format=json"):
        problem(service.get(f"{path}{'&' if '?' in path else '?'}{wrong}"), 400)


def test_a_feed_without_entries_is_valid(service: Service) -> None:
    assert feed(service.get("/tweets.atom?tag=nothing")).entries == []
    assert feed(service.get("/spikes.atom?tag=nothing")).entries == []


@pytest.mark.dialects
def test_a_key_reads_one_feed_in_place_of_a_token_until_it_is_revoked(guarded: Service) -> None:
    problem(guarded.get("/tweets.atom?tag=devops"), 401)
    url = keyed(guarded, "/tweets.atom?tag=devops&q=50%25+off", headers=bearer(WRITE))
    assert url.startswith("/tweets.atom?q=50%25+off&tag=devops&key=")
    found = feed(guarded.get(url))
    assert found.feed.links[1].href.endswith(url)
    assert guarded.request("HEAD", url).status_code == 200
    key = url.rpartition("=")[2]
    assert guarded.get(f"/tweets.atom?key={key}&tag=devops&q=50%25%20off").status_code == 200
    tag = guarded.get(url).headers["ETag"]
    assert guarded.get(url, headers={"If-None-Match": tag}).status_code == 304
    [one] = guarded.get("/feeds", headers=bearer(READ)).json()["feeds"]
    assert {**one, "created": ""} == {"id": 1, "path": "/tweets.atom?q=50%25+off&tag=devops", "created": ""}
    other = keyed(guarded, "/tweets.atom", headers=bearer(WRITE))
    assert guarded.request("DELETE", "/feeds/1", headers=bearer(READ)).status_code == 403
    assert guarded.request("DELETE", "/feeds/1", headers=bearer(WRITE)).status_code == 204
    problem(guarded.request("DELETE", "/feeds/1", headers=bearer(WRITE)), 404)
    for more in ({}, {"If-None-Match": tag}, bearer(WRITE)):
        assert "WWW-Authenticate" in guarded.get(url, headers=more).headers
        problem(guarded.get(url, headers=more), 401)
    assert guarded.get(other).status_code == 200


OTHERS = [
    *("/tweets.atom?", "/tweets.atom?tag=sre&", "/tweets.atom?tag=devops&tag=devops&", "/tweets.atom?tag=devops&lang=en&"),
    *("/spikes.atom?tag=devops&", "/tweets?tag=devops&", "/?tag=devops&", "/view/tweets?tag=devops&"),
    *("/database?", "/metrics?", "/nothing?tag=devops&", "/tweets.atom/?tag=devops&", "/tweets.atom?TAG=devops&"),
]


@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_key_reads_nothing_else(start: Start, is_guarded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.tokens.LONGEST_S", 0.0)
    with start(**({"API_TOKEN": WRITE} if is_guarded else {})) as service:
        key = keyed(service, "/tweets.atom?tag=devops", headers=bearer(WRITE)).rpartition("=")[2]
        right = f"/tweets.atom?tag=devops&key={key}"
        for path in OTHERS:
            problem(service.get(f"{path}key={key}", headers=bearer(WRITE)), 403)
        for method in ("POST", "PUT", "DELETE"):
            problem(service.request(method, right), 403)
            problem(service.request(method, f"/feeds?key={key}"), 403)
        for wrong in (f"{right}x", f"{right}&key={key}", right.replace(key, ""), right.replace(key, key.swapcase())):
            problem(service.get(wrong), 401)
        problem(service.get(f"/?key={key}x"), 401)
        assert service.get(f"/livez?key={key}").status_code == 400
        assert service.get(right, headers={"Host": "elsewhere.example"}).status_code == 421
        assert service.get(right).status_code == 200
        assert key not in service.log.read_text()


@pytest.mark.parametrize(
    "path",
    [
        *("/tweets", "/", "", "tweets.atom", "//evil.example/tweets.atom", "https://evil.example/tweets.atom", "/tweets.atom/"),
        *("/tweets.atom?mood=1", "/tweets.atom?limit=5", "/tweets.atom?tag=", "/tweets.atom?tag=a#b", "/tweets.atom?key=1"),
        *("/tweets.atom?bucket=day", "/spikes.atom?bucket=15m", "/tweets.atom?tag=a\n", "/tweets.atom?lang=en&lang=de"),
        *("/tweets.atom?since=2026-01-02&until=2026-01-01", f"/tweets.atom?country={'x' * 4000}", None, 7),
        "/tweets.atom?q=\ud800",
    ],
)
def test_a_path_that_is_no_feed_is_400_and_named(service: Service, path: object) -> None:
    answer = service.request("POST", "/feeds", json={"path": path})
    assert [one["parameter"] for one in problem(answer, 400)["errors"]] == ["path"]
    assert given(service, "/feeds") == {"feeds": []}


def test_there_are_two_hundred_feeds_at_most(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watches.feeds.MOST_FEEDS", 1)
    with start() as service:
        keyed(service, "/spikes.atom?bucket=day&tz=Asia/Kathmandu")
        problem(service.request("POST", "/feeds", json={"path": "/tweets.atom"}), 409)
        assert service.request("DELETE", "/feeds/1").status_code == 204
        assert "/spikes.atom?key=" in keyed(service, "/spikes.atom")


def test_where_the_database_is_away_a_key_is_neither_right_nor_wrong(guarded: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_more: object) -> None:
        raise DatabaseUnavailable("the database is away")

    url = keyed(guarded, "/tweets.atom", headers=bearer(WRITE))
    monkeypatch.setattr(type(guarded.collector.database), "reading", fail)
    assert problem(guarded.get(url), 503)["detail"] == "the database is away"


def test_without_a_public_address_links_begin_with_that_by_which_the_feed_was_read(start: Start) -> None:
    with start(ALLOWED_HOSTS="monitor.example") as running:
        for host in ("localhost:5001", "monitor.example"):
            for path, page in (("/tweets.atom", "/view/tweets"), ("/spikes.atom", "/")):
                links = feed(running.get(path, headers={"Host": host})).feed.links
                assert {one.rel: one.href for one in links} == {
                    "self": f"http://{host}{path}",
                    "alternate": f"http://{host}{page}",
                }
