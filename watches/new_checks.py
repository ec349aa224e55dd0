"""Checks for new tweets: those that match and that a collection stored, each told once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from models import Run, ToldTweet, Tweet
from queries.filters import conditions
from queries.watches import StoredWatch
from watches.bucket_checks import check_buckets
from watches.checks import CheckResult, CheckTime, Found
from watches.definitions import WatchDefinition
from watches.findings import Finding

ONE_DAY = timedelta(days=1)


class NewTweet(NamedTuple):
    """A tweet that wasn't told yet, and the collection that stored it: its id, and when it began and ended (UTC)."""

    id: int
    run_id: int
    started: datetime
    ended: datetime | None


def check_new(session: Session, watch: StoredWatch, definition: WatchDefinition, time: CheckTime) -> CheckResult:
    """Return the tweets of collections that are over, as findings of one collection each, and when nothing was collected."""
    silence = check_buckets(session, watch, definition, time)
    found = [*silence.found, *_findings(new_tweets(session, watch, definition, time), definition.max_tweets or 1, time)]
    return silence._replace(found=sorted(found, key=attrgetter("at")))


def new_tweets(session: Session, watch: StoredWatch, definition: WatchDefinition, time: CheckTime) -> list[NewTweet]:
    """Return the tweets that match now and that weren't told, by collection, then by id: those of the last eight days."""
    since = time.ours - time.latest - ONE_DAY
    told = exists().where(ToldTweet.watch_id == watch.id, ToldTweet.tweet_id == Tweet.id)
    stored = (Run.kind == "collection", ~Run.backfills, Run.id > watch.after_run, Run.id != (time.running or 0))
    rows = select(Tweet.id, Run.id, Run.started, Run.ended).join(Run, Run.id == Tweet.run_id)
    wanted = rows.where(*conditions(definition.asked._replace(since=since), whole=True), *stored, ~told)
    wanted = wanted.where(Tweet.id > watch.after_tweet)
    return [NewTweet._make(row) for row in session.execute(wanted.order_by(Run.id, Tweet.id))]


def _findings(tweets: list[NewTweet], most: int, time: CheckTime) -> Iterator[Found]:
    for _, group in groupby(tweets, attrgetter("run_id")):
        of_run = list(group)
        for at in range(0, len(of_run), most):
            first, some = of_run[0], tuple(one.id for one in of_run[at : at + most])
            yield Found(Finding("new", first.started, first.ended or time.ours, some), first.started)
