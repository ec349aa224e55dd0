"""The invented world: which tweets exist at an instant, and what they say.

The world depends only on the seed, the volume and the time: the order of requests does not matter, and of a tweet only
its engagement changes unless it is removed. It begins on 2010-11-04, when ids began to carry their time.
X's documentation: a post may become searchable up to 30 seconds after it was made. Seen since: some become so much later, and
searches by keywords and hashtags give no retweets since 2026-05-04, while counts still count them.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from heapq import merge
from typing import NamedTuple

from emulator.query import Node, Term, evaluate, hashtags, words
from emulator.world import snowflake
from emulator.world.authors import InventedAuthors
from emulator.world.incidents import IncidentStream
from emulator.world.seeded_random import SeededRandom
from emulator.world.slots import Combination, IdSlot, SlotStream, combinations, known_tags
from emulator.world.tweets import InventedTweet, Post, Traits, invented_traits, invented_tweet, media_keys

LONGEST_LAG_MS = 30_000
REASONS = ("deleted", "bounced", "protected", "suspended", "deactivated", "scrub_geo")
_BEGINNING_MS = 1_288_836_000_000  # 2010-11-04T02:00Z, where a slot of any length begins
_USUAL_LAG_MS = 2_500
_LATEST_LAG_MS = 2 * 3_600_000
_RETWEETS_HIDDEN_MS = 1_777_852_800_000  # 2026-05-04
_MOST_RARE_STREAMS = 256
_RETWEET = Term("is", "retweet")
_CERTAINTY = {False: 0, None: 1, True: 2}


class Removal(NamedTuple):
    """Why and when, in milliseconds since 1970. scrub_geo removes only the place, any other reason the post."""

    reason: str
    at_ms: int


class RemovedPosts:
    """The removed ids; any version's id stands for the whole post. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, Removal] = {}
        self._hidden: frozenset[int] = frozenset()
        self._scrubbed: frozenset[int] = frozenset()

    def add(self, ids: Iterable[int], removal: Removal, *, replace: bool = False) -> None:
        """Remove ids, also unknown ones; a later reason replaces an earlier one. Raises ValueError for an unknown reason."""
        if removal.reason not in REASONS:
            raise ValueError(f"unknown reason {removal.reason!r}; known are {', '.join(REASONS)}")
        with self._lock:
            self._set({**({} if replace else self._known), **dict.fromkeys(ids, removal)})

    def clear(self) -> None:
        """Reinstate everything."""
        with self._lock:
            self._set({})

    def all(self) -> dict[int, Removal]:
        """Return the removed ids in the order of their removal."""
        return dict(self._known)

    def is_hidden(self, versions: Iterable[int]) -> bool:
        """Return whether the post with these versions is removed."""
        return not self._hidden.isdisjoint(versions)

    def is_scrubbed(self, versions: Iterable[int]) -> bool:
        """Return whether the place of the post with these versions is removed."""
        return not self._scrubbed.isdisjoint(versions)

    def _set(self, known: dict[int, Removal]) -> None:
        self._known = known
        self._scrubbed = frozenset(one for one, removal in known.items() if removal.reason == "scrub_geo")
        self._hidden = frozenset(known.keys() - self._scrubbed)


class PostRange(NamedTuple):
    """Ids between two exclusive bounds, as seen at an instant (milliseconds since 1970)."""

    after: int
    before: int
    as_of_ms: int


class PostOddities(NamedTuple):
    """How many posts of 100 are retweets, and how many of 1,000 become searchable up to two hours late."""

    retweets: int = 0
    late: int = 0


NO_ODDITIES = PostOddities()


class World:
    """All tweets and authors of a seed; tweets is about how many there are in seven days."""

    def __init__(
        self,
        seed: int,
        *,
        tweets: int,
        removals: RemovedPosts,
        oddities: PostOddities = NO_ODDITIES,
        incidents: bool = False,
    ) -> None:
        self.seed, self._oddities = seed, oddities
        self._longest_lag_ms = _LATEST_LAG_MS if oddities.late else LONGEST_LAG_MS
        self._removals = removals
        self.authors = InventedAuthors(seed, tweets=tweets)
        self._main = SlotStream(f"{seed}/{tweets}", combinations(seed), weekly=tweets, low_bit=0)
        self._incidents = IncidentStream(seed) if incidents else None
        self._usual: tuple[SlotStream, ...] = (self._main, self._incidents) if self._incidents else (self._main,)
        self._rare: dict[str, SlotStream] = {}
        self._results = lru_cache(128)(self._evaluate)
        self.traits: Callable[[int], Traits] = lru_cache(4_096)(self._make_traits)
        self.tweet: Callable[[Post], InventedTweet] = lru_cache(2_048)(self._make_tweet)

    def posts(self, query: Node, span: PostRange) -> Iterator[Post]:
        """Yield the posts that match a query, newest first."""
        rare = [tag for tag in hashtags(query) if tag not in known_tags()]
        streams = [*self._usual, *map(self._rare_stream, rare)]
        found = [self._of_stream(stream, query, span) for stream in streams if any(self._results(stream, query))]
        return found[0] if len(found) == 1 else merge(*found, key=lambda post: post.id, reverse=True)

    def found(self, query: Node, span: PostRange) -> Iterator[Post]:
        """Yield the posts that a search finds, newest first: since 2026-05-04 it leaves out retweets."""
        posts = self.posts(query, span)
        return filter(self._is_found, posts) if self._oddities.retweets else posts

    def _is_found(self, post: Post) -> bool:
        return snowflake.milliseconds(post.root) < _RETWEETS_HIDDEN_MS or not self._is_retweet(post.root)

    def _is_retweet(self, root: int) -> bool:
        share = self._oddities.retweets
        return bool(share) and SeededRandom(f"{self.seed} {root} retweet").below(100) < share

    def searchable_ms(self, post_id: int) -> int:
        """Return when a post becomes searchable: most within seconds, a quarter up to 30 seconds late, a few much later."""
        rng = SeededRandom(f"{self.seed} {post_id} lag")
        if self._oddities.late and SeededRandom(f"{self.seed} {post_id} late").below(1_000) < self._oddities.late:
            return snowflake.milliseconds(post_id) + LONGEST_LAG_MS + rng.below(_LATEST_LAG_MS - LONGEST_LAG_MS)
        lag = rng.below(_USUAL_LAG_MS) if rng.below(4) else rng.below(LONGEST_LAG_MS)
        return snowflake.milliseconds(post_id) + lag

    def matches(self, query: Node, post: Post, at_ms: int) -> bool:
        """Return whether a query is true of a post at an instant."""
        return bool(evaluate(query, partial(self._test, post, at_ms)))

    def post(self, post_id: int, as_of_ms: int) -> Post | None:
        """Return a version of a post by its id, None if it does not exist at an instant or was removed.

        A post with a rare tag exists once somebody has searched for that tag.
        """
        if not snowflake.first_id(_BEGINNING_MS) <= post_id < snowflake.first_id(as_of_ms + 1):
            return None
        for stream in self._streams():
            slot = stream.slot(stream.slot_of(post_id))
            at = bisect_left(slot.ids, post_id)
            if at < len(slot.ids) and slot.ids[at] == post_id:
                return self._existing_post(post_id, slot.chains.get(post_id, (post_id,)), stream.tags[slot.tag_sets[at]])
        return None

    def _existing_post(self, post_id: int, chain: tuple[int, ...], tags: tuple[str, ...]) -> Post | None:
        history = chain[: chain.index(post_id) + 1]
        return None if self._removals.is_hidden(chain) else Post(post_id, history, tags, self._removals.is_scrubbed(chain))

    def _streams(self) -> tuple[SlotStream, ...]:
        return (*self._usual, *tuple(self._rare.values()))

    def _of_stream(self, stream: SlotStream, query: Node, span: PostRange) -> Iterator[Post]:
        results = self._results(stream, query)
        after = max(span.after, snowflake.first_id(_BEGINNING_MS) - 1)
        before = min(span.before, snowflake.first_id(span.as_of_ms + 1))
        for index in range(stream.slot_of(max(before - 1, 0)), stream.slot_of(after + 1) - 1, -1):
            slot = stream.slot(index)
            first, end = bisect_left(slot.ids, after + 1), bisect_left(slot.ids, before)
            for at in range(end - 1, first - 1, -1):
                if result := results[slot.tag_sets[at]]:
                    post = self._visible_post(slot, slot.ids[at], stream.tags[slot.tag_sets[at]], span.as_of_ms)
                    if post is not None and (result == 2 or self.matches(query, post, span.as_of_ms)):
                        yield post

    def _visible_post(self, slot: IdSlot, post_id: int, tags: tuple[str, ...], as_of_ms: int) -> Post | None:
        """Return a post if search shows it: it is searchable by now and no later version is."""
        if snowflake.milliseconds(post_id) > as_of_ms - self._longest_lag_ms and self.searchable_ms(post_id) > as_of_ms:
            return None
        chain = slot.chains.get(post_id, (post_id,))
        if any(self.searchable_ms(later) <= as_of_ms for later in chain[chain.index(post_id) + 1 :]):
            return None
        return self._existing_post(post_id, chain, tags)

    def referenced_post(self, post_id: int) -> Post | None:
        """Return a post that another one replies to or quotes, None if it was removed."""
        chain = (post_id,)
        return None if self._removals.is_hidden(chain) else Post(post_id, chain, (), self._removals.is_scrubbed(chain))

    def versions(self, post_id: int) -> tuple[int, ...]:
        """Return all versions of a post; only the id if it has no others or nobody searched for its rare tag."""
        for stream in self._streams() if post_id < 1 << 63 else ():
            chain = stream.slot(stream.slot_of(post_id)).chains.get(post_id)
            if chain:
                return chain
        return (post_id,)

    def _evaluate(self, stream: SlotStream, query: Node) -> bytes:
        """Return for each combination of tags: 0 if the query is false, 1 if it depends on the post, 2 if it is true."""
        return bytes(_CERTAINTY[evaluate(query, partial(self._tag_test, tags))] for tags in stream.tags)

    def _rare_stream(self, tag: str) -> SlotStream:
        """Return the tweets of a tag outside the word lists: some 5 to 60 a week."""
        weekly = 5 + SeededRandom(f"{self.seed} volume {tag}").below(56)
        stream = self._rare.get(tag)
        if stream is None:
            stream = SlotStream(f"{self.seed} #{tag}", [Combination((tag,), 1)], weekly=weekly, low_bit=1)
            self._rare[tag] = stream
            for oldest in tuple(self._rare)[:-_MOST_RARE_STREAMS]:
                self._rare.pop(oldest, None)
        return stream

    def _make_traits(self, root: int) -> Traits:
        traits = invented_traits(f"{self.seed} {root}", root, self.authors)
        incidents = self._incidents
        return incidents.traits(traits, root, self.authors) if incidents and incidents.has(root) else traits

    def _make_tweet(self, post: Post) -> InventedTweet:
        tweet = invented_tweet(f"{self.seed} {post.root}", post, self._traits_of(post), self.authors)
        return tweet.as_retweet() if self._is_retweet(post.root) else tweet

    def _traits_of(self, post: Post) -> Traits:
        traits = self.traits(post.root)
        return traits._replace(place=None) if post.scrubbed else traits

    def _test(self, post: Post, at_ms: int, term: Term) -> bool:
        if term.operator == "hashtag":
            return term.value in post.tags
        if term.operator in ("phrase", "mention", "url"):
            return self._contains(term, post)
        if term.operator.startswith("min_"):
            return int(getattr(self.tweet(post).engagement(at_ms), term.operator.removeprefix("min_"))) >= int(term.value)
        return self._has_trait(term, self._traits_of(post), post)

    def _contains(self, term: Term, post: Post) -> bool:
        tweet = self.tweet(post)
        full = tweet.writing.full_text
        if term.operator == "url":
            return any(_has_phrase(words(url), words(term.value)) for url in tweet.urls)
        if term.operator == "mention":
            return f"@{term.value}" in full.casefold().split()
        return _has_phrase(words(full), words(term.value))

    def _has_trait(self, term: Term, traits: Traits, post: Post) -> bool:
        value = term.value
        if term.operator in ("from", "to"):
            number = traits.author if term.operator == "from" else traits.replied_author
            author = None if number is None else self.authors.author(number)
            return author is not None and value in (author.username.casefold(), str(author.id))
        if term.operator == "lang":
            return traits.lang == value
        if term.operator == "place_country":
            return traits.place is not None and value == traits.place.country_code.casefold()
        if term.operator == "conversation_id":
            return value == str(traits.replied_to or post.root)
        return self._flag(value, traits, post)

    def _flag(self, flag: str, traits: Traits, post: Post) -> bool:
        return {
            "retweet": self._is_retweet(post.root),
            "reply": traits.replied_to is not None,
            "quote": traits.quoted is not None,
            "verified": self.authors.author(traits.author).verified,
            "geo": traits.place is not None,
            "hashtags": bool(post.tags),
            "links": traits.link or traits.lang == "qme",
            "mentions": traits.replied_author is not None,
            "media": bool(media_keys(f"{self.seed} {post.root}", post.root)),
        }.get(flag, False)

    def _tag_test(self, tags: tuple[str, ...], term: Term) -> bool | None:
        if term == _RETWEET and not self._oddities.retweets:
            return False
        return term.value in tags if term.operator == "hashtag" else None


def _has_phrase(text: list[str], phrase: list[str]) -> bool:
    return any(text[at : at + len(phrase)] == phrase for at in range(len(text) - len(phrase) + 1))
