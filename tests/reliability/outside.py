"""What the users of a service were told, kept outside of it: whatever was said once has to be so ever after."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

LONGEST_ANSWER_S = 30


class Known(NamedTuple):
    """What had been said when a request was sent: tweets, those that are gone, a tag's number, which tags are tracked."""

    shown: frozenset[int]
    gone: frozenset[int]
    number: int
    tags: dict[str, bool]


class Ledger:
    """Told of every request and answer by all threads of the traffic; `wrong` is what can't be. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._change = threading.Lock()
        self._shown: set[int] = set()
        self._gone: set[int] = set()
        self._deleting: set[int] = set()
        self._number, self._tried = 0, 0
        self._tags: dict[str, bool] = {}
        self.wrong: list[str] = []
        self.seen: Counter[str] = Counter()
        self.writes, self.reads = Successes(), Successes()

    def known(self) -> Known:
        with self._change:
            return Known(frozenset(self._shown), frozenset(self._gone), self._number, dict(self._tags))

    def some_shown(self) -> list[int]:
        """Return the tweets that nobody has begun to delete."""
        with self._change:
            return sorted(self._shown - self._deleting)

    def say(self, fault: str) -> None:
        with self._change:
            self.wrong.append(f"{time.strftime('%H:%M:%S')} {fault}")

    def saw_all(self, before: Known, ids: Iterable[int], where: str) -> None:
        """Judge an answer that gives every tweet, and remember it."""
        listed = list(ids)
        found = set(listed)
        if len(listed) != len(found):
            self.say(f"{where}: {len(listed) - len(found)} tweets twice")
        if back := found & before.gone:
            self.say(f"{where}: {len(back)} deleted tweets are back, such as {min(back)}")
        with self._change:
            lost = before.shown - found - self._deleting
            self._shown |= found
            self._gone |= (before.shown - found) & self._deleting
        if lost:
            self.say(f"{where}: {len(lost)} tweets lost that were shown, such as {min(lost)}")

    def saw_one(self, before: Known, tweet: int, *, there: bool) -> None:
        """Judge whether a tweet is there."""
        with self._change:
            deleting = tweet in self._deleting
        if there and tweet in before.gone:
            self.say(f"a deleted tweet is back: {tweet}")
        elif not there and not deleting and tweet in before.shown:
            self.say(f"a tweet is lost that was shown: {tweet}")

    def counted(self, before: Known, count: float, where: str) -> None:
        """Judge how many tweets there are at least."""
        with self._change:
            least = len(before.shown - self._deleting)
        if round(count) < least:
            self.say(f"{where}: lost, {round(count)} tweets of at least {least}")

    def deletes(self, tweet: int) -> None:
        with self._change:
            self._deleting.add(tweet)

    def deleted(self, tweet: int) -> None:
        with self._change:
            self._gone.add(tweet)

    def tries(self, number: int) -> None:
        with self._change:
            self._tried = number

    def saw_number(self, before: Known, number: int, where: str) -> None:
        """Judge the number of the one tag whose number only grows; a write's answer as well as a read's."""
        with self._change:
            tried, self._number = self._tried, max(self._number, number)
        if not before.number <= number <= tried:
            self.say(f"{where}: lost, a number is {number} that was {before.number} and was to be {tried}")

    def tracked(self, tag: str, *, is_so: bool | None) -> None:
        """Note that a tag is tracked, or isn't; None while that is about to change."""
        with self._change:
            self._tags.pop(tag, None) if is_so is None else self._tags.update({tag: is_so})

    def saw_tags(self, before: Known, tags: Iterable[str], where: str) -> None:
        """Judge which tags are tracked, where nobody was changing that meanwhile."""
        now, found = self.known().tags, set(tags)
        for tag, is_so in before.tags.items():
            if now.get(tag) == is_so and (tag in found) != is_so:
                self.say(f"{where}: lost, {tag} is {'not ' * is_so}tracked")


class Successes:
    """When requests of one kind succeeded, and how far apart that is at most."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def add(self) -> None:
        self._times.append(time.monotonic())

    def count(self, since: float) -> int:
        return sum(at >= since for at in list(self._times))

    def longest(self, since: float, until: float) -> float:
        """Return the longest time without a success between two times, in seconds."""
        times = [since, *(at for at in sorted(self._times) if since < at < until), until]
        return max(later - earlier for earlier, later in pairwise(times))
