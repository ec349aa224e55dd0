"""The dear stage of the world: everything about a tweet but its id and tags.

Traits are what queries ask for and cost a few microseconds; the rest is made for tweets that are returned.
"""

from __future__ import annotations

from functools import cache
from math import cos, pi
from typing import NamedTuple

from emulator.world import snowflake
from emulator.world.authors import InventedAuthors
from emulator.world.dice import Dice
from emulator.world.phrases import LANGUAGES
from emulator.world.places import PLACES, Place
from emulator.world.writing import Manner, Writing, write_tweet

_HOUR_MS = 3_600_000


class Post(NamedTuple):
    """A tweet that exists: history holds its versions up to this one, oldest first; tags are casefolded.

    scrubbed: whether its place was taken from it.
    """

    id: int
    history: tuple[int, ...]
    tags: tuple[str, ...]
    scrubbed: bool = False

    @property
    def root(self) -> int:
        """The id of the first version, on which everything but the wording's version depends."""
        return self.history[0]


class Traits(NamedTuple):
    """author and answered are numbers of people; parent is the id answered, quoted the id quoted."""

    author: int
    lang: str
    link: bool
    long: bool
    place: Place | None
    parent: int | None
    answered: int | None
    quoted: int | None


class InventedTweet(NamedTuple):
    """A whole tweet; media are the keys of its pictures and videos, the counts those X calls public metrics."""

    post: Post
    traits: Traits
    writing: Writing
    media: tuple[str, ...]
    reposts: int
    replies: int
    likes: int
    quotes: int
    bookmarks: int
    impressions: int


def traits(key: str, root: int, authors: InventedAuthors) -> Traits:
    """Return the traits that belong to a key and the id of a first version."""
    dice = Dice(f"{key} traits")
    lang = _languages(snowflake.milliseconds(root) // _HOUR_MS % 24)[dice.roll(1 << 10)]
    author = authors.draw(lang, dice)
    kind = dice.roll(100)
    back = root - ((dice.roll(_HOUR_MS) + 5_000) << snowflake.LOW_BITS)
    return Traits(
        author=author,
        lang=lang,
        link=dice.roll(100) < 35,
        long=dice.roll(100) < 2 and lang not in ("und", "qme"),
        place=dice.pick(PLACES) if dice.chance(100) else None,
        parent=back if kind < 14 else None,
        answered=authors.draw(lang, dice) if kind < 14 else None,
        quoted=back if 14 <= kind < 18 else None,
    )


def tweet(key: str, post: Post, known: Traits, authors: InventedAuthors) -> InventedTweet:
    """Return the whole tweet."""
    mention = None if known.answered is None else authors.author(known.answered).username
    version = len(post.history) - 1
    writing = write_tweet(key, Manner(known.lang, post.tags, mention, known.link, known.long, version))
    dice = Dice(f"{key} metrics")
    reach = 20 + authors.author(known.author).followers / 6
    seen = min(dice.heavy_tail(median=reach, spread=0.9), 60_000_000)
    likes = int(seen * dice.share() ** 3 / 12)
    return InventedTweet(
        post=post,
        traits=known,
        writing=writing,
        media=media_keys(key, post.root),
        reposts=int(likes * dice.share() / 3),
        replies=int(likes * dice.share() / 5),
        likes=likes,
        quotes=int(likes * dice.share() / 20),
        bookmarks=int(likes * dice.share() / 4),
        impressions=seen,
    )


def media_keys(key: str, root: int) -> tuple[str, ...]:
    """Return the media of a tweet, as X names them by kind and id: none of most, one to four pictures, or a video."""
    dice = Dice(f"{key} media")
    kind = dice.roll(100)
    if kind < 2:
        return (f"7_{root}",)
    return tuple(f"3_{root + nth}" for nth in range(1 + dice.roll(4))) if kind < 14 else ()


@cache
def _languages(hour: int) -> tuple[str, ...]:
    """Return 1,024 languages in the proportions of an hour of the day, UTC: people write while they are awake."""
    shares = [language.share * (1 + 0.75 * cos(2 * pi * (hour - language.noon - 2) / 24)) for language in LANGUAGES]
    whole, found = sum(shares), list[str]()
    for language, share in zip(LANGUAGES, shares, strict=True):
        found += [language.code] * round(share / whole * 1024)
    return (*found, *["en"] * 1024)[:1024]
