"""Hours or days with far more tweets than usual, and what stands out in them."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from queries.causes import ExplainedSpike, explained_spikes
from queries.counters import x_now
from queries.filters import Filters
from queries.gaps import gaps, histories
from queries.spikes import MOST_COUNTED
from queries.timeline import TooManyBuckets
from queries.zones import HOUR
from resources.snapshots import SnapshotResource
from resources.timeline import START_AND_END, HourArguments
from schemas.arguments import FilterArguments
from schemas.json_schema import HASHTAG, SHARE, Schema, answers, count, identifier, many, nullable, number, reads, record, text
from schemas.parameters import bucket_length
from schemas.problems import BadInput, ParameterError

TOO_MANY = f"gives more than {MOST_COUNTED:,} buckets with those of the time before: choose a longer one, or a shorter period"
MINUTE_S = 60
LIFT = nullable(number("Their share by the share of the baseline's tweets; null where that is 0", minimum=0))


def _listed(name: str, key: str, value: Schema, tweets: str) -> Schema:
    return many(record(name, f"A {key} that stands out.", {key: value, "tweets": count(tweets), "lift": LIFT}))


SPIKE = record(
    "Spike",
    "An hour or a day with far more tweets than usual, and what stands out in it against the time before.",
    {
        **START_AND_END,
        "tweets": count("Tweets posted in it"),
        "expected": number("The median of the same hour, or weekday, of the other times, else their mean", minimum=0),
        "quotes_share": number("The share of tweets that quote another one", **SHARE),
        "top_authors_share": number("The share of tweets of the three authors with the most of them", **SHARE),
        "tags": _listed("SpikeTag", "tag", HASHTAG, "Tweets that the tag found"),
        "terms": _listed(
            "SpikeTerm",
            "term",
            text("A word, or two neighbouring words"),
            "Tweets that have it; of many, projected from a sample",
        ),
        "domains": _listed("SpikeDomain", "domain", text("The host of links"), "Tweets that link to it"),
        "authors": many(record("SpikeAuthor", "An author.", {"username": text("Without @"), "tweets": count("Their tweets")})),
        "top": many(identifier("The id of a tweet"), "The tweets with the most engagement"),
    },
)
SPIKES = record("Spikes", "The spikes of a period, newest first.", {"spikes": many(SPIKE)})


class SpikeArguments(HourArguments):
    """Parameters of GET /spikes."""

    bucket = bucket_length("hour", "day", load_default=HOUR)


class SpikesResource(SnapshotResource):
    """The newest hundred spikes of a period, which is the last seven days unless since or until are given."""

    arguments: type[FilterArguments] = SpikeArguments
    answers = answers(get=reads(SPIKES, "The spikes"))
    by_minute = True

    def depends(self, session: Session) -> Hashable:
        """Return what decides which buckets are over and how far the baseline reaches, and what was not collected."""
        return int(x_now(session).timestamp()) // MINUTE_S, tuple(gaps(session)), tuple(histories(session))

    def read(self, session: Session, *, filters: Filters, bucket: timedelta, tz: ZoneInfo) -> Any:
        """Return the spikes with what stands out in each."""
        return {"spikes": [_shown(one) for one in spikes_of(session, filters, bucket, tz)]}


def spikes_of(session: Session, filters: Filters, bucket: timedelta, zone: ZoneInfo) -> list[ExplainedSpike]:
    """Return the spikes until now, newest first; raises BadInput for too many buckets."""
    now = int(x_now(session).timestamp())
    try:
        return explained_spikes(session, filters, bucket=bucket, zone=zone, now=now)
    except TooManyBuckets as error:
        raise BadInput([ParameterError("bucket", TOO_MANY)]) from error


def _shown(one: ExplainedSpike) -> dict[str, Any]:
    return {**one._asdict(), "top": [str(tweet_id) for tweet_id in one.top]}
