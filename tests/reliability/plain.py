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

Json = dict[str, Any]
HASHTAG = re.compile(r"#(\w+)")
WORD = re.compile(r"\w+")


class Person(NamedTuple):
    """An author as of their newest observation."""

    name: str
    username: str
    followers: int | None
    observed: datetime


@dataclass
class Tweet:
    """A tweet; `versions` are its ids, oldest first, and `tags` found it, the first one as `rash`."""

    versions: list[int]
    text: str
    created: datetime
    lang: str | None
    country: str | None
    code: str | None
    author: int | None
    rash: str | None
    tags: set[str] = field(default_factory=set)

    @property
    def id(self) -> int:
        return self.versions[0]


class Asked(NamedTuple):
    """Filters as a client writes them."""

    tag: tuple[str, ...] = ()
    lang: str | None = None
    country: str | None = None
    author: str | None = None
    q: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    min_followers: int | None = None

    def query(self) -> list[tuple[str, str]]:
        """Return the parameters of a request."""
        pairs = [("tag", tag) for tag in self.tag]
        for name, value in self._asdict().items():
            if name != "tag" and value is not None:
                pairs.append((name, shown(value) or "" if isinstance(value, datetime) else str(value)))
        return pairs


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
            self.tweets.setdefault(tweet.id, tweet).tags |= tweet.tags
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
        words = set(WORD.findall(tweet.text.casefold()))
        by_code = asked.country is not None and len(asked.country) == 2
        return all(
            (
                {tag.lower() for tag in asked.tag} <= {tag.lower() for tag in tweet.tags},
                asked.lang is None or (tweet.lang or "").lower() == asked.lang.lower(),
                asked.country is None or by_code or tweet.country == asked.country,
                not by_code or (tweet.code or "").lower() == (asked.country or "").lower(),
                asked.author is None or (person is not None and person.username.lower() == asked.author.lower()),
                asked.q is None or set(WORD.findall(asked.q.casefold())) <= words,
                asked.since is None or tweet.created >= asked.since,
                asked.until is None or tweet.created < asked.until,
                asked.min_followers is None or (followers is not None and followers >= asked.min_followers),
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
        }

    def _followers(self, tweet: Tweet) -> int | None:
        person = self.people.get(tweet.author or 0)
        return person.followers if person else None

    def sorted(self, asked: Asked, order: str) -> list[Tweet]:
        found, name = self.wanted(asked), order.removeprefix("-")
        if name == "followers":
            known = [tweet for tweet in found if self._followers(tweet) is not None]
            unknown = [tweet for tweet in found if self._followers(tweet) is None]
            known.sort(key=lambda tweet: (self._followers(tweet), tweet.id), reverse=order[0] == "-")
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
        rows = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        unknown = sum(not some for some in values) / len(found) if found else None
        return {"facets": [{"value": value, "tweets": number} for value, number in rows], "unknown_share": unknown}

    def _values(self, tweet: Tweet, by: str) -> set[str]:
        if by == "tag":
            return tweet.tags
        person = self.people.get(tweet.author or 0)
        author = person.username if person else None
        return {{"lang": (tweet.lang or "").lower(), "country": tweet.country or tweet.code, "author": author}[by] or ""} - {""}

    def related(self, asked: Asked, tag: str) -> dict[str, tuple[int, float, float]]:
        """Return number, share and lift by hashtag, in lower case."""
        everything = self.wanted(asked)
        base = [tweet for tweet in everything if tag.lower() in {each.lower() for each in tweet.tags}]
        everywhere = Counter(key for tweet in everything for key in _hashtags(tweet))
        beside = Counter(key for tweet in base for key in _hashtags(tweet))
        return {
            key: (number, number / len(base), round(number * len(everything) / (len(base) * everywhere[key]), 2))
            for key, number in beside.items()
            if key != tag.lower()
        }

    def authors(self, asked: Asked) -> list[Json]:
        """Return who wrote what is wanted, whoever X did not name included, most followed first."""
        written = Counter(tweet.author for tweet in self.tweets.values())
        rows: list[tuple[Any, Json]] = []
        for own in {tweet.author for tweet in self.wanted(asked) if tweet.author is not None}:
            person = self.people.get(own)
            name, username, followers = person[:3] if person else (None, None, None)
            row = {"author": name, "followers": followers, "username": username, "tweets": written[own]}
            rows.append(((followers is None, -(followers or 0), username or "", own), row))
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
                    "partial": start < first or stop > end or stop > now.timestamp(),
                }
            )
        return rows


def _hashtags(tweet: Tweet) -> set[str]:
    return {f"#{name}".lower() for name in HASHTAG.findall(tweet.text)}
