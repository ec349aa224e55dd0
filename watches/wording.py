"""Words of messages: what a watch is about, when something was, and a quoted tweet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from queries.resonance import reactions
from queries.tweets import TweetView
from queries.zones import DAY
from schemas.filter_words import filter_words, searched
from text.entities import plain
from text.names import hashtag
from text.phrases import UNBROKEN, as_of, compact, enumeration, zone_name
from watches.definitions import WatchDefinition
from watches.sections import QuotedTweet

LONGEST_SUBJECT, LONGEST_FILTERS, LONGEST_TEXT, LONGEST_AUTHOR, MOST_LINES = 60, 300, 500, 80, 12
DATE = "%a %-d %b %Y"


def subject(definition: WatchDefinition) -> str:
    """Return what the watch is about, such as `#a or #b “outage”`: tags and search, else other filters; empty without."""
    pairs = parse_qsl(definition.filters)
    needed, others = ([hashtag(value) for name, value in pairs if name == own] for own in ("tag", "any_tag"))
    tags = " with ".join([*needed, " or ".join(others)] if others else needed)
    said = [one for one in (tags, *(_searched(value) for name, value in pairs if name == "q")) if one]
    return shortened(" ".join(said) or all_filters(definition), LONGEST_SUBJECT)


def all_filters(definition: WatchDefinition) -> str:
    """Return all filters as pages say them, such as `tag #devops, contains: outage, language de`; empty without."""
    return shortened(", ".join(" ".join(filter_words(*pair)) for pair in parse_qsl(definition.filters)), LONGEST_FILTERS)


def _searched(text: str) -> str:
    wanted, unwanted = ([f"“{part.written}”" for part in own] for own in searched(text))
    return " ".join([*wanted, f"without {' or '.join(unwanted)}"] if unwanted else wanted)


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters; one that is longer ends with …"""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def about(definition: WatchDefinition, sentence: str) -> str:
    """Return a sentence that begins with what the watch is about, if it has filters."""
    of = subject(definition)
    return f"{of}: {sentence}" if of else sentence


def when(definition: WatchDefinition, start: datetime, end: datetime, now: datetime) -> str:
    """Return a bucket in words, such as `between 15:00 and 16:00 UTC`, with the day if it is not today's."""
    first, last, today = (one.astimezone(definition.zone) for one in (start, end, now))
    if definition.length == DAY:
        return f"on {first:{DATE}}"
    begin, until = zone_name(first), zone_name(last)
    times = f"between {first:%H:%M}{'' if begin == until else f' {begin}'} and {last:%H:%M} {until}"
    return times if first.date() == today.date() else f"{times} on {first:{DATE}}"


def quoted(views: Iterable[TweetView], zone: ZoneInfo) -> Iterator[QuotedTweet]:
    """Yield tweets as messages quote them: a long text is cut, and what is known of its numbers is said with its time."""
    for view in views:
        who = " ".join([one for one in (plain(view.author), view.username and f"@{view.username}") if one]) or "unknown author"
        followers = "" if view.followers is None else f", {compact(view.followers)} followers"
        author = f"{shortened(who, LONGEST_AUTHOR)}{followers}"
        yield QuotedTweet(author, _numbers(view, zone), tuple(_lines(plain(view.text))), tweet_url(view))


def tweet_url(view: TweetView) -> str:
    """Return the address of a tweet on X."""
    return f"https://x.com/{view.username or 'i'}/status/{view.version}"


def _numbers(view: TweetView, zone: ZoneInfo) -> str:
    said = reactions(view)
    return f"{said} {as_of(view.measured, view.created, zone)}" if said and view.measured else said


def _lines(text: str) -> list[str]:
    lines = [line for line in shortened(text, LONGEST_TEXT).splitlines() if line.strip()] or ["(no text)"]
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], "…"]


def listed(names: Iterable[str], most: int) -> str:
    """Return names as a list in a sentence, at most so many and how many more there are."""
    found = list(names)
    more = [f"{len(found) - most} more"] if len(found) > most else []
    return enumeration([*found[:most], *more]).replace(UNBROKEN, " ")
