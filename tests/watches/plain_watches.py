"""What watches should tell, in plain Python: posts in a list, every count a loop, and everything that was told remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GRACE = 2 * HOUR
Hour = tuple[str, datetime, datetime]
"""The kind of a message, and the time that it is about."""


@dataclass
class PlainPost:
    """A post as it is stored: when it was posted, its text and likes, and the number of the collection that stored it."""

    id: int
    when: datetime
    text: str
    likes: int
    collection: int | None


@dataclass
class PlainState:
    """What is stored: the posts by id, until when was collected, and the times that were left out."""

    begin: datetime
    reached: datetime
    posts: dict[int, PlainPost] = field(default_factory=dict)
    gaps: list[tuple[datetime, datetime]] = field(default_factory=list)

    def is_collected(self, minute: datetime) -> bool:
        """Whether all of a minute was collected."""
        within = self.begin <= minute and minute + timedelta(minutes=1) <= self.reached
        return within and not any(first < minute + timedelta(minutes=1) and minute < end for first, end in self.gaps)

    def tweets(self, hour: datetime) -> int:
        return sum(hour <= post.when < hour + HOUR for post in self.posts.values())

    def missing(self, hour: datetime) -> datetime | None:
        """Return the first minute of an hour that was not collected."""
        return next((one for one in (hour + at * HOUR / 60 for at in range(60)) if not self.is_collected(one)), None)


class PlainHours:
    """A watch of hours: more than a number of tweets or fewer; with neither, only whether they were collected."""

    def __init__(self, begin: datetime, *, more: int | None = None, fewer: int | None = None) -> None:
        self.next, self.more, self.fewer = begin, more, fewer
        self.told: set[datetime] = set()
        self.is_silent = False

    def check(self, state: PlainState, now: datetime) -> list[Hour]:
        found, hour, waits = list[Hour](), self.next, False
        while hour <= now:
            missing = state.missing(hour)
            if not waits:
                if missing is None:
                    self.is_silent = False
                elif not self.is_silent and missing + GRACE <= now:
                    found.append(("uncollected", missing, _collected_again(state, missing, now)))
                    self.is_silent = True
                waits = missing is not None and hour + HOUR + GRACE > now
                self.next = hour if waits else hour + HOUR
            is_new = all(hour > one for one in self.told)
            exceeds = self.more is not None and is_new and state.tweets(hour) > self.more
            lacks = self.fewer is not None and missing is None and not waits and state.tweets(hour) < self.fewer
            if exceeds or lacks:
                found.append(("threshold", hour, hour + HOUR))
            hour += HOUR
        self.told |= {start for kind, start, _ in found if kind == "threshold"}
        return found


class PlainNew:
    """A watch of new tweets that have a word and so many likes."""

    def __init__(self, after: int, *, word: str, likes: int) -> None:
        self.after, self.word, self.likes, self.told = after, word, likes, set[int]()

    def check(self, state: PlainState, now: datetime) -> list[tuple[int, int]]:
        """Return collections with their tweets."""
        found = sorted(
            (post.collection, post.id)
            for post in state.posts.values()
            if post.collection is not None and post.collection > self.after
            if post.id not in self.told and post.when >= now - 8 * DAY
            if self.word in post.text and post.likes >= self.likes
        )
        self.told |= {own for _, own in found}
        return found


def _collected_again(state: PlainState, minute: datetime, now: datetime) -> datetime:
    while minute < now and not state.is_collected(minute):
        minute += timedelta(minutes=1)
    return min(minute, now)
