"""What an archive says of the future. The newest counts, so a time that is still to come would count for years.

It is refused, and not taken for now: what has no time that can be believed is not known to be newer than anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from collector.values import TweetVersion
from collector.x.parsing import LAST_TWEET
from queries.snowflakes import snowflake_time
from schemas.times import rfc3339

CLOCKS_DIFFER = timedelta(hours=1)
"""By how much the clock of whoever wrote an archive may be ahead of this machine's."""


def latest(now: datetime | None) -> datetime:
    """Return the latest time that can be meant: as it is `now`, or any at which X gives out ids."""
    return min(now + CLOCKS_DIFFER, LAST_TWEET) if now else LAST_TWEET


def ahead(tweet: TweetVersion, last: datetime) -> str | None:
    """Return why a tweet can't have been made by then, or None.

    Of several versions that of the highest id is shown. An only one's decides nothing, and may be a pseudonym without a time.
    """
    made = snowflake_time(tweet.versions[-1]) if len(tweet.versions) > 1 else None
    return future_reason(f"the time of version {tweet.versions[-1]},", made, last) or future_reason(
        "created", tweet.created, last
    )


def future_reason(what: str, when: datetime | None, last: datetime) -> str | None:
    """Return why a time can't be that of something that has happened, or None."""
    return f"{what} {rfc3339(when)} lies in the future" if when and when > last else None
