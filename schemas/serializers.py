"""JSON: what queries return is written as it is, but for the values below, whose keys are others than their fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from queries.balances import AccountBalance, Authors
from queries.collections import CollectionView
from queries.gaps import Gap
from queries.spend import Outlook, PeriodSpend, UsageComparison
from queries.tags import TagCount, TrackedTag
from queries.timeline import HourCount

Json = dict[str, Any]
MICRO = 1_000_000


def encode(value: Any) -> bytes:
    """Return a value as JSON: NamedTuples and dataclasses as objects, times (UTC) as RFC 3339 to the second."""
    return orjson.dumps(value, default=_fields, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)


def _fields(value: Any) -> Json:
    """Return the fields of a NamedTuple, which orjson does not write by itself; raises TypeError for anything else."""
    if not isinstance(value, tuple) or not hasattr(value, "_asdict"):
        raise TypeError(type(value).__name__)
    fields: Json = value._asdict()
    return fields


def tweets_per_hour(counts: Iterable[HourCount]) -> Json:
    return {"tweets_per_hour": [{"at_hour": f"{count.hour:02d}:00", "tweets": count.tweets} for count in counts]}


def tweets_per_tag(lists: Iterable[Iterable[TagCount]]) -> Json:
    rows = [[{"rash": count.tag, "lang": count.lang, "tweets": count.tweets} for count in counts] for counts in lists]
    return {"tweets_per_tags": rows}


def collection(view: CollectionView) -> Json:
    """Return a collection. X may or may not charge for authors, so its spend has a floor and a ceiling."""
    return {
        "id": view.id,
        "state": view.state,
        "started": view.started,
        "ended": view.ended,
        "tweets_added": view.tweets_added,
        "tags": [{name: getattr(tag, name) for name in ("tag", "state", "added", "reason")} for tag in view.tags],
        "spend": {"posts": view.posts, "users": view.users, **_usd(view)},
        "gaps": [{"tag": gap.tag, **_ends(gap)} for gap in view.gaps],
        "error": view.error,
    }


def tracked_tag(tag: TrackedTag) -> Json:
    """Return a tracked tag; its coverage is null until X was asked for counts."""
    return {
        "tag": tag.tag,
        "tweets": tag.tweets,
        "last_collection": tag.last_collection,
        "gaps": [_ends(gap) for gap in tag.gaps],
        "coverage": tag.coverage,
        "terms": {"lang": _words(tag.lang), "exclude": _words(tag.exclude), "tw_number": tag.tw_number},
    }


def spend(
    view: Outlook,
    *,
    budget: int | None,
    compared: UsageComparison | None,
    authors: Authors | None,
    balance: AccountBalance | None,
) -> Json:
    """Return the spend of a day and of its billing month, whose `end` is the first day of the next, in USD."""
    return {
        "today": {"date": view.day, **_spend(view.today)},
        "month": {"start": view.start, "end": view.end, **_spend(view.month), "unsettled_usd": view.unsettled / MICRO},
        "budget_usd": None if budget is None else budget / MICRO,
        "forecast_usd": view.forecast / MICRO,
        "by_x": _comparison(compared) if compared else None,
        "authors": ("charged" if authors.charged else "free") if authors else None,
        "authors_by": _explained(authors) if authors else None,
        "balance": {"asked": balance.asked, "usd": balance.balance / MICRO} if balance else None,
    }


def _explained(known: Authors) -> Json:
    """Return the fall of the balance that shows whether X charges for authors."""
    usd = {"fell_usd": known.by.fell / MICRO, "explained_usd": known.explained / MICRO}
    return {"since": known.by.since, "until": known.by.until, **usd, "said": known.said}


def _comparison(found: UsageComparison) -> Json:
    """Return X's own count of a billing month's posts, the ledger's at that time, and X's minus ours."""
    return {"asked": found.asked, "posts": found.x_posts, "ledger_posts": found.our_posts, "drift": found.drift}


def _spend(what: PeriodSpend) -> Json:
    return {"posts": what.posts, "users": what.users, "calls": what.calls, **_usd(what)}


def _usd(what: PeriodSpend | CollectionView) -> Json:
    return {"floor_usd": what.floor / MICRO, "ceiling_usd": what.ceiling / MICRO}


def _ends(gap: Gap) -> Json:
    return {"since_id": str(gap.since_id), "until_id": str(gap.until_id), "expired": gap.expired}


def _words(text: str | None) -> list[str]:
    return text.split(",") if text else []
