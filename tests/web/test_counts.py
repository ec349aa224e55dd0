"""Comparisons with the time before use only time that was collected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from collector.runs.collector import Collector
from models import BackfillSpan, HourlyCount, Listing, Tag
from queries.gaps import histories, snowflake_time
from queries.reach import has_reached, reaches
from queries.volume import rules_changes
from tests.fixtures import databases
from tests.fixtures.archives import MORNING, own_row, tweet_id
from tests.fixtures.documents import opened
from tests.fixtures.environment import TAGS
from tests.fixtures.service import Service, in_process
from tests.fixtures.views import imported, total
from text.phrases import day
from web.charts import ChartFigure, Row
from web.figures import tables, volume
from web.figures.volume import FigureInput, TweetVolume
from web.view_query import parse_view_query

HOUR = timedelta(hours=1)
NOW = MORNING.replace(minute=0) + 48 * HOUR


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """The service with one #sre tweet per hour for 47 hours until an hour before now; it never requests anything from X."""
    settings = {"TWITTER_API_URL": "http://127.0.0.1:9", "COLLECT_ON_START": "0", "TAGS": TAGS, "LOG_LEVEL": "ERROR"}
    with in_process(tmp_path, DATABASE_URL=databases.url_of(tmp_path), **settings) as running:
        imported(running, *(own_row(60 * hour) for hour in range(47)))
        yield running


@pytest.fixture
def collector(service: Service) -> Collector:
    return service.collector


def collected(collector: Collector, begin: datetime, end: datetime, *, key: str = "#sre") -> None:
    """Record that a tag was collected between these times."""
    ids = {"from_id": tweet_id(begin), "since_id": tweet_id(end)}
    collector.database.write(lambda session: session.execute(update(Tag).where(Tag.key == key).values(**ids)))


def shown(
    collector: Collector, query: str = "period=24h", *, now: datetime = NOW
) -> tuple[TweetVolume, ChartFigure, FigureInput]:
    with collector.database.reading() as session:
        given = FigureInput(session, parse_view_query(MultiDict(parse_qsl(query)), now=now))
        return given.volume, volume.over_time(given), given


def tag_rows(given: FigureInput) -> tuple[Row, ...]:
    with closing(given.session):
        return tables.tags(given).table.rows


def test_a_day_that_was_collected_is_compared_with_the_day_before(collector: Collector) -> None:
    collected(collector, MORNING - HOUR, NOW)
    found, figure, _ = shown(collector)
    assert (found.total, found.total_before) == (23, 24)
    assert "fewer than in the 24 hours before" in figure.finding
    assert found.marks == ()


def test_time_before_a_history_is_shaded_and_nothing_is_compared_with_it(collector: Collector) -> None:
    collected(collector, NOW - 12 * HOUR, NOW)
    found, figure, _ = shown(collector)
    assert found.before is None
    assert "No comparison: nothing was collected before Tue" in figure.finding
    [mark] = found.marks
    assert (mark.label, mark.end) == ("before the history of #sre", int((NOW - 12 * HOUR).timestamp()))
    assert not found.spikes


def test_time_that_no_collection_has_reached_is_neither_drawn_nor_compared(collector: Collector) -> None:
    collected(collector, MORNING - HOUR, NOW)
    found, figure, _ = shown(collector, now=NOW + 6 * HOUR)
    assert (found.comparison, found.total_before) == ((17, 18, False), None)
    assert "Up to where all tags were collected: 5.6 % fewer than in the 24 hours before." in figure.finding
    assert "Nothing was collected since" in figure.finding
    assert [mark.label for mark in found.marks] == ["not collected yet"]
    assert figure.table.rows[-1][1:3] == (None, None)
    assert figure.curve
    assert len(figure.table.rows) - 1 in figure.curve.unfinished


def test_tweets_of_a_time_that_no_collection_has_reached_are_shown_and_no_zeros(collector: Collector) -> None:
    collected(collector, MORNING - HOUR, NOW - 6 * HOUR)
    assert {row[1] for row in shown(collector)[1].table.rows if row[0] > NOW - 6 * HOUR} == {1, None}


def test_a_backfill_that_reaches_a_tags_history_extends_it(collector: Collector) -> None:
    collected(collector, NOW - 12 * HOUR, NOW)
    begin, end, apart = (tweet_id(NOW - hours * HOUR) for hours in (60, 12, 70))

    def buy(session: Session) -> None:
        own = session.scalars(select(Tag.id).where(Tag.key == "#sre")).one()
        for since, until in ((begin, end + 1), (apart - 9, apart)):
            session.add(BackfillSpan(tag_id=own, since_id=since, until_id=until))

    collector.database.write(buy)
    found, _, _ = shown(collector)
    assert (found.total_before, found.marks) == (24, ())
    with collector.database.reading() as session:
        [history] = [one for one in histories(session) if one.tag == "#sre"]
    assert history.begin == snowflake_time(begin)


def test_an_earlier_backfill_counts_as_collected_and_the_time_after_it_does_not(collector: Collector) -> None:
    collected(collector, NOW - 6 * HOUR, NOW)
    buy(collector, NOW - 40 * HOUR, NOW - 12 * HOUR)
    found, figure, _ = shown(collector, "period=24h&tag=sre")
    assert [(mark.label, mark.end - mark.first) for mark in found.marks] == [("#sre not collected", 6 * 3600)]
    assert [row[-1] for row in figure.table.rows].count("#sre not collected") == 6
    assert "before" not in found.marks[0].label
    known, _, _ = shown(collector, "period=12h&tag=sre", now=NOW - 12 * HOUR)
    assert (known.total_before, known.marks) == (12, ())
    with collector.database.reading() as session:
        times = [int((NOW - hours * HOUR).timestamp()) for hours in (40, 12, 6, 0)]
        [reach] = reaches(session, keys=["#sre"], now=times[-1])
        assert reach.periods == ((times[0], times[1]), (times[2], times[3]))
        assert has_reached(session, keys=["#sre"], first=times[0], end=times[1], now=times[-1])
        assert not has_reached(session, keys=["#sre"], first=times[0], end=times[-1], now=times[-1])


def buy(collector: Collector, first: datetime, end: datetime) -> None:
    """Record that a backfill read #sre between these times."""

    def add(session: Session) -> None:
        own = session.scalars(select(Tag.id).where(Tag.key == "#sre")).one()
        session.add(BackfillSpan(tag_id=own, since_id=tweet_id(first) - 1, until_id=tweet_id(end)))

    collector.database.write(add)


def test_an_hour_of_the_week_that_was_never_collected_is_unknown(collector: Collector) -> None:
    collected(collector, NOW - 3 * HOUR, NOW)
    with collector.database.reading() as session:
        for query, unknown in (("tag=devops", 7), ("tag=sre", 5)):
            asked = parse_view_query(MultiDict(parse_qsl(f"period=24h&{query}")), now=NOW)
            rows = tables.week(FigureInput(session, asked)).table.rows
            assert [(len(set(row[1:])), row[-1]) for row in rows].count((1, None)) == unknown


def test_an_untracked_tag_s_history_still_counts(collector: Collector) -> None:
    collected(collector, NOW - 12 * HOUR, NOW)
    collector.database.write(lambda session: session.execute(update(Tag).values(tracked=False)))
    assert shown(collector)[0].before is None


def test_imported_tweets_alone_count_as_collected_from_the_first_one_to_the_last(collector: Collector) -> None:
    assert shown(collector)[0].total_before is None
    assert shown(collector, "until=2016-01-01T00:00:00Z")[1].finding == volume.NOTHING
    found = shown(collector, f"since={MORNING + 40 * HOUR:%Y-%m-%dT%H:00:00Z}&until={MORNING + 46 * HOUR:%Y-%m-%dT%H:00:00Z}")[
        0
    ]
    assert (found.total_before, found.marks) == (6, ())
    assert shown(collector, "period=24h", now=NOW + 48 * HOUR)[0].is_unknown


def test_a_tag_that_is_younger_than_the_time_before_has_no_change_of_its_own(collector: Collector) -> None:
    collected(collector, MORNING - HOUR, NOW)
    collected(collector, NOW - HOUR, NOW, key="#devops")
    found, figure, given = shown(collector)
    assert (found.before, found.total_before) == (None, None)
    assert "Not collected in all of the time before: #devops." in figure.finding
    changes = {row[0].text: row[4:6] for row in tag_rows(given)}
    assert changes["#devops"] == (None, "–")
    assert changes["#sre"] == (24, "−4.2 %")


@pytest.mark.parametrize(("is_collected", "tweets", "change"), [(True, 0, "none, as before"), (False, None, "–")])
def test_tags_beside_those_that_are_filtered_by_are_unknown_only_where_they_were_not_collected(
    collector: Collector, is_collected: bool, tweets: int | None, change: str
) -> None:
    collected(collector, MORNING - HOUR, NOW)
    if is_collected:
        collected(collector, MORNING - HOUR, NOW, key="#devops")
    _, _, given = shown(collector, "period=24h&any_tag=sre")
    cells = {row[0].text: (row[2], row[5]) for row in tag_rows(given)}
    assert cells == {"#sre": (23, "−4.2 %"), "#devops": (tweets, change), "#Observability": (None, "–")}


def test_a_time_in_which_nothing_was_collected_is_unknown_and_shaded_and_not_compared(collector: Collector) -> None:
    collected(collector, MORNING - HOUR, NOW)
    for query in ("period=24h", "period=24h&tag=sre"):
        found, figure, given = shown(collector, query, now=NOW + 30 * HOUR)
        assert (found.is_unknown, found.comparison, found.compared) == (True, None, {})
        assert figure.finding.startswith("Nothing was collected since")
        assert [(mark.label, mark.end - mark.first) for mark in found.marks] == [("not collected yet", 24 * 3600)]
        assert {row[1] for row in figure.table.rows} == {None}
        assert [row[2] for row in tag_rows(given) if row[0].text == "#sre"] == [None]


def test_a_tag_that_collections_did_not_reach_is_unknown_and_compared_up_to_where_it_was(collector: Collector) -> None:
    collected(collector, MORNING - HOUR, NOW)
    collected(collector, MORNING - HOUR, NOW - 12 * HOUR, key="#devops")
    found, figure, given = shown(collector)
    assert (found.comparison, found.total_before) == ((12, 12, False), None)
    assert "Up to where all tags were collected: as many as in the 24 hours before." in figure.finding
    assert "#devops was not collected since" in figure.finding
    collected(collector, MORNING - HOUR, NOW - 30 * HOUR, key="#observability")
    found, figure, given = shown(collector)
    assert found.comparison is None
    assert "No comparison: #Observability was not collected in this time." in figure.finding
    changes = {row[0].text: row[2:6] for row in tag_rows(given)}
    assert changes["#Observability"] == (None, None, None, "–")
    assert changes["#devops"] == (0, 0.0, 0, "none, as before")
    assert changes["#sre"] == (23, 1.0, 24, "−4.2 %")
    assert {"#devops not collected", "#Observability not collected"} == {mark.label for mark in found.marks}
    assert figure.table.csv().decode().splitlines()[-1].count('""') >= 2


def test_hours_of_the_week_in_which_nothing_was_collected_are_unknown_and_empty_in_the_file(collector: Collector) -> None:
    collected(collector, MORNING - HOUR, NOW - 6 * HOUR)
    with collector.database.reading() as session:
        table = tables.week(FigureInput(session, parse_view_query(MultiDict({"period": "24h"}), now=NOW + 6 * HOUR))).table
    known = {(row[0], hour) for row in table.rows for hour in range(24) if row[1 + hour] is not None}
    with_tweets = [NOW + (hour - 18) * HOUR for hour in range(17)]
    assert known == {(f"{one:%A}", one.hour) for one in with_tweets}
    assert sum(row[-1] or 0 for row in table.rows) == len(with_tweets)
    assert table.csv().decode().splitlines()[-1] == '"Sunday"' + ',""' * 25


def test_none_of_several_languages_with_as_many_tweets_is_said_to_lead(service: Service) -> None:
    imported(
        service, *(own_row(7, "even #sre", id=str(tweet_id(MORNING, at)), lang=lang) for at, lang in ((1, "de"), (2, "pt")))
    )
    with service.collector.database.reading() as session:
        given = FigureInput(session, parse_view_query(MultiDict({"q": "even", "period": "all"}), now=NOW))
        assert tables.languages(given).finding == "2 lead with 1 each, of 2 tweets."


def test_a_tag_with_a_large_gap_is_not_compared(collector: Collector) -> None:
    collected(collector, MORNING - HOUR, NOW)
    leave_gap(collector, NOW - 10 * HOUR, NOW - 2 * HOUR)
    found, figure, _ = shown(collector)
    assert (found.comparison, found.compared) == (None, {})
    assert "too much of this time or of the time before was not collected" in figure.finding
    assert [row[-1] for row in figure.table.rows].count("gap in #sre") == 8


def leave_gap(collector: Collector, first: datetime, end: datetime) -> None:
    def leave(session: Session) -> None:
        own = session.scalars(select(Tag.id).where(Tag.key == "#sre")).one()
        ids = {"since_id": tweet_id(first), "until_id": tweet_id(end), "before": tweet_id(end)}
        session.add(Listing(tag_id=own, run_id=1, gap=True, expired=False, query="", pages=0, **ids))

    collector.database.write(leave)


def test_while_little_is_stored_of_what_x_counted_its_counts_lead_and_the_rest_is_a_sample(collector: Collector) -> None:
    collected(collector, MORNING - HOUR, NOW)

    def count(session: Session) -> None:
        for key, counted in (("#sre", 10), ("#devops", 3)):
            own = session.scalars(select(Tag).where(Tag.key == key)).one()
            hours = [int(NOW.timestamp()) - 3600 * at for at in range(1, 25)]
            rows = [HourlyCount(tag_id=own.id, rules=own.rules, start=hour, counted=counted, asked_at=NOW) for hour in hours]
            session.add_all(rows)

    collector.database.write(count)
    _, figure, given = shown(collector)
    assert figure.finding.startswith(
        "X counted 312 posts in 24 hours, one with two tags for each; a sample of 7.4 % is stored."
    )
    assert "than in" not in figure.finding
    with closing(given.session):
        ranked = tables.tags(given)
    assert ranked.finding == "#sre leads: 240 tweets on X in 24 hours; 23 stored, a sample of 9.6 %."
    assert [(row[0].text, *row[2:4]) for row in ranked.table.rows] == [
        ("#sre", 240, 23),
        ("#devops", 72, 0),
        ("#Observability", None, None),
    ]


def test_nothing_is_compared_across_a_change_of_a_tag_s_rules(collector: Collector) -> None:
    collected(collector, MORNING - HOUR, NOW)
    change = int((NOW - 20 * HOUR).timestamp())

    def count(session: Session) -> None:
        own = session.scalars(select(Tag).where(Tag.key == "#sre")).one()
        for at in range(1, 40):
            start = int(NOW.timestamp()) - 3600 * at
            rules, asked = ("/", NOW - 21 * HOUR) if start < change else (own.rules, NOW - 19 * HOUR)
            session.add(HourlyCount(tag_id=own.id, rules=rules, start=start, counted=1, asked_at=asked))

    collector.database.write(count)
    assert shown(collector)[0].comparison  # the same rules, first with retweets
    collector.database.write(lambda session: session.execute(update(Tag).where(Tag.key == "#sre").values(lang="en")))
    with collector.database.reading() as session:
        [unanswered] = [(one.after, one.before) for one in rules_changes(session)]
    assert unanswered == (NOW - 19 * HOUR, None)
    said = f"between {day(NOW - 19 * HOUR)} and {day(NOW)}"
    assert f"The rules of #sre changed {said}; counts" in shown(collector, "period=24h")[1].finding
    collector.database.write(
        lambda session: session.execute(update(HourlyCount).where(HourlyCount.start >= change).values(rules="en//no retweets"))
    )
    for query in ("period=24h&tag=sre", "period=24h"):
        found, figure, given = shown(collector, query)
        assert (found.comparison, found.compared.keys() & {"#sre"}, given.on_x) == (None, set(), None)
        said = f"The rules of #sre changed on {day(NOW - 20 * HOUR)}; counts before it are not comparable."
        assert said in figure.finding
        assert said in tables.coverage(given).finding
    assert shown(collector, "period=8h")[0].comparison


def test_the_page_of_a_time_in_which_nothing_was_collected_says_so_and_offers_to_collect(service: Service) -> None:
    collected(service.collector, MORNING - HOUR, NOW)
    page = opened(service, "/view/tags/sre?period=24h")  # today, long after the morning of the tweets
    assert total(page, "Tweets") == "–"
    [empty] = [one for one in page.all("div") if one.attributes.get("class") == "empty"]
    assert empty.words.startswith("Nothing was collected since")
    assert [one["href"] for one in empty.all("a")] == ["/view/collections/new"]
    assert "as before" not in page.one("main").words


def test_time_before_a_history_leads_to_a_backfill_which_alone_can_buy_it(service: Service) -> None:
    now = datetime.now(UTC)
    for key in ("#sre", "#devops", "#observability"):
        collected(service.collector, now - 48 * HOUR, now, key=key)
    for path, tags in (("/view/tags/sre?period=7d", "&tag=sre"), ("/?period=7d", "")):
        look = opened(service, path).one("ul", class_="look")
        period = f"since={now - 168 * HOUR:%Y-%m-%d}&until={now - 48 * HOUR:%Y-%m-%d}&tz=UTC"
        assert [one["href"] for one in look.all("a")] == [f"/view/backfill?{period}{tags}"]


def test_posts_on_x_name_the_tags_that_they_leave_out(service: Service) -> None:
    now = datetime.now(UTC)

    def count(session: Session) -> None:
        own = session.scalars(select(Tag).where(Tag.key == "#sre")).one()
        start = int(now.timestamp()) // 3600 * 3600 - 3600
        session.add(HourlyCount(tag_id=own.id, rules=own.rules, start=start, counted=5, asked_at=now))

    service.collector.database.write(count)
    words = opened(service, "/?period=24h").one("dl", class_="totals cards").words
    said = "without #devops and #Observability; 0 % of them are stored. One with two tags counts for each"
    assert f"in the hours that X has counted, {said}" in words
    assert "without" not in opened(service, "/view/tags/sre?period=24h").one("dl", class_="totals cards").words


def test_totals_are_at_least_so_many_where_a_tag_was_not_reached(service: Service) -> None:
    now = datetime.now(UTC)
    for key, end in (("#sre", now), ("#devops", now - 2 * HOUR), ("#observability", now)):
        collected(service.collector, MORNING - HOUR, end, key=key)
    page = opened(service, "/?period=24h")
    assert (total(page, "Tweets"), total(page, "Unique authors")) == ("at least 0", "at least 0")
    [words] = [one.words for one in page.all("dd", class_="note lacking")]
    assert re.fullmatch(r"#devops was not reached since .*\d\d:\d\d", words)
    assert total(opened(service, "/?period=24h&tag=sre"), "Tweets") == "0 none, as before"
    before = f"since={now - 20 * HOUR:%Y-%m-%dT%H:%M:%SZ}&until={now - 3 * HOUR:%Y-%m-%dT%H:%M:%SZ}"
    assert total(opened(service, f"/?{before}"), "Tweets") == "0 none, as before"  # all of it was collected


def test_an_untracked_tag_without_tweets_before_is_new(service: Service) -> None:
    imported(service, own_row(44 * 60, id=str(tweet_id(MORNING + 44 * HOUR, 9)), tags=["#finops"], rash="#finops"))
    given = shown(service.collector, "period=12h")[2]
    changes = {row[0].text: row[2:6] for row in tag_rows(given)}
    assert (changes["#finops"][0], *changes["#finops"][2:]) == (1, 0, "new")
