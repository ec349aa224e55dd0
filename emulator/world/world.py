"""The invented world: which tweets exist at an instant, newest first, and what they say.

A function of the seed, the volume and the time alone: the order of questions does not matter, and what was
once there never changes, unless it is removed. It begins on 2010-11-04, with the ids that carry their time.
X's documentation: a post may become searchable up to 30 seconds after it was made.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from heapq import merge
from typing import NamedTuple

from emulator.endpoints.query import Node, Term, hashtags, judge, words
from emulator.world import snowflake
from emulator.world.authors import InventedAuthors
from emulator.world.dice import Dice
from emulator.world.removals import RemovedPosts
from emulator.world.slots import IdSlot, SlotStream
from emulator.world.tweets import InventedTweet, Post, Traits, media_keys, traits, tweet
from emulator.world.vocabulary import Combination, combinations, known_tags

LATEST_MS = 30_000
_BEGINNING_MS = 1_288_836_000_000  # 2010-11-04T02:00Z, where a slot of any length begins
_PROMPT_MS = 2_500
_MOST_THIN = 256
_CERTAINTY = {False: 0, None: 1, True: 2}


class WorldSpan(NamedTuple):
    """A stretch of ids, both ends exclusive, as seen at an instant (milliseconds since 1970)."""

    after: int
    before: int
    as_of_ms: int


class World:
    """All tweets and people of a seed; tweets is about how many there are in seven days."""

    def __init__(self, seed: int, *, tweets: int, removals: RemovedPosts) -> None:
        self.seed = seed
        self._removals = removals
        self.authors = InventedAuthors(seed, tweets=tweets)
        self._main = SlotStream(f"{seed}/{tweets}", combinations(seed), weekly=tweets, low_bit=0)
        self._thin: dict[str, SlotStream] = {}
        self._verdicts = lru_cache(128)(self._evaluate)
        self.traits: Callable[[int], Traits] = lru_cache(4_096)(self._traits)
        self.tweet: Callable[[Post], InventedTweet] = lru_cache(2_048)(self._tweet)

    def posts(self, query: Node, span: WorldSpan) -> Iterator[Post]:
        """Yield the posts that a search finds, newest first."""
        thin = [tag for tag in hashtags(query) if tag not in known_tags()]
        streams = [self._main, *map(self._thin_stream, thin)]
        found = [self._of_stream(stream, query, span) for stream in streams if any(self._verdicts(stream, query))]
        return found[0] if len(found) == 1 else merge(*found, key=lambda post: post.id, reverse=True)

    def searchable_ms(self, post_id: int) -> int:
        """Return when a post becomes searchable: most within seconds, a quarter up to 30 seconds late."""
        dice = Dice(f"{self.seed} {post_id} lag")
        lag = dice.roll(_PROMPT_MS) if dice.roll(4) else dice.roll(LATEST_MS)
        return snowflake.milliseconds(post_id) + lag

    def holds(self, query: Node, post: Post) -> bool:
        """Return whether a query is true of a post."""
        return bool(judge(query, partial(self._test, post)))

    def _of_stream(self, stream: SlotStream, query: Node, span: WorldSpan) -> Iterator[Post]:
        verdicts = self._verdicts(stream, query)
        after = max(span.after, snowflake.first_id(_BEGINNING_MS) - 1)
        before = min(span.before, snowflake.first_id(span.as_of_ms + 1))
        for index in range(stream.slot_of(max(before - 1, 0)), stream.slot_of(after + 1) - 1, -1):
            slot = stream.slot(index)
            first, end = bisect_left(slot.ids, after + 1), bisect_left(slot.ids, before)
            for at in range(end - 1, first - 1, -1):
                if verdict := verdicts[slot.kinds[at]]:
                    post = self._visible_post(slot, slot.ids[at], stream.tags[slot.kinds[at]], span.as_of_ms)
                    if post is not None and (verdict == 2 or self.holds(query, post)):
                        yield post

    def _visible_post(self, slot: IdSlot, post_id: int, tags: tuple[str, ...], as_of_ms: int) -> Post | None:
        """Return a post if search shows it: it is searchable by now and no later version is."""
        late = snowflake.milliseconds(post_id) > as_of_ms - LATEST_MS and self.searchable_ms(post_id) > as_of_ms
        if late:
            return None
        chain = slot.chains.get(post_id, (post_id,))
        place = chain.index(post_id)
        replaced = any(self.searchable_ms(later) <= as_of_ms for later in chain[place + 1 :])
        if replaced or self._removals.hide(chain):
            return None
        return Post(post_id, chain[: place + 1], tags, self._removals.scrub(chain))

    def alone(self, post_id: int) -> Post | None:
        """Return a post that another one refers to, None if it was removed."""
        chain = (post_id,)
        return None if self._removals.hide(chain) else Post(post_id, chain, (), self._removals.scrub(chain))

    def versions(self, post_id: int) -> tuple[int, ...]:
        """Return all versions of a post; the id alone if it has no others or its rare tag was never asked for."""
        for stream in (self._main, *tuple(self._thin.values())) if post_id < 1 << 63 else ():
            chain = stream.slot(stream.slot_of(post_id)).chains.get(post_id)
            if chain:
                return chain
        return (post_id,)

    def _evaluate(self, stream: SlotStream, query: Node) -> bytes:
        """Return for each combination of tags: 0 the query is false, 1 it depends, 2 it is true."""
        return bytes(_CERTAINTY[judge(query, partial(_tag_test, tags))] for tags in stream.tags)

    def _thin_stream(self, tag: str) -> SlotStream:
        """Return the tweets of a tag outside the vocabulary: some 5 to 60 a week."""
        weekly = 5 + Dice(f"{self.seed} volume {tag}").roll(56)
        stream = self._thin.get(tag)
        if stream is None:
            stream = SlotStream(f"{self.seed} #{tag}", [Combination((tag,), 1)], weekly=weekly, low_bit=1)
            self._thin[tag] = stream
            for oldest in tuple(self._thin)[:-_MOST_THIN]:
                self._thin.pop(oldest, None)
        return stream

    def _traits(self, root: int) -> Traits:
        return traits(f"{self.seed} {root}", root, self.authors)

    def _tweet(self, post: Post) -> InventedTweet:
        return tweet(f"{self.seed} {post.root}", post, self._traits_of(post), self.authors)

    def _traits_of(self, post: Post) -> Traits:
        known = self.traits(post.root)
        return known._replace(place=None) if post.scrubbed else known

    def _test(self, post: Post, term: Term) -> bool:
        if term.operator == "hashtag":
            return term.value in post.tags
        if term.operator in ("phrase", "mention"):
            return self._says(term, post)
        return self._has_trait(term, self._traits_of(post), post)

    def _says(self, term: Term, post: Post) -> bool:
        full = self.tweet(post).writing.full
        if term.operator == "mention":
            return f"@{term.value}" in full.casefold().split()
        sought, said = words(term.value), words(full)
        return any(said[at : at + len(sought)] == sought for at in range(len(said) - len(sought) + 1))

    def _has_trait(self, term: Term, known: Traits, post: Post) -> bool:
        value = term.value
        if term.operator in ("from", "to"):
            who = known.author if term.operator == "from" else known.answered
            return who is not None and value in self._names(who)
        if term.operator == "lang":
            return known.lang == value
        if term.operator == "place_country":
            return known.place is not None and value == known.place.country_code.casefold()
        if term.operator == "conversation_id":
            return value == str(known.parent or post.root)
        return self._flag(value, known, post)

    def _flag(self, flag: str, known: Traits, post: Post) -> bool:
        return {
            "reply": known.parent is not None,
            "quote": known.quoted is not None,
            "verified": self.authors.author(known.author).verified,
            "geo": known.place is not None,
            "hashtags": bool(post.tags),
            "links": known.link or known.lang == "qme",
            "mentions": known.answered is not None,
            "media": bool(media_keys(f"{self.seed} {post.root}", post.root)),
        }.get(flag, False)

    def _names(self, who: int) -> tuple[str, str]:
        author = self.authors.author(who)
        return author.username.casefold(), str(author.id)


def _tag_test(tags: tuple[str, ...], term: Term) -> bool | None:
    return term.value in tags if term.operator == "hashtag" else None
