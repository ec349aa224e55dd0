"""Values observed at X or read from an archive, before they are stored."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import NamedTuple


class ObservedAuthor(NamedTuple):
    """An author as observed at a time (aware UTC); fields that were not given are None. `payload` is X's object, packed."""

    id: int
    username: str | None
    name: str | None
    followers: int | None
    observed: datetime
    payload: bytes | None = None


class Measurement(NamedTuple):
    """The numbers that X gave of a tweet at a time (aware UTC, to the second); those that it did not give are None."""

    at: datetime
    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    quotes: int | None = None
    bookmarks: int | None = None
    views: int | None = None

    @property
    def engagement(self) -> int | None:
        """Likes, reposts, replies and quotes together, as far as they are known; None where none of them is."""
        known = [number for number in self[1:5] if number is not None]
        return sum(known) if known else None


class TweetVersion(NamedTuple):
    """One version of a tweet. `versions` are the ids of all versions known with it, oldest first.

    `payload` is X's object, packed; `retrieved` (UTC) is when X gave it. `links` are as text.links.canonical_url writes them,
    `mentions` are usernames in lower case, each once. `measurements` are all that are known of the tweet, of any version.
    """

    version: int
    versions: tuple[int, ...]
    text: str
    created: datetime
    lang: str | None
    country: str | None
    country_code: str | None
    author_id: int | None
    hashtags: tuple[str, ...]
    payload: bytes | None = None
    retrieved: datetime | None = None
    links: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    has_media: bool = False
    is_reply: bool = False
    is_quote: bool = False
    measurements: tuple[Measurement, ...] = ()

    @property
    def id(self) -> int:
        """The first version's id, under which the tweet is stored."""
        return self.versions[0]

    @property
    def has_link(self) -> bool:
        return bool(self.links)

    @property
    def engagement(self) -> int | None:
        """The engagement by the newest measurement; None where that has none."""
        return self.measurements[-1].engagement if self.measurements else None

    def observed_at(self, when: datetime) -> TweetVersion:
        """Return the version as X gave it at this time (UTC)."""
        measured = tuple(one._replace(at=when.replace(microsecond=0)) for one in self.measurements)
        return self._replace(retrieved=when, measurements=measured)


class ArchivedTweet(NamedTuple):
    """A tweet of an archive. Our own exports name the tags that found it; for other archives `tags` is None."""

    tweet: TweetVersion
    tags: tuple[str, ...] | None = None
    rash: str | None = None


class ResultPage(NamedTuple):
    """One page of a search, newest tweet first. `refused` are the reasons why objects could not be read.

    `posts` and `users` are the ids of all objects in the answer, which X charges for; `oldest` is the lowest id of a post.
    `given` are the fields of REQUIRED_FIELDS that at least one post has.
    """

    tweets: tuple[TweetVersion, ...]
    authors: tuple[ObservedAuthor, ...]
    next_token: str | None
    refused: tuple[str, ...]
    posts: frozenset[int]
    users: frozenset[int]
    oldest: int | None
    given: frozenset[str]


class FoundUsers(NamedTuple):
    """Users that were looked up. `refused` are the reasons why some could not be read; `ids` are all that X charges for."""

    authors: tuple[ObservedAuthor, ...]
    refused: tuple[str, ...]
    ids: frozenset[int]


class FoundTweets(NamedTuple):
    """Posts that were looked up by their ids. `refused` are the reasons why some could not be read.

    `posts` are the ids of all that X charges for; `gone` those that X says do not exist, `withheld` those that it does not show
    for another reason.
    """

    tweets: tuple[TweetVersion, ...]
    refused: tuple[str, ...]
    posts: frozenset[int]
    gone: frozenset[int]
    withheld: frozenset[int]


class TagRef(NamedTuple):
    """A known tag; `key` is its case-folded spelling, by which tags are compared and ordered."""

    id: int
    key: str
    tag: str


class TaggedTweet(NamedTuple):
    """A tweet and the tags that found it; `rash`, if given, takes the place of the first tag by name."""

    tweet: TweetVersion
    tags: tuple[TagRef, ...]
    rash: TagRef | None = None


def stand_in_id(username: str) -> int:
    """Return a negative stand-in for the id of an author of whom only the username is known; X's ids are positive."""
    return -(int.from_bytes(blake2b(username.casefold().encode(), digest_size=8).digest(), "big") >> 1) - 1


class Failure(NamedTuple):
    """Why a collection, a tag or a scheduled job failed: a kind for code, and a sentence without its full stop for people."""

    kind: str
    reason: str
