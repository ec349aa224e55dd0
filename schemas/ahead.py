"""Times in the future in archives. The newest observation counts, so one of the future would count for years.

They are refused, not replaced by the present: without a credible time, nothing is known to be newer than anything else.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from collector.values import TweetVersion
from collector.x.parsing import LAST_TWEET
from queries.gaps import snowflake_time
from schemas.times import rfc3339

CLOCKS_DIFFER = timedelta(hours=1)
"""How far the clock of the machine that wrote an archive may be ahead of ours."""


def latest(now: datetime | None) -> datetime:
    """Return the latest credible time: `now` and the difference of clocks, else the last time that an id of X can contain."""
    return min(now + CLOCKS_DIFFER, LAST_TWEET) if now else LAST_TWEET


def ahead(tweet: TweetVersion, last: datetime) -> str | None:
    """Return why a tweet can't have been posted by then, or None.

    Of several versions, the one with the highest id is shown, so its time is checked. The id of a single version is
    not, because it may be a pseudonym, which contains no time.
    """
    made = snowflake_time(tweet.versions[-1]) if len(tweet.versions) > 1 else None
    return future_reason(f"the time of version {tweet.versions[-1]},", made, last) or future_reason(
        "created", tweet.created, last
    )


def future_reason(what: str, when: datetime | None, last: datetime) -> str | None:
    """Return why a time is refused, or None if it is not after `last`."""
    return f"{what} {rfc3339(when)} lies in the future" if when and when > last else None
