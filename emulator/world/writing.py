"""The words of a tweet, and where the hashtags, links and mentions in them stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from emulator.world.dice import Dice, number
from emulator.world.phrases import EMOJI, LANGUAGES
from emulator.world.vocabulary import spelling

LONGEST_TEXT = 280
_LINK = re.compile(r"https://t\.co/[A-Za-z0-9]{10}")
_MENTION = re.compile(r"@([A-Za-z0-9_]{1,15})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class TextSpan(NamedTuple):
    """A stretch of a text: start inclusive, end exclusive, in code points of the text as sent."""

    start: int
    end: int
    value: str


class Writing(NamedTuple):
    """What a tweet says. whole is None unless the tweet is long; then text is its beginning."""

    text: str
    whole: str | None
    tags: tuple[str, ...]

    @property
    def full(self) -> str:
        """Everything the author wrote."""
        return self.whole if self.whole is not None else self.text


class Manner(NamedTuple):
    """How a tweet is to be written. mention: a username answered, or None; version: 0 unless edited."""

    lang: str
    tags: tuple[str, ...]
    mention: str | None
    link: bool
    long: bool
    version: int


def write_tweet(key: str, manner: Manner) -> Writing:
    """Return the writing that belongs to a key; the key is the first version's id."""
    dice = Dice(f"{key} text")
    tags = tuple(_spell(tag, dice) for tag in manner.tags)
    parts = _sentences(manner, dice)
    if dice.roll(3) == 0 or manner.lang == "und":
        parts.append(" ".join(dice.pick(EMOJI) for _ in range(1 + dice.roll(2))))
    signs = " ".join(f"#{tag}" for tag in tags)
    parts.insert(0 if dice.chance(6) and not manner.long else len(parts), signs)
    if manner.version:
        parts.append(f"(v{manner.version + 1})")
    if manner.link or manner.lang == "qme":
        parts.append(link(f"{key} link"))
    body = " ".join(part for part in ((f"@{manner.mention}" if manner.mention else ""), *parts) if part)
    return _shorten(key, body, tags)


def link(key: str) -> str:
    """Return a shortened link, fixed by its key."""
    rest, letters = number(key), ""
    for _ in range(10):
        rest, letter = divmod(rest, len(_ALPHABET))
        letters += _ALPHABET[letter]
    return f"https://t.co/{letters}"


def hashtag_spans(text: str, tags: Sequence[str]) -> list[TextSpan]:
    """Return where the tags stand in a text, in order; tags that a cut took away are left out."""
    spans: list[TextSpan] = []
    at = 0
    for tag in tags:
        start = text.find(f"#{tag}", at)
        if start >= 0:
            at = start + len(tag) + 1
            spans.append(TextSpan(start, at, tag))
    return spans


def link_spans(text: str) -> list[TextSpan]:
    """Return where the shortened links stand."""
    return [TextSpan(found.start(), found.end(), found[0]) for found in _LINK.finditer(text)]


def mention_spans(text: str) -> list[TextSpan]:
    """Return where usernames are mentioned; the value has no @."""
    return [TextSpan(found.start(), found.end(), found[1]) for found in _MENTION.finditer(text)]


def _shorten(key: str, body: str, tags: tuple[str, ...]) -> Writing:
    if len(body) <= LONGEST_TEXT:
        return Writing(body, None, tags)
    tail = f"… {link(f'{key} more')}"
    beginning = body[: LONGEST_TEXT - len(tail)].rsplit(" ", 1)[0].rstrip()
    return Writing(beginning + tail, body, tags)


def _sentences(manner: Manner, dice: Dice) -> list[str]:
    known = _by_language()[manner.lang]
    count = 9 + dice.roll(5) if manner.long else 1 + (dice.roll(3) == 0)
    chosen = [dice.pick(known).replace("{n}", str(dice.roll(97) + 3)) for _ in range(count)]
    return list(dict.fromkeys(chosen))


def _spell(tag: str, dice: Dice) -> str:
    style = dice.roll(12)
    return spelling(tag) if style > 6 else tag.upper() if style == 0 else tag


@cache
def _by_language() -> dict[str, tuple[str, ...]]:
    return {language.code: language.sentences for language in LANGUAGES}
