"""Random collections, with gaps, late posts, edits, growing engagement and kills, against what plain Python would tell."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from alchemy import DatabaseUnavailable
from tests.watches.plain_watches import Hour, PlainHours, PlainNew, PlainPost, PlainState
from tests.watches.worlds import MINUTE, START, Posted, Told, World, opened
from watches import evaluating

TEXTS = ("on call #sre", "outage #sre", "again #sre")


class RandomWorld:
    """A world whose collections are random, and what plain Python knows of it."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.chance, self.state = world, Random(seed), PlainState(START, reached=START)
        self.unseen = list[Posted]()
        world.watch("more", kind="threshold", more_than=4, most_a_day=1000)
        world.watch("fewer", kind="threshold", less_than=2, most_a_day=1000)
        world.watch("new", kind="new", filters="q=outage&min_engagement=3", max_tweets=3, most_a_day=1000)
        self.more, self.fewer, self.silence = PlainHours(START, more=4), PlainHours(START, fewer=2), PlainHours(START)
        self.new = PlainNew(0, word="outage", likes=3)
        self.told = Counter[str]()

    def step(self) -> None:
        """Let some time pass in which posts are written, then collect, change something, and evaluate."""
        before, chance = self.world.now, self.chance
        self.world.pass_time(minutes=chance.choice([1, 5, 20, 60, 60, 60, 150, 400]))
        minutes = (self.world.now - before) // MINUTE
        for number in range(chance.randint(0, minutes // 12 + 1)):
            when = before + chance.randrange(minutes) * MINUTE + number * timedelta(seconds=1)
            self.unseen.append(Posted(when, number, chance.choice(TEXTS), chance.randint(0, 4)))
        chance.choice([self.collect, self.collect, self.collect, self.fill, self.grow, self.archive, self.rest])()
        self.evaluate()

    def rest(self) -> None:
        """Nothing is collected."""

    def collect(self) -> None:
        """Collect what is there; some is searchable late, and a cap may leave out the older part."""
        now, last, found = self.world.now, self.state.reached, [one for one in self.unseen if self.chance.random() < 0.9]
        if self.chance.random() < 0.3 and now - last > 10 * MINUTE:
            gap = last, last + self.chance.randrange(1, (now - last) // MINUTE) * MINUTE
            self.state.gaps.append(gap)
            found = [one for one in found if not gap[0] <= one.when < gap[1]]
        self._store(found)
        self.state.reached = now
        self.world.leave_gaps(*self.state.gaps)

    def fill(self) -> None:
        """Collect all that was left out of the newest gap."""
        if self.state.gaps:
            first, end = self.state.gaps.pop()
            self._store([one for one in self.unseen if first <= one.when < end], until=self.state.reached)
            self.world.leave_gaps(*self.state.gaps)

    def grow(self) -> None:
        """Some tweets are collected again with more likes or another text."""
        stored = [one for one in self.state.posts.values() if self.chance.random() < 0.1]
        again = [Posted(one.when, one.id & (1 << 22) - 1, one.text, one.likes + 2) for one in stored]
        self._store(again, until=self.state.reached)

    def archive(self) -> None:
        """An import has some of the posts."""
        self._store(self.unseen[:2], kind="import")

    def _store(self, posts: list[Posted], **more: Any) -> None:
        run = self.world.collect(*posts, **more)
        self.unseen = [one for one in self.unseen if one not in posts]
        for one in posts:
            known = self.state.posts.get(one.id)
            collection = known.collection if known else None if "kind" in more else run
            self.state.posts[one.id] = PlainPost(one.id, one.when, one.text, one.likes, collection)

    def evaluate(self) -> None:
        """Compare what is recorded with what should be told; before, a process may be killed."""
        if self.chance.random() < 0.3:
            self.kill()
        found = self.world.evaluate(None)
        if self.chance.random() < 0.5:
            self.world.restarted()
        assert self.world.evaluate(None) == []
        self._compare("more", self.more, found)
        self._compare("fewer", self.fewer, found)
        silence = self.silence.check(self.state, self.world.now)
        own = [one for one in found if one.watch == "new"]
        assert [hour(one) for one in own if one.kind == "uncollected"] == silence
        tweets = [tweet for one in own for tweet in one.tweets]
        assert tweets == [tweet for _, tweet in self.new.check(self.state, self.world.now)]
        assert all(len(one.tweets) <= 3 for one in own)
        self.told.update(f"{one.watch} {one.kind}" for one in found)

    def _compare(self, name: str, plain: PlainHours, found: list[Told]) -> None:
        assert [hour(one) for one in found if one.watch == name] == plain.check(self.state, self.world.now), name

    def kill(self) -> None:
        """Kill a process before it has recorded what the first watch found."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evaluating, "_record", killed)
            with suppress(DatabaseUnavailable):
                self.world.evaluate(None)
        self.world.restarted()


def killed(*_given: Any) -> None:
    raise DatabaseUnavailable("killed")


def hour(one: Told) -> Hour:
    return one.kind, one.start, one.end


def compare(seed: int, steps: int) -> Counter[str]:
    with opened() as database:
        random = RandomWorld(World(database), seed)
        for _ in range(steps):
            random.step()
        return random.told


def test_what_is_told_is_what_plain_python_tells(database_backend: str) -> None:
    told = compare(1, 40)
    assert set(told) == {
        *("more threshold", "fewer threshold", "new new"),
        *(f"{name} uncollected" for name in ("more", "fewer", "new")),
    }


@pytest.mark.dialects
@pytest.mark.reliability
@pytest.mark.parametrize("seed", range(2, 6))
def test_many_more_of_these(database_backend: str, seed: int) -> None:
    compare(seed, 120 if database_backend == "sqlite" else 60)
