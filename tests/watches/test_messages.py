"""What messages say of spikes, thresholds, new tweets and missing collections; what was erased, they don't."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from alchemy import Database
from collector.counters import count_page
from collector.runs.tags import track
from collector.tweets.deletions import delete_tweet
from queries.tweets import TweetViews
from tests.fixtures.archives import Json
from tests.fixtures.service import in_process
from tests.fixtures.views import HOUR, HOUR_NOW, NOW, written
from tests.queries.invented import add, imported
from watches.bodies import within
from watches.definitions import WatchDefinition
from watches.findings import UNCOLLECTED, Finding
from watches.messages import WatchMessage, render
from watches.wording import quoted, subject, when

SITE = "https://tags.example"
PEAK = HOUR_NOW - 30 * HOUR
SPIKE = WatchDefinition("spike", "tag=sre", ("team",), bucket="hour", tz="Europe/Berlin")
OF_PEAK = Finding("spike", PEAK, PEAK + HOUR)
MORE = SPIKE._replace(kind="threshold", more_than=20)
LESS = SPIKE._replace(kind="threshold", less_than=3, filters="")
NEW = SPIKE._replace(kind="new", filters="tag=sre&q=outage", bucket=None, max_tweets=10)


def tweet(created: datetime, at: int, text: str, username: str, **more: object) -> Json:
    return written(created, at, f"{text} #sre", username=username, author=username.title(), **more)


def tweets() -> list[Json]:
    """Return two tweets an hour of ten days, and 24 more in one hour, of which half are of one author."""
    usual = [(HOUR_NOW - at * HOUR + HOUR / 6, at) for at in range(1, 240)]
    rows = [tweet(when, at, f"quiet night {at}", f"ada_{at % 13}") for when, at in usual]
    rows += [tweet(when + HOUR / 6, at, f"small release {at}", f"cem_{at % 11}") for when, at in usual]
    burst = [(at, PEAK + HOUR / 2 + timedelta(seconds=at)) for at in range(24)]
    return [
        *rows,
        *(tweet(when, at, f"outage {at}: status page", "bea" if at % 2 else f"dia_{at}", likes=at) for at, when in burst),
    ]


ROWS = tweets()
IDS = tuple(int(row["id"]) for row in ROWS[-3:])


@pytest.fixture(scope="module")
def database(database_backend: str) -> Iterator[Database]:
    with imported(*ROWS) as ready:
        ready.write(lambda session: count_page(session, date=NOW, remaining=None))
        yield ready


def message(
    database: Database, definition: WatchDefinition, finding: Finding, *, now: datetime = NOW, held_back: int = 0
) -> WatchMessage | None:
    with database.reading() as session:
        return render(session, "outages", definition, finding, held_back=held_back, site=SITE, now=now)


def said(database: Database, definition: WatchDefinition, finding: Finding, **more: object) -> WatchMessage:
    found = message(database, definition, finding, **more)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.dialects
def test_a_spike_is_told_with_its_reason_and_its_top_tweets(database: Database) -> None:
    found = said(database, SPIKE, OF_PEAK, now=PEAK + 2 * HOUR, held_back=2)
    assert found.title == "#sre: 26 tweets between 05:00 and 06:00 CET, 13 times the usual"
    lines = found.text.replace("\u200b", "").splitlines()
    assert lines[:2] == [
        "About 2 were expected, by the same hour of the two weeks before.",
        "What stands out: “outage” and “status page”, 46 % by @bea.",
    ]
    assert lines[3] == f"{'▂' * 23}█"
    assert lines[4] == "Tweets by hour since Sun 22 Nov 2026, 06:00 CET, at most 26"
    assert lines[7].startswith("Bea @bea, 120 followers (23 likes as of 05:30, ")
    assert lines[8:10] == [f"https://x.com/bea/status/{IDS[-1]}", "> outage 23: status page #sre"]
    assert sum(line.startswith("> ") for line in lines) == 3
    assert (
        "The watch “outages” tells you this. It looks at tweets with: tag sre. 2 messages before this one were held back."
        in lines
    )
    assert lines[-1] == f"Change, pause or delete it: {SITE}/view/watches"


@pytest.mark.parametrize(
    ("bucket", "filters", "expected"),
    [
        ("day", "tag=sre", "About 48 were expected, by the same weekday of the 60 days before."),
        ("hour", "tag=sre&q=outage", "None were expected, by the same hour of the two weeks before."),
    ],
)
def test_it_is_said_what_a_number_is_compared_with(database: Database, bucket: str, filters: str, expected: str) -> None:
    definition = MORE._replace(filters=filters, bucket=bucket, tz="UTC")
    start, hours = (PEAK.replace(hour=0), 24) if bucket == "day" else (PEAK, 1)
    found = said(database, definition, Finding("threshold", start, start + hours * HOUR))
    assert found.text.splitlines()[0] == expected


@pytest.mark.parametrize("kind", ["text", "markdown"])
def test_a_message_that_is_cut_keeps_its_link_and_its_foot(database: Database, kind: str) -> None:
    body = getattr(said(database, SPIKE, OF_PEAK, held_back=2), kind)
    cut = within(body, len(body) - 200)
    *_, before, more, foot = cut.split("\n\n")
    assert before == "…"
    assert more.startswith(f"All about this spike: {SITE}/view/spike?")
    assert "outages" in foot
    assert "2 messages before this one were held back" in foot
    assert foot.endswith(f"{SITE}/view/watches")


@pytest.mark.parametrize("kind", ["html", "markdown"])
def test_all_bodies_say_the_same(database: Database, kind: str) -> None:
    found = said(database, SPIKE, OF_PEAK)
    body = getattr(found, kind).replace("\\", "")
    assert all(line.removeprefix("> ") in body for line in found.text.splitlines() if line.startswith(("What", "> ", "Tweets")))


@pytest.mark.dialects
def test_a_threshold_is_told_with_the_count_so_far(database: Database) -> None:
    reached = Finding("threshold", PEAK, PEAK + HOUR)
    assert said(database, MORE, reached, now=PEAK + HOUR / 2).title == (
        "#sre: 26 tweets so far between 05:00 and 06:00 CET, more than 20"
    )
    day_later = said(database, MORE, reached).title
    assert day_later == "#sre: 26 tweets between 05:00 and 06:00 CET on Mon 23 Nov 2026, more than 20"
    few = Finding("threshold", PEAK + HOUR, PEAK + 2 * HOUR)
    assert said(database, LESS, few, now=PEAK + 3 * HOUR).title == "2 tweets between 06:00 and 07:00 CET, fewer than 3"


@pytest.mark.parametrize(
    ("definition", "start"), [(MORE._replace(more_than=26), PEAK), (LESS, PEAK), (SPIKE, PEAK - 900 * HOUR)]
)
def test_what_is_no_longer_so_is_not_told(database: Database, definition: WatchDefinition, start: datetime) -> None:
    assert message(database, definition, Finding(definition.kind, start, start + HOUR)) is None


def test_new_tweets_are_told_without_those_that_were_erased() -> None:
    with imported(*ROWS[-3:]) as database:
        finding = Finding("new", PEAK, PEAK + HOUR, IDS)
        assert said(database, NEW, finding).title == "3 new tweets match #sre “outage”"
        for number, title in ((0, "2 new tweets match #sre “outage”"), (1, "1 new tweet matches #sre “outage”")):
            database.write(partial(delete_tweet, tweet_id=IDS[number]))
            found = said(database, NEW, finding)
            assert found.title == title
            assert not any(f"outage {21 + gone}" in body for gone in range(number + 1) for body in found)
        database.write(lambda session: delete_tweet(session, IDS[2]))
        assert message(database, NEW, finding) is None


def test_missing_collections_are_told_with_their_reason() -> None:
    missing = Finding(UNCOLLECTED, PEAK, PEAK + HOUR)
    with imported(*ROWS[-3:]) as database:
        of_none = said(database, SPIKE._replace(filters="lang=en"), missing).text
        with database.writing() as session:
            track(session, "#sre", None)
        found = said(database, SPIKE, missing)
        both = said(database, SPIKE._replace(filters="any_tag=sre&any_tag=gone"), missing)
        gone = said(database, SPIKE._replace(filters="tag=gone", tz="America/Sao_Paulo"), missing)
    assert found.title == "Nothing of #sre was collected since Mon 23 Nov 2026, 05:00 CET"
    ran, schedule = "No collection has run yet.", "The schedule is off: collect on the page Collections"
    assert all(why in found.text for why in (ran, schedule, f"Health: {SITE}/view/health"))
    assert gone.title == "Nothing of #gone was collected since Mon 23 Nov 2026, 01:00 UTC-03:00"
    why = "#gone is not tracked, so collections don't ask X for it. Track it on the page Tags."
    assert all(one in gone.text for one in (why, f"Tags: {SITE}/view/tags"))
    assert ran not in gone.text
    assert schedule not in gone.text
    assert all(one in both.text for one in (why, ran, schedule))
    assert "No hashtag is tracked. Track one on the page Tags." in of_none
    assert ran not in of_none


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ("", ""),
        ("tag=devops&tag=%23SRE", "#devops with #SRE"),
        ("any_tag=a1&any_tag=b1&tag=c1&q=down+-test+-%22dry+run%22", "#c1 with #a1 or #b1 “down” without “test” or “dry run”"),
        ("q=%22status+page%22", "“status page”"),
        ("min_followers=1000&lang=de", "at least followers: 1000, language de"),
        ("tag=a1&lang=de", "#a1"),
        (f"q={'long+' * 30}", f"{'“long” ' * 8}“lo…"),
    ],
)
def test_what_a_watch_is_about_is_said_in_peoples_words(filters: str, words: str) -> None:
    assert subject(SPIKE._replace(filters=filters)) == words


@pytest.mark.parametrize(
    ("start", "tz", "words"),
    [
        ("2026-10-25T00:00", "Europe/Berlin", "between 02:00 CEST and 02:00 CET"),
        ("2026-10-25T01:00", "Europe/Berlin", "between 02:00 and 03:00 CET"),
        ("2026-03-29T00:00", "Europe/Berlin", "between 01:00 CET and 03:00 CEST"),
        ("2026-10-25T23:00", "UTC", "between 23:00 and 00:00 UTC"),
        ("2026-10-25T03:15", "Asia/Kathmandu", "between 09:00 and 10:00 UTC+05:45"),
    ],
)
def test_an_hour_is_named_in_the_zone_also_where_clocks_change(start: str, tz: str, words: str) -> None:
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert when(SPIKE._replace(tz=tz), begin, begin + HOUR, begin + HOUR / 2) == words
    later = when(SPIKE._replace(tz=tz), begin, begin + HOUR, begin + 50 * HOUR)
    assert later.startswith(f"{words} on ")
    assert when(SPIKE._replace(tz=tz, bucket="day"), begin, begin + 24 * HOUR, begin).startswith("on S")


def test_a_title_is_one_short_line_whatever_others_wrote() -> None:
    name = "a\r\nBcc: all@example.org\r\n"
    with imported(tweet(PEAK, 1, name, "bea", tags=["#sre"])) as database, database.reading() as session:
        definition = NEW._replace(filters=f"q={'%0D%0Along+word+' * 10}&author=bea&country=%0ASubject:x")
        finding = Finding("new", PEAK, PEAK + HOUR, (int(tweet(PEAK, 1, "", "")["id"]),))
        found = render(session, name, definition, finding, held_back=0, site=SITE, now=NOW)
    assert found is not None
    assert found.title.isprintable()
    assert len(found.title) <= 120
    assert "\r" not in found.text


def test_a_long_tweet_is_cut_and_one_without_words_is_said() -> None:
    rows = [
        {**tweet(PEAK, 1, "x" * 9000, "amy"), "author": "Amy &amp; Co &lt;3"},
        {**tweet(PEAK, 2, "", "bea"), "tweet": " \n"},
        tweet(PEAK, 3, "a\n\n" * 40, "bea"),
    ]
    with imported(*rows) as database, database.reading() as session:
        long, empty, lines = quoted(TweetViews().rows(session, [int(row["id"]) for row in rows]), SPIKE.zone)
    assert (len(long.text[0]), long.text[0][-2:]) == (500, "x…")
    assert long.author.startswith("Amy & Co <3 @amy")
    assert empty.text == ("(no text)",)
    assert lines.text == (*["a"] * 11, "…")


@pytest.mark.parametrize("definition", [SPIKE, MORE, LESS._replace(more_than=1, less_than=None), NEW])
def test_the_links_open(tmp_path: Path, definition: WatchDefinition) -> None:
    with in_process(tmp_path, DATABASE_URL=f"sqlite:///{tmp_path}/own.db") as service:
        add(service.collector.database, *ROWS[-90:])
        service.collector.database.write(lambda session: count_page(session, date=NOW, remaining=None))
        finding = Finding(definition.kind, PEAK, PEAK + HOUR, IDS)
        found = said(service.collector.database, definition, finding)
        link = found.text.split("\n\n")[-2].partition(": ")[2]
        assert link.startswith(f"{SITE}/view/")
        answer = service.get(link.removeprefix(SITE))
    assert answer.status_code == 200
    assert str(IDS[-1]) in answer.text
    assert urlsplit(link).netloc == "tags.example"
