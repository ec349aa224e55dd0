"""Everything about a tweet but its id and hashtags.

Traits are what queries ask for and cost a few microseconds; text and metrics are made only for tweets that are returned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from math import cos, pi
from typing import NamedTuple

from emulator.world import snowflake
from emulator.world.authors import InventedAuthors
from emulator.world.seeded_random import SeededRandom, hash_number
from emulator.world.slots import spelling
from emulator.world.word_lists import EMOJI, INCIDENT, LANGUAGES, PLACES, Place

_HOUR_MS = 3_600_000
_LONGEST_TEXT = 280
_SHORTEST_HALF_LIFE_MS, _HALF_LIVES = 20 * 60_000, 36  # 20 minutes to 12 hours
INCIDENT_TAGS = ("sre", "outage")
"""The tags of a tweet of an incident; no other has these alone."""
LINK = re.compile(r"https://t\.co/[A-Za-z0-9]{10}")
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Post(NamedTuple):
    """A tweet that exists: history holds its versions up to this one, oldest first; tags are casefolded.

    scrubbed: whether its place was removed.
    """

    id: int
    history: tuple[int, ...]
    tags: tuple[str, ...]
    scrubbed: bool = False

    @property
    def root(self) -> int:
        """The id of the first version, on which everything depends but the version mark in the text."""
        return self.history[0]


class Traits(NamedTuple):
    """author and replied_author are numbers of authors; replied_to and quoted are tweet ids."""

    author: int
    lang: str
    link: bool
    long: bool
    place: Place | None
    replied_to: int | None
    replied_author: int | None
    quoted: int | None


class Engagement(NamedTuple):
    """The counts that X calls public metrics."""

    reposts: int
    replies: int
    likes: int
    quotes: int
    bookmarks: int
    impressions: int


class InventedTweet(NamedTuple):
    """A whole tweet; media are the keys of its pictures and videos.

    most: the engagement that it reaches in the end; half_life_ms: the age at which half of its readers have seen it.
    """

    post: Post
    traits: Traits
    writing: Writing
    media: tuple[str, ...]
    most: Engagement
    half_life_ms: int

    def as_retweet(self) -> InventedTweet:
        """Return it as a retweet of somebody's post, whose text X cuts."""
        text = f"RT @{self.writing.text}" if self.writing.text.startswith("@") else f"RT @somebody: {self.writing.text}"
        return self._replace(writing=self.writing._replace(text=text[:_LONGEST_TEXT], long_text=None))

    def engagement(self, at_ms: int) -> Engagement:
        """Return the engagement at an instant. It never falls; what readers do comes later than that they read."""
        age_ms = max(at_ms - snowflake.milliseconds(self.post.root), 0)
        seen = 1 - 0.5 ** (age_ms / self.half_life_ms)
        shares = (*[seen**1.5] * (len(self.most) - 1), seen)
        return Engagement(*(int(count * share) for count, share in zip(self.most, shares, strict=True)))

    @property
    def urls(self) -> tuple[str, ...]:
        """The links of the text, and where they lead."""
        links = LINK.findall(self.writing.full_text)
        return (*links, f"https://{self.address}") if links else ()

    @property
    def address(self) -> str:
        """The address, without its scheme, to which the links of the text lead."""
        if self.post.tags == INCIDENT_TAGS:
            return f"status.example.com/{self.post.id % 10}"
        return f"example.com/notes/{self.post.id % 100_000}"


def invented_traits(key: str, root: int, authors: InventedAuthors) -> Traits:
    """Return the traits that belong to a key and the id of a first version."""
    rng = SeededRandom(f"{key} traits")
    lang = _languages(snowflake.milliseconds(root) // _HOUR_MS % 24)[rng.below(1 << 10)]
    author = authors.random_author(lang, rng)
    kind = rng.below(100)
    back = root - ((rng.below(_HOUR_MS) + 5_000) << snowflake.LOW_BITS)
    return Traits(
        author=author,
        lang=lang,
        link=rng.below(100) < 35,
        long=rng.below(100) < 2 and lang not in ("und", "qme"),
        place=rng.choice(PLACES) if rng.one_in(100) else None,
        replied_to=back if kind < 14 else None,
        replied_author=authors.random_author(lang, rng) if kind < 14 else None,
        quoted=back if 14 <= kind < 18 else None,
    )


def invented_tweet(key: str, post: Post, traits: Traits, authors: InventedAuthors) -> InventedTweet:
    """Return the whole tweet."""
    mention = None if traits.replied_author is None else authors.author(traits.replied_author).username
    rng = SeededRandom(f"{key} metrics")
    reach = 20 + authors.author(traits.author).followers / 6
    seen = min(rng.heavy_tail(median=reach, spread=0.9), 60_000_000)
    likes = int(seen * rng.fraction() ** 3 / 12)
    most = Engagement(
        reposts=int(likes * rng.fraction() / 3),
        replies=int(likes * rng.fraction() / 5),
        likes=likes,
        quotes=int(likes * rng.fraction() / 20),
        bookmarks=int(likes * rng.fraction() / 4),
        impressions=seen,
    )
    half_life_ms = int(_SHORTEST_HALF_LIFE_MS * _HALF_LIVES ** rng.fraction())
    return InventedTweet(post, traits, _write(key, post, traits, mention), media_keys(key, post.root), most, half_life_ms)


def media_keys(key: str, root: int) -> tuple[str, ...]:
    """Return the media of a tweet, as X names them by kind and id: none of most, one to four pictures, or a video."""
    rng = SeededRandom(f"{key} media")
    kind = rng.below(100)
    if kind < 2:
        return (f"7_{root}",)
    return tuple(f"3_{root + nth}" for nth in range(1 + rng.below(4))) if kind < 14 else ()


@cache
def _languages(hour: int) -> tuple[str, ...]:
    """Return 1,024 languages in the proportions of an hour of the day, UTC: most tweets are written by day."""
    shares = [language.share * (1 + 0.75 * cos(2 * pi * (hour - language.noon - 2) / 24)) for language in LANGUAGES]
    whole, found = sum(shares), list[str]()
    for language, share in zip(LANGUAGES, shares, strict=True):
        found += [language.code] * round(share / whole * 1024)
    return (*found, *["en"] * 1024)[:1024]


class Writing(NamedTuple):
    """The text of a tweet. long_text is None unless the tweet is long; then text is its beginning."""

    text: str
    long_text: str | None
    tags: tuple[str, ...]

    @property
    def full_text(self) -> str:
        """Everything the author wrote."""
        return self.text if self.long_text is None else self.long_text


def _write(key: str, post: Post, traits: Traits, mention: str | None) -> Writing:
    rng = SeededRandom(f"{key} text")
    tags = tuple(_spell(tag, rng) for tag in post.tags)
    parts = _sentences(traits, rng) if post.tags != INCIDENT_TAGS else [_numbered(INCIDENT, rng)]
    if rng.below(3) == 0 or traits.lang == "und":
        parts.append(" ".join(rng.choice(EMOJI) for _ in range(1 + rng.below(2))))
    hashtags = " ".join(f"#{tag}" for tag in tags)
    parts.insert(0 if rng.one_in(6) and not traits.long else len(parts), hashtags)
    if len(post.history) > 1:
        parts.append(f"(v{len(post.history)})")
    if traits.link or traits.lang == "qme":
        parts.append(link(f"{key} link"))
    body = " ".join(part for part in ((f"@{mention}" if mention else ""), *parts) if part)
    if len(body) <= _LONGEST_TEXT:
        return Writing(body, None, tags)
    ending = f"… {link(f'{key} more')}"
    beginning = body[: _LONGEST_TEXT - len(ending)].rsplit(" ", 1)[0].rstrip()
    return Writing(beginning + ending, body, tags)


def link(key: str) -> str:
    """Return a shortened link, fixed by its key."""
    rest, letters = hash_number(key), ""
    for _ in range(10):
        rest, letter = divmod(rest, len(_ALPHABET))
        letters += _ALPHABET[letter]
    return f"https://t.co/{letters}"


def _sentences(traits: Traits, rng: SeededRandom) -> list[str]:
    known = _by_language()[traits.lang]
    number = 9 + rng.below(5) if traits.long else 1 + (rng.below(3) == 0)
    chosen = [_numbered(known, rng) for _ in range(number)]
    return list(dict.fromkeys(chosen))


def _numbered(known: Sequence[str], rng: SeededRandom) -> str:
    return rng.choice(known).replace("{n}", str(rng.below(97) + 3))


def _spell(tag: str, rng: SeededRandom) -> str:
    style = rng.below(12)
    return spelling(tag) if style > 6 else tag.upper() if style == 0 else tag


@cache
def _by_language() -> dict[str, tuple[str, ...]]:
    return {language.code: language.sentences for language in LANGUAGES}
