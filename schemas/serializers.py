"""JSON: what queries return is written as it is, except for values whose keys differ from their fields.

Prices, gaps and collections, which several resources return, are declared here beside their JSON schemas.
"""

from __future__ import annotations

from typing import Any

import orjson

from collector.ledger.prices import Cost
from queries.collections import CollectionView
from queries.gaps import Gap
from queries.spend import PeriodSpend
from schemas.json_schema import HASHTAG, count, flag, identifier, many, nullable, number, record, text, time, word

Json = dict[str, Any]
MICRO = 1_000_000

ENDS = {
    "since_id": identifier("The id after which it begins"),
    "until_id": identifier("The id before which it ends"),
    "expired": flag("Whether X's recent search no longer reaches it"),
}
GAP = record("Gap", "A range of a tag's tweets that was not collected.", ENDS)
PRICED = {
    "floor_usd": number("The price of the tweets", minimum=0),
    "ceiling_usd": number("The price of the tweets and of the authors, for whom X probably charges", minimum=0),
}
USD = record(
    "Usd",
    "A price in USD. X may or may not charge for authors, so there is a floor and a ceiling.",
    {
        "floor": number("The price of the tweets", minimum=0),
        "ceiling": number("The price of the tweets and of their authors", minimum=0),
    },
)
STATE = word("The state of the collection", "running", "done", "partial", "failed")
SUMMARY = {
    "id": {"type": "integer", "minimum": 1},
    "state": STATE,
    "started": time("The start, UTC"),
    "error": nullable(text("Why it failed")),
}
COLLECTION = record(
    "Collection",
    "One run over the tracked tags.",
    {
        **SUMMARY,
        "ended": nullable(time("The end, UTC")),
        "tweets_added": count("Tweets that were not stored before"),
        "tags": many(
            record(
                "TagOutcome",
                "The result for one tag in a collection.",
                {
                    "tag": HASHTAG,
                    "state": word("The state of the tag", "waiting", "running", "done", "failed"),
                    "added": count("Tweets that were not stored before"),
                    "reason": nullable(text("Why it failed; null where it is done")),
                },
            ),
            "The result for each tag, by name",
        ),
        "spend": record(
            "Price",
            "What was bought and its price. X may or may not charge for authors, so there is a floor and a ceiling.",
            {"posts": count("Tweets"), "users": count("Authors"), **PRICED},
        ),
        "gaps": many(record("TagGap", "A gap and its tag.", {"tag": HASHTAG, **ENDS}), "The gaps that it left, or filled last"),
    },
)


def encode(value: Any) -> bytes:
    """Return a value as JSON: NamedTuples and dataclasses as objects, times (UTC) as RFC 3339 to the second."""
    return orjson.dumps(value, default=_fields, option=orjson.OPT_UTC_Z | orjson.OPT_OMIT_MICROSECONDS)


def _fields(value: Any) -> Json:
    """Return the fields of a NamedTuple, which orjson does not write by itself; raises TypeError for anything else."""
    if not isinstance(value, tuple) or not hasattr(value, "_asdict"):
        raise TypeError(type(value).__name__)
    fields: Json = value._asdict()
    return fields


def collection(view: CollectionView) -> Json:
    """Return a collection. X may or may not charge for authors, so its spend has a floor and a ceiling."""
    return {
        "id": view.id,
        "state": view.state,
        "started": view.started,
        "ended": view.ended,
        "tweets_added": view.tweets_added,
        "tags": [{name: getattr(tag, name) for name in ("tag", "state", "added", "reason")} for tag in view.tags],
        "spend": {"posts": view.posts, "users": view.users, **prices(view)},
        "gaps": [{"tag": gap.tag, **gap_ends(gap)} for gap in view.gaps],
        "error": view.error,
    }


def prices(what: PeriodSpend | CollectionView) -> Json:
    """Return the floor and the ceiling of a price in USD."""
    return {"floor_usd": what.floor / MICRO, "ceiling_usd": what.ceiling / MICRO}


def usd(cost: Cost) -> Json:
    """Return a price as USD."""
    return {"floor": cost.floor / MICRO, "ceiling": cost.ceiling / MICRO}


def gap_ends(gap: Gap) -> Json:
    """Return the ids between which a gap lies, and whether it is lost."""
    return {"since_id": str(gap.since_id), "until_id": str(gap.until_id), "expired": gap.expired}
