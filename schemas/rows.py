"""Answers of queries as JSON values: the shapes of the API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from queries.authors import AuthorRank
from queries.balances import Authors, Told
from queries.collections import CollectionView
from queries.facets import Facets
from queries.gaps import Gap
from queries.hours import HourCount
from queries.reconciliations import UsageComparison
from queries.related import RelatedHashtag
from queries.spend import Outlook, PeriodSpend
from queries.tags import TagCount, TrackedTag
from queries.timeline import Timeline, TimelineSlot
from queries.volume import VolumeBucket
from schemas.times import rfc3339

Json = dict[str, Any]
MICRO = 1_000_000


def authors(ranks: Iterable[AuthorRank]) -> Json:
    return {"authors": [rank._asdict() for rank in ranks]}


def hours(counts: Iterable[HourCount]) -> Json:
    return {"tweets_per_hour": [{"at_hour": f"{count.hour:02d}:00", "tweets": count.tweets} for count in counts]}


def tags(lists: Iterable[Iterable[TagCount]]) -> Json:
    def row(count: TagCount) -> Json:
        return {"rash": count.tag, "lang": count.lang, "tweets": count.tweets}

    return {"tweets_per_tags": [[row(count) for count in counts] for counts in lists]}


def facets(found: Facets) -> Json:
    return {"facets": [row._asdict() for row in found.rows], "unknown_share": found.unknown_share}


def related_rows(hashtags: Iterable[RelatedHashtag]) -> Json:
    return {"related": [hashtag._asdict() for hashtag in hashtags]}


def collection(view: CollectionView) -> Json:
    """Return a collection. X may or may not charge for authors, so its spend has a floor and a ceiling."""
    return {
        "id": view.id,
        "state": view.state,
        "started": rfc3339(view.started),
        "ended": rfc3339(view.ended),
        "tweets_added": view.tweets_added,
        "tags": [outcome._asdict() for outcome in view.tags],
        "spend": {
            "posts": view.posts,
            "users": view.users,
            "floor_usd": view.floor / MICRO,
            "ceiling_usd": view.ceiling / MICRO,
        },
        "gaps": [{"tag": gap.tag, **_ends(gap)} for gap in view.gaps],
        "error": view.error,
    }


def tracked_tag(tag: TrackedTag) -> Json:
    """Return a tracked tag; its coverage is unknown until X's own counts are asked."""
    last = tag.last_collection
    return {
        "tag": tag.tag,
        "tweets": tag.tweets,
        "last_collection": last and {**last._asdict(), "started": rfc3339(last.started)},
        "gaps": [_ends(gap) for gap in tag.gaps],
        "coverage": tag.coverage,
        "terms": {"lang": _words(tag.lang), "exclude": _words(tag.exclude), "tw_number": tag.tw_number},
    }


def volume(buckets: Iterable[VolumeBucket], *, coverage: float | None) -> Json:
    """Return what X counted and what is stored, and the share of the counted hours' posts that are."""

    def row(bucket: VolumeBucket) -> Json:
        return bucket._asdict() | {"start": rfc3339(bucket.start), "end": rfc3339(bucket.end)}

    return {"volume": [row(bucket) for bucket in buckets], "coverage": coverage}


def timeline(found: Timeline, *, zone: str) -> Json:
    """Return a timeline; its times are in UTC, though its buckets are cut by the zone's clock."""

    def row(slot: TimelineSlot) -> Json:
        return slot._asdict() | {"start": rfc3339(slot.start), "end": rfc3339(slot.end)}

    return {"timeline": [row(slot) for slot in found.slots], "timezone": zone, "complete": found.complete}


def spend(
    view: Outlook, *, budget: int | None, compared: UsageComparison | None, authors: Authors | None, balance: Told | None
) -> Json:
    """Return the spend of a day and of its billing month, whose `end` is the first day of the next, in USD."""
    ends = {"start": view.start.isoformat(), "end": view.end.isoformat()}
    return {
        "today": {"date": view.day.isoformat(), **_spend(view.today)},
        "month": {**ends, **_spend(view.month), "unsettled_usd": view.unsettled / MICRO},
        "budget_usd": None if budget is None else budget / MICRO,
        "forecast_usd": view.forecast / MICRO,
        "by_x": _comparison(compared) if compared else None,
        "authors": ("charged" if authors.charged else "free") if authors else None,
        "authors_by": _explained(authors) if authors else None,
        "balance": {"asked": rfc3339(balance.asked), "usd": balance.balance / MICRO} if balance else None,
    }


def _explained(known: Authors) -> Json:
    """Return the fall of the balance that tells whether X charges for authors."""
    times = {"since": rfc3339(known.by.since), "until": rfc3339(known.by.until)}
    return {**times, "fell_usd": known.by.fell / MICRO, "explained_usd": known.explained / MICRO, "said": known.said}


def _comparison(found: UsageComparison) -> Json:
    """Return X's own count of a billing month's posts, the ledger's at that time, and by how many the first is greater."""
    return {"asked": rfc3339(found.asked), "posts": found.x_posts, "ledger_posts": found.our_posts, "drift": found.drift}


def _spend(what: PeriodSpend) -> Json:
    counts = {"posts": what.posts, "users": what.users, "calls": what.calls}
    return {**counts, "floor_usd": what.floor / MICRO, "ceiling_usd": what.ceiling / MICRO}


def _ends(gap: Gap) -> Json:
    return {"since_id": str(gap.since_id), "until_id": str(gap.until_id), "expired": gap.expired}


def _words(text: str | None) -> list[str]:
    return text.split(",") if text else []
