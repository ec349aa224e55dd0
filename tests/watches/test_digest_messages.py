"""What a digest says of a week or a day, and what it does not claim of time that was not collected."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update

from alchemy import Database
from collector.counters import count_page
from collector.runs.tags import track
from models import Tag
from queries.gaps import first_id
from queries.spend import Outlook, PeriodSpend
from tests.fixtures.archives import Json
from tests.fixtures.views import HOUR, HOUR_NOW, NOW, written
from tests.queries.invented import imported
from watches.comparing import compared_times
from watches.definitions import WatchDefinition
from watches.digest import Money
from watches.findings import Finding
from watches.messages import WatchMessage, render
from watches.occasions import Occasion

SITE = "https://tags.example"
DAY, WEEK = 24 * HOUR, 7 * 24 * HOUR
PEAK = HOUR_NOW - 30 * HOUR
WEEKLY = WatchDefinition("digest", "", ("team",), tz="Europe/Berlin", every="7d", at="11:00", weekday="tue")
DAILY = WEEKLY._replace(every="1d", weekday=None)
NOTHING = PeriodSpend(0, 0, 0, 0, 0)
SPENT = Outlook(NOW.date(), date(2026, 11, 1), date(2026, 12, 1), NOTHING, PeriodSpend(9, 9, 9, 1, 1_200_000), 0, 2_500_000)


def tweet(created: datetime, at: int, text: str, username: str, **more: object) -> Json:
    return written(created, at, f"{text} #sre", username=username, author=username.title(), **more)


def tweets() -> list[Json]:
    """Return two tweets an hour of ten days, and 24 more in one hour, of which half link to a page."""
    usual = [(HOUR_NOW - at * HOUR + HOUR / 6, at) for at in range(1, 240)]
    rows = [tweet(when, at, f"quiet night {at}", f"ada_{at % 13}") for when, at in usual]
    rows += [tweet(when + HOUR / 6, at, f"small release {at}", f"cem_{at % 11}") for when, at in usual]
    burst = [(at, PEAK + HOUR / 2 + timedelta(seconds=at)) for at in range(24)]
    linked = {"has": ["link"], "links": ["https://status.example/7"]}
    return [*rows, *(tweet(when, at, f"outage {at}", "bea", likes=at, **(linked if at % 2 else {})) for at, when in burst)]


@pytest.fixture
def database(database_backend: str) -> Iterator[Database]:
    with imported(*tweets()) as ready:
        with ready.writing() as session:
            for tag in ("#sre", "#quiet"):
                track(session, tag, None)
            count_page(session, date=NOW, remaining=None)
        yield ready


def collected(database: Database, first: datetime, end: datetime, *tags: str) -> None:
    """Let these tags have been collected from a time until another."""
    with database.writing() as session:
        history = {"from_id": first_id(first), "since_id": first_id(end)}
        session.execute(update(Tag).where(Tag.tag.in_(tags)).values(**history))


def digest(database: Database, definition: WatchDefinition = WEEKLY, end: datetime = HOUR_NOW) -> WatchMessage:
    finding = Finding("digest", end - (WEEK if definition.is_weekly else DAY), end)
    with database.reading() as session:
        money = Money(lambda _: SPENT, 20_000_000)
        found = render(session, "weekly", definition, finding, held_back=0, site=SITE, now=NOW, money=money)
    assert found is not None
    return found


def section(found: WatchMessage, title: str) -> list[str]:
    """Return the lines of a section of the text."""
    texts = [part.splitlines() for part in found.text.replace("\u200b", "").split("\n\n")]
    return next((lines[1:] for lines in texts if lines[0] == title), [])


@pytest.mark.dialects
def test_a_week_is_compared_with_the_last_one(database: Database) -> None:
    collected(database, HOUR_NOW - 15 * DAY, HOUR_NOW, "#sre", "#quiet")
    found = digest(database)
    assert found.title == "360 tweets in the week to Tue 24 Nov 2026, 11:00 CET, 154 % more than in the week before"
    assert section(found, "Tags") == [
        "In brackets is the change against the week before.",
        "- #sre: 360 tweets (+154 %)",
        "- #quiet: no tweets",
    ]
    assert section(found, "Not collected") == []
    [peak] = section(found, "Peaks")
    assert peak.startswith("- Tweets peaked at 26 on Mon 23 Nov 2026, 05:00 CET, 13 times the usual: ")
    assert peak.endswith("&start=2026-11-23T04%3A00%3A00Z&tz=Europe%2FBerlin")
    assert section(found, "Most active authors")[0] == "- @bea: 24 tweets"
    assert section(found, "Links") == ["- 12 tweets by 1 author https://status.example/7"]
    assert section(found, "Spend") == [
        "At most $1.20 of $20.00 spent in the billing month that ends 1 Dec 2026. Forecast: $2.50."
    ]
    assert found.text.count("\n> ") == 5
    assert "outage 23" in found.text


def test_a_day_is_compared_by_hours(database: Database) -> None:
    collected(database, HOUR_NOW - 15 * DAY, HOUR_NOW, "#sre", "#quiet")
    found = digest(database, DAILY._replace(filters="tag=sre"), HOUR_NOW - DAY)
    assert found.title == "#sre: 72 tweets in the day to Mon 23 Nov 2026, 11:00 CET, 50 % more than in the day before"
    assert f"{'▂' * 18}█{'▂' * 5}" in found.text


@pytest.mark.dialects
@pytest.mark.parametrize("filters", ["tag=sre", "tag=sre&min_followers=1", ""])
def test_a_digest_tells_of_exactly_the_time_until_it_was_due(database: Database, filters: str) -> None:
    collected(database, HOUR_NOW - 15 * DAY, HOUR_NOW, "#sre", "#quiet")
    definition = DAILY._replace(filters=filters)
    end = PEAK + HOUR / 2 + timedelta(seconds=10)  # after ten of the 24 tweets of this quarter
    until, since = digest(database, definition, end), digest(database, definition, end + DAY)
    assert until.title.endswith("58 tweets in the day to Mon 23 Nov 2026, 05:30 CET, 21 % more than in the day before")
    assert since.title.endswith("62 tweets in the day to Tue 24 Nov 2026, 05:30 CET, 6.9 % more than in the day before")
    assert "- #sre: 62 tweets (+6.9 %)" in section(since, "Tags")
    assert "Tweets by hour since Sun 22 Nov 2026, 05:30 CET, at most 12\n" in until.text
    assert "Tweets by hour since Mon 23 Nov 2026, 05:30 CET, at most 14\n" in since.text
    assert section(until, "Most active authors")[0] == "- @bea: 10 tweets"
    assert section(since, "Most active authors")[0] == "- @bea: 14 tweets"
    assert section(until, "Peaks") == []
    assert "peaked at 26 on Mon 23 Nov 2026, 05:00 CET" in section(since, "Peaks")[0]
    week = digest(database, definition._replace(every="7d", weekday="mon"), end)
    assert "346 tweets in the week to Mon 23 Nov 2026, 05:30 CET" in week.title


@pytest.mark.dialects
def test_nothing_is_claimed_of_time_that_was_not_collected(database: Database) -> None:
    collected(database, HOUR_NOW - 10 * DAY, HOUR_NOW - 20 * HOUR, "#sre")
    found = digest(database)
    assert found.title == "At least 360 tweets in the week to Tue 24 Nov 2026, 11:00 CET"
    assert section(found, "Tags") == ["- #sre: at least 360 tweets", "- #quiet: not collected"]
    missed = "- #sre: 20 of 168 hours: Mon 23 Nov 2026, 15:00 CET to Tue 24 Nov 2026, 11:00 CET"
    assert section(found, "Not collected") == ["- #quiet: nothing in all this time", missed]


def test_a_week_without_any_collected_time_says_so_and_why(database: Database) -> None:
    collected(database, HOUR_NOW - 10 * DAY, HOUR_NOW - 9 * DAY, "#sre", "#quiet")
    found = digest(database, WEEKLY._replace(filters="tag=quiet"))
    assert found.title == "Nothing of #quiet was collected in the week to Tue 24 Nov 2026, 11:00 CET"
    assert found.text.splitlines()[:2] == [
        "No collection has run yet.",
        "The schedule is off: collect on the page Collections, or choose an interval on the page Schedule.",
    ]
    assert len(section(found, "Spend")) == 1
    assert "at most" not in found.text
    gone = digest(database, DAILY._replace(filters="tag=gone"))
    assert gone.title == "Nothing of #gone was collected in the day to Tue 24 Nov 2026, 11:00 CET"
    assert gone.text.startswith("#gone is not tracked")


def test_a_week_that_was_collected_is_not_compared_with_one_that_was_not(database: Database) -> None:
    collected(database, HOUR_NOW - 10 * DAY, HOUR_NOW, "#sre", "#quiet")
    assert digest(database).title == "360 tweets in the week to Tue 24 Nov 2026, 11:00 CET"
    assert "nothing was collected where there is no bar" in digest(database).text


@pytest.mark.parametrize(
    ("end", "definition", "hours"),
    [
        ("2026-10-26T07:00", DAILY, 25),
        ("2026-03-30T06:00", DAILY, 23),
        ("2026-11-01T07:00", WEEKLY, 169),
        ("2026-11-24T07:00", WEEKLY, 168),
    ],
)
def test_the_time_before_is_as_long_by_dates(database: Database, end: str, definition: WatchDefinition, hours: int) -> None:
    until = datetime.fromisoformat(end).replace(tzinfo=UTC)
    first = until - (WEEK if definition.is_weekly else DAY)
    with database.reading() as session:
        times = compared_times(Occasion(session, definition, Finding("digest", first, until), SITE, until))
    assert times.before[1] - times.before[0] == hours * 3600
    assert times.before[1] == times.now[0]
