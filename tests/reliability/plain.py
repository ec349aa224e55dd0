"""What the service should answer, in plain Python: tweets in a dictionary, every count a loop over all of them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from operator import itemgetter
from typing import Any, NamedTuple

from tests.queries.clocks import naive
from tests.reliability.plain_texts import matches

Json = dict[str, Any]
HASHTAG = re.compile(r"#(\w+)")
NUMBERS = ("likes", "reposts", "replies", "quotes", "bookmarks", "views")
KINDS = ("media", "link", "reply", "quote")
Measured = tuple[int | None, ...]
"""What X gave of NUMBERS."""


class Person(NamedTuple):
    """An author as of their newest observation."""

    name: str
    username: str
    followers: int | None
    observed: datetime


@dataclass
class Tweet:
    """A tweet; `versions` are its ids, oldest first, and `tags` found it, the first one as `rash`.

    Of `kinds` those are noted that its links don't tell. `measured` are its numbers at each time at which X gave some.
    """

    versions: list[int]
    text: str
    created: datetime
    lang: str | None
    country: str | None
    code: str | None
    author: int | None
    rash: str | None
    tags: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    mentions: set[str] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    measured: dict[datetime, Measured] = field(default_factory=dict)

    @property
    def id(self) -> int:
        return self.versions[0]

    @property
    def has(self) -> list[str]:
        return [kind for kind in KINDS if kind in self.kinds or (kind == "link" and self.links)]

    @property
    def numbers(self) -> dict[str, int | None]:
        """The newest numbers, and their engagement."""
        newest = self.measured[max(self.measured)] if self.measured else (None,) * len(NUMBERS)
        return dict(zip(NUMBERS, newest, strict=True)) | {"engagement": total(newest[:4])}

    def merge(self, other: Tweet) -> None:
        """Take what was found of the same tweet: tags and numbers add up, the rest is that of the newest version."""
        if other.versions[-1] > self.versions[-1]:
            for name in ("text", "lang", "country", "code", "links", "mentions", "kinds"):
                setattr(self, name, getattr(other, name))
        self.versions = sorted({*self.versions, *other.versions})
        self.tags |= other.tags
        for at, numbers in other.measured.items():
            pairs = zip(numbers, self.measured.get(at, numbers), strict=True)
            self.measured[at] = tuple(max((one for one in pair if one is not None), default=None) for pair in pairs)


class Asked(NamedTuple):
    """Filters as a client writes them."""

    tag: tuple[str, ...] = ()
    any_tag: tuple[str, ...] = ()
    has: tuple[str, ...] = ()
    lang: str | None = None
    country: str | None = None
    author: str | None = None
    q: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_followers: int | None = None
    min_engagement: int | None = None

    def query(self) -> list[tuple[str, str]]:
        """Return the parameters of a request."""
        pairs = list[tuple[str, str]]()
        for name, value in self._asdict().items():
            if isinstance(value, tuple):
                pairs += [(name, one) for one in value]
            elif value is not None:
                pairs.append((name, shown(value) or "" if isinstance(value, datetime) else str(value)))
        return pairs


def engagement(tweets: Iterable[Tweet]) -> int | None:
    """Return the sum of what is known, None if nothing is."""
    return total(tweet.numbers["engagement"] for tweet in tweets)


def key(tag: str) -> str:
    """Return a hashtag as tags are compared, whether or not it is written with its #."""
    return f"#{tag.lower().removeprefix('#')}"


def total(numbers: Iterable[int | None]) -> int | None:
    """Return the sum of what is known, None if nothing is."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def shown(when: datetime | None) -> str | None:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when else None


class Plain:
    """All tweets and people that should be stored."""

    def __init__(self) -> None:
        self.tweets: dict[int, Tweet] = {}
        self.people: dict[int, Person] = {}
        self.gone: set[int] = set()
        self.gone_people: set[int] = set()

    def store(self, tweets: Iterable[Tweet], people: Mapping[int, Person]) -> None:
        """Take what was found, in order. What was deleted stays away, and so does what came of a person with nothing else.

        The newest observation of a person counts.
        """
        kept = [one for one in tweets if self.gone.isdisjoint(one.versions) and one.author not in self.gone_people]
        for tweet in kept:
            self.tweets.setdefault(tweet.id, tweet).merge(tweet)
        authors = {tweet.author for tweet in kept}
        for own, person in people.items():
            if own in authors and (own not in self.people or self.people[own].observed < person.observed):
                self.people[own] = person

    def delete(self, own: int) -> None:
        tweet = self.tweets.pop(own, None)
        self.gone |= set(tweet.versions) if tweet else {own}
        self._forget_idle()

    def delete_person(self, username: str) -> int:
        """Remove a person, and return of how many tweets."""
        found = [own for own, person in self.people.items() if person.username.lower() == username.lower()]
        self.gone_people |= set(found)
        theirs = [tweet.id for tweet in self.tweets.values() if tweet.author in found]
        for own in theirs:
            self.delete(own)
        return len(theirs)

    def expire(self, limit: datetime) -> None:
        """Remove what was posted before a time; it may come back."""
        self.tweets = {own: tweet for own, tweet in self.tweets.items() if tweet.created >= limit}
        self._forget_idle()

    def drop(self) -> None:
        self.tweets.clear()
        self.people.clear()

    def _forget_idle(self) -> None:
        writers = {tweet.author for tweet in self.tweets.values()}
        self.people = {own: person for own, person in self.people.items() if own in writers}

    def wanted(self, asked: Asked) -> list[Tweet]:
        """Return the tweets that the filters let through, by id."""
        return [tweet for _, tweet in sorted(self.tweets.items()) if self._wanted(tweet, asked)]

    def _wanted(self, tweet: Tweet, asked: Asked) -> bool:
        person = self.people.get(tweet.author or 0)
        followers = self._followers(tweet)
        tags, engagement = set(map(key, tweet.tags)), tweet.numbers["engagement"]
        by_code = asked.country is not None and len(asked.country) == 2
        return all(
            (
                set(map(key, asked.tag)) <= tags,
                not asked.any_tag or not tags.isdisjoint(map(key, asked.any_tag)),
                {*asked.has} <= {*tweet.has},
                asked.lang is None or (tweet.lang or "").lower() == asked.lang.lower(),
                asked.country is None or by_code or tweet.country == asked.country,
                not by_code or (tweet.code or "").lower() == (asked.country or "").lower(),
                asked.author is None or (person is not None and person.username.lower() == asked.author.lower()),
                asked.q is None or matches(asked.q, tweet.text),
                asked.since is None or tweet.created >= asked.since,
                asked.until is None or tweet.created < asked.until,
                asked.min_followers is None or (followers is not None and followers >= asked.min_followers),
                asked.min_engagement is None or (engagement is not None and engagement >= asked.min_engagement),
            )
        )

    def shown(self, tweet: Tweet) -> Json:
        """Return a tweet as the API shows it."""
        person = self.people.get(tweet.author or 0)
        return {
            "tweet": tweet.text,
            "author": person and person.name,
            "followers": person and person.followers,
            "created": shown(tweet.created),
            "lang": tweet.lang,
            "country": tweet.country,
            "rash": tweet.rash,
            "id": str(tweet.id),
            "username": person and person.username,
            "tags": sorted(tweet.tags, key=str.casefold),
            "country_code": tweet.code,
            "author_id": None if tweet.author is None else str(tweet.author),
            "observed": person and shown(person.observed),
            "version": str(tweet.versions[-1]),
            "versions": list(map(str, tweet.versions)),
            **tweet.numbers,
            "measured": shown(max(tweet.measured, default=None)),
            "has": tweet.has,
            "links": sorted(tweet.links),
            "mentions": sorted(tweet.mentions),
        }

    def detailed(self, tweet: Tweet) -> Json:
        """Return a tweet as the API shows a single one, with all that is known of its numbers."""
        history = sorted(tweet.measured.items())
        return {
            **self.shown(tweet),
            "measurements": [{"at": shown(at), **dict(zip(NUMBERS, numbers, strict=True))} for at, numbers in history],
        }

    def _followers(self, tweet: Tweet) -> int | None:
        person = self.people.get(tweet.author or 0)
        return person.followers if person else None

    def sorted(self, asked: Asked, order: str) -> list[Tweet]:
        found, name = self.wanted(asked), order.removeprefix("-")
        if name not in ("id", "created"):
            values = {tweet.id: self._followers(tweet) if name == "followers" else tweet.numbers[name] for tweet in found}
            known = [tweet for tweet in found if values[tweet.id] is not None]
            unknown = [tweet for tweet in found if values[tweet.id] is None]
            known.sort(key=lambda tweet: (values[tweet.id], tweet.id), reverse=order[0] == "-")
            return known + sorted(unknown, key=lambda tweet: tweet.id, reverse=order[0] == "-")
        key: Callable[[Tweet], Any] = (lambda tweet: (tweet.created, tweet.id)) if name == "created" else lambda tweet: tweet.id
        return sorted(found, key=key, reverse=order[0] == "-")

    def hours(self, asked: Asked, zone: tzinfo) -> Json:
        counts = Counter(tweet.created.astimezone(zone).hour for tweet in self.wanted(asked))
        return {"tweets_per_hour": [{"at_hour": f"{hour:02d}:00", "tweets": counts[hour]} for hour in range(24)]}

    def per_tag(self, asked: Asked) -> Json:
        counts: dict[str, Counter[str | None]] = defaultdict(Counter)
        for tweet in self.wanted(asked):
            for tag in tweet.tags:
                counts[tag][tweet.lang] += 1
        lists = []
        for tag in sorted(counts, key=str.casefold):
            ordered = sorted(counts[tag].items(), key=lambda each: (-each[1], each[0] is None, each[0]))
            lists.append([{"rash": tag, "lang": lang, "tweets": number} for lang, number in ordered])
        return {"tweets_per_tags": lists}

    def facets(self, asked: Asked, by: str) -> Json:
        found = self.wanted(asked)
        values = [self._values(tweet, by) for tweet in found]
        counts = Counter(value for some in values for value in some)
        unknown = sum(not some for some in values) / len(found) if found else None
        rows = []
        for value, number in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
            theirs = engagement(tweet for tweet, some in zip(found, values, strict=True) if value in some)
            rows.append({"value": value, "tweets": number, "engagement": theirs})
        return {"facets": rows, "unknown_share": unknown}

    def _values(self, tweet: Tweet, by: str) -> set[str]:
        if by == "tag":
            return tweet.tags
        person = self.people.get(tweet.author or 0)
        author = person.username if person else None
        return {{"lang": (tweet.lang or "").lower(), "country": tweet.country or tweet.code, "author": author}[by] or ""} - {""}

    def found_by(self, tag: str) -> tuple[int, int | None]:
        """Return how many tweets a tag has found, and their engagement."""
        own = [tweet for tweet in self.tweets.values() if tag in tweet.tags]
        return len(own), engagement(own)

    def related(self, asked: Asked, tag: str) -> dict[str, tuple[int, float, float]]:
        """Return number, share and lift by hashtag, in lower case."""
        everything = self.wanted(asked)
        base = [tweet for tweet in everything if tag.lower() in {each.lower() for each in tweet.tags}]
        everywhere = Counter(key for tweet in everything for key in hashtags(tweet))
        beside = Counter(key for tweet in base for key in hashtags(tweet))
        return {
            key: (number, number / len(base), round(number * len(everything) / (len(base) * everywhere[key]), 2))
            for key, number in beside.items()
            if key != tag.lower()
        }

    def authors(self, asked: Asked, order: str = "-followers") -> list[Json]:
        """Return who wrote what is wanted, whoever X did not name included, unknown numbers last both ways."""
        written = defaultdict[int | None, list[Tweet]](list)
        for tweet in self.tweets.values():
            written[tweet.author].append(tweet)
        rows: list[tuple[Any, Json]] = []
        for own in {tweet.author for tweet in self.wanted(asked) if tweet.author is not None}:
            person = self.people.get(own)
            name, username, followers = person[:3] if person else (None, None, None)
            row: Json = {"author": name, "followers": followers, "username": username}
            row |= {"tweets": len(written[own]), "engagement": engagement(written[own])}
            value = row[order.removeprefix("-")]
            rows.append(((value is None, (value or 0) * (-1 if order[0] == "-" else 1), username or "", own), row))
        return [row for _, row in sorted(rows, key=itemgetter(0))]

    def timeline(self, asked: Asked, bucket: timedelta, zone: tzinfo, now: datetime) -> list[Json]:
        """Return the buckets from `since` to `until`, which must both be there."""
        assert asked.since is not None
        assert asked.until is not None
        first, end, found = int(asked.since.timestamp()), int(asked.until.timestamp()), self.wanted(asked)
        rows = []
        for start, stop in naive(zone, bucket, (first, end)):
            here = [tweet for tweet in found if start <= tweet.created.timestamp() < stop]
            rows.append(
                {
                    "start": shown(datetime.fromtimestamp(start, UTC)),
                    "end": shown(datetime.fromtimestamp(stop, UTC)),
                    "tweets": len(here),
                    "authors": len({tweet.author for tweet in here} - {None}),
                    "engagement": engagement(here),
                    "partial": start < first or stop > end or stop > now.timestamp(),
                }
            )
        return rows


def hashtags(tweet: Tweet) -> set[str]:
    """Return the hashtags of its text, in lower case."""
    return {f"#{name}".lower() for name in HASHTAG.findall(tweet.text)}
