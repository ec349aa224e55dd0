"""The timeline by tag against plain counts of the tweets that lists show."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemy import Database
from collector.runs.tags import ensure, track
from models import Listing, Run, Tag
from queries.filters import Filters
from queries.gaps import first_id
from queries.tag_timeline import TagSlot, TooManyTags, by_tag
from queries.timeline import timeline
from queries.zones import DAY, HOUR, QUARTER
from tests.fixtures.archives import MORNING, own_row
from tests.queries.invented import FILTERS, MIDDLE, TAGS, UNUSED, ZONES, engagement_of, imported, invented, wanted
from tests.schemas.views import MANY

pytestmark = pytest.mark.dialects
UNKNOWN = "#unknown"
KEYS = st.lists(st.sampled_from([*TAGS, UNUSED, UNKNOWN]), unique=True).map(tuple)
START = MORNING.replace(minute=0)


@pytest.fixture(scope="module")
def database(database_backend: str) -> Iterator[Database]:
    with invented(200) as ready:
        yield ready


@MANY
@given(FILTERS, KEYS, st.sampled_from([QUARTER, HOUR, DAY]), st.sampled_from(ZONES))
def test_a_tag_has_the_matching_tweets_that_it_found_in_each_bucket(
    database: Database, filters: Filters, keys: tuple[str, ...], bucket: timedelta, zone: str
) -> None:
    """Nothing was ever collected, so all is known but of tags that were never heard of."""
    filters = filters._replace(any_tags=keys)
    with database.reading() as session:
        slots = timeline(session, bucket=bucket, zone=ZoneInfo(zone), filters=filters).slots
        found = by_tag(session, slots, filters)
    views = wanted(database, filters)
    for slot, tags in zip(slots, found, strict=True):
        within = [view for view in views if slot.start <= view.created < slot.end]
        theirs = {tag: [view for view in within if tag in view.tags] for tag in sorted(keys or (UNUSED,))}
        assert tags == [
            TagSlot(tag, None, None, False) if tag == UNKNOWN else TagSlot(tag, len(own), engagement_of(own), True)
            for tag, own in theirs.items()
        ]


def test_what_a_tag_was_not_collected_for_is_unknown(database_backend: str) -> None:
    """#sre was collected for four hours without the third, #devops for half of the first, and #idle never."""
    rows = [own_row(60 * hour - 20, tags=["#sre", "#devops"], likes=hour) for hour in range(4)]
    with imported(*rows) as ready:
        with ready.writing() as session:
            ensure(session, "#idle")
            for tag, minutes in (("#sre", 240), ("#devops", 30)):
                row = session.get_one(Tag, ensure(session, tag).id)
                row.from_id, row.since_id = _id(0), _id(minutes) - 1
            of = {"tag_id": ensure(session, "#sre").id, "run_id": session.query(Run.id).limit(1).scalar(), "query": ""}
            session.add(Listing(**of, gap=True, since_id=_id(120) - 1, until_id=_id(180), before=_id(180)))
        filters = Filters(any_tags=("#sre", "#idle", "#devops"), since=START, until=START + 5 * HOUR)
        with ready.reading() as session:
            slots = timeline(session, bucket=HOUR, zone=UTC, filters=filters).slots
            found = [[tuple(tag) for tag in tags] for tags in by_tag(session, slots, filters)]
            cut = filters._replace(since=START + timedelta(minutes=10), until=START + timedelta(minutes=30))
            [(devops, *_)] = by_tag(session, timeline(session, bucket=HOUR, zone=UTC, filters=cut).slots, cut)
    unknown = {tag: (tag, None, None, False) for tag in ("#devops", "#idle", "#sre")}
    assert found[0] == [("#devops", 1, 0, False), unknown["#idle"], ("#sre", 1, 0, True)]
    assert found[1] == [unknown["#devops"], unknown["#idle"], ("#sre", 1, 1, True)]
    assert found[2] == found[4] == [*unknown.values()]
    assert found[3] == [unknown["#devops"], unknown["#idle"], ("#sre", 1, 3, True)]
    assert devops == TagSlot("#devops", 1, 0, complete=True)  # in the part that is asked for


def _id(minute: int) -> int:
    return first_id(START + timedelta(minutes=minute))


def test_at_most_ten_tags_are_counted_whether_they_are_named_or_tracked(database_backend: str) -> None:
    with imported() as ready:
        with ready.writing() as session:
            for number in range(11):
                track(session, f"#t{number:02d}", None)
        named, now = tuple(f"#t{number:02d}" for number in range(11)), datetime.now(UTC)
        with ready.reading() as session:
            slots = timeline(session, bucket=DAY, zone=UTC, filters=Filters(since=now - DAY, until=now)).slots
            assert [len(tags) for tags in by_tag(session, slots, Filters(any_tags=named[:10]))] == [10] * len(slots)
            for filters in (Filters(), Filters(any_tags=named)):
                with pytest.raises(TooManyTags):
                    by_tag(session, slots, filters)


def test_the_time_of_the_invented_tweets_is_over() -> None:
    """The tests above take all of it as collected."""
    assert datetime.now(UTC) - DAY * 10 > MIDDLE
