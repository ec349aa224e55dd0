"""What histories are made of: tweets of invented archives, and posts as X gives them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from tests.fixtures.archives import tweet_id
from tests.queries.test_timeline import CHANGES
from tests.reliability.plain import Json, Measured, Tweet
from tests.reliability.plain_texts import page

TAGS = ("#devops", "#sre", "#Observability")
STARTS = datetime(2025, 12, 31, 7, 10, tzinfo=UTC)
PEOPLE, NAMELESS = 6, 950
EDGES = (-120, 0, 28 * 60, 15, -105)  # minutes from a change of clocks, in which buckets and periods begin and end
TEXTS = ("On call #sre #ops", "nothing new", "Café closed, on call again #Ops #go", "#devops for all: #go #sre", "AND now #GO")
PLACES = (("Peru", "PE"), (None, "CL"), ("Brazil", "BR"), (None, None))
LINKS = ("https://status.example/1", "https://www.Status.Example/?utm_source=x#top", "http://notes.example/a?b=1&utm_medium=y")
CROWD_TEXTS = (
    "The status page is down: outage of the database #sre",
    "@ops Status-page outage again &amp; again, see https://t.co/abc #SRE #ops",
    "東京で障害 status page #devops",
    "on-call since noon, the database is slow #go #sre",
)
CROWD_BEGINS, CROWD, FIRST_OF_CROWD = STARTS.replace(minute=0), 200, 100


def row(number: int, edition: int = 0) -> Tweet:
    """Return a version of a tweet of an archive, for each number and edition always the same one.

    It is some hours from a change of the clocks of some zone, and every other one is where a quarter of an hour begins.
    """
    zone = sorted(CHANGES)[number % len(CHANGES)]
    away = (number * 397) % 3600 - 1800 + number / 60 if number % 2 else EDGES[number // 2 % len(EDGES)]
    created = datetime.fromisoformat(CHANGES[zone]) + timedelta(minutes=away)
    if not number % 2:
        created = created.replace(minute=created.minute // 15 * 15)
    return _written(number, created, f"{TEXTS[(number + edition) % 5]} {number % 20}", edition)


def one_of_a_crowd(number: int) -> Tweet:
    """Return a tweet of twenty days, of which two hours have far more than the others."""
    away = timedelta(hours=number * 5 % 96 - 48) if number % 4 == 0 else timedelta(days=number * 7 % 41 - 20, hours=5)
    if number % 4 > 1:
        away = timedelta(hours=5 if number % 3 else 30, minutes=number * 7 % 60)
    text = CROWD_TEXTS[number // 4 % 4] if number % 4 > 1 else TEXTS[number % 5]
    return _written(number, CROWD_BEGINS + away, text, 0)


def _written(number: int, created: datetime, text: str, edition: int) -> Tweet:
    tags = [TAGS[:1], TAGS[1:2], TAGS[:2], (), TAGS[1:]][number % 5]
    author = None if number % 7 == 6 else NAMELESS if number % 11 == 10 else 900 + (number // 4) ** 2 % 7 % PEOPLE
    lang, rash = (None, "en", "pt", "PT")[(number + edition) % 4], tags[0] if tags else None
    country, code = PLACES[number % 4]
    own, turn = tweet_id(created, number), number + edition
    tweet = Tweet([own], text, created, lang, country, code, author, rash, set(tags))
    tweet.versions += [own + (nth << 32) for nth in range(1, edition + 1)]
    tweet.links = set(LINKS[: turn % 7]) if turn % 2 else set()
    tweet.mentions = {f"user_{turn % 5}"} if turn % 3 else set()
    tweet.kinds = {kind for at, kind in enumerate(("media", "reply", "quote")) if turn % (at + 2) == 1}
    return tweet


def measured(number: int, turn: int) -> dict[datetime, Measured]:
    """Return numbers of a tweet: most at three times that come again, in any order, some not at all, some never all."""
    if number % 6 == 5:
        return {}
    numbers = [(number * place + 17 * turn) % 23 if (number + turn + place) % 5 else None for place in range(1, 7)]
    given = numbers if any(one is not None for one in numbers) else [0] * 6
    return {datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=turn * 2 % 3): tuple(given)}


def posted(post: Json, places: Mapping[str, Json], tag: str, now: datetime) -> Tweet:
    """Return X's object of a tweet as a tweet that a tag found now."""
    place = places.get(post.get("geo", {}).get("place_id"), {})
    versions = list(map(int, post["edit_history_tweet_ids"]))
    created = datetime.fromisoformat(post["created_at"]).replace(microsecond=0)
    if len(versions) > 1:
        created = datetime.fromtimestamp(second_of(versions[0]), UTC)
    text = post.get("note_tweet", {}).get("text") or post["text"]
    author = int(post["author_id"]) if "author_id" in post else None
    where = (place.get("country"), place.get("country_code"))
    tweet = Tweet(versions, text, created, post.get("lang"), *where, author, None, {tag})
    _note_contents(tweet, post, now)
    return tweet


def _note_contents(tweet: Tweet, post: Json, now: datetime) -> None:
    """Note the links, mentions and numbers of X's object of a tweet, and what it is."""
    entities = [post.get("entities", {}), post.get("note_tweet", {}).get("entities", {})]
    urls = [url for some in entities for url in some.get("urls", ())]
    tweet.links = {page(url.get("unwound_url") or url["expanded_url"]) for url in urls}
    tweet.mentions = {one["username"].lower() for some in entities for one in some.get("mentions", ())}
    named = {"replied_to": "reply", "quoted": "quote"}
    tweet.kinds = {named[one["type"]] for one in post.get("referenced_tweets", ())}
    tweet.kinds |= {"reply"} if "in_reply_to_user_id" in post else set()
    tweet.kinds |= {"media"} if post.get("attachments") else set()
    counts = post["public_metrics"]
    keys = ("like_count", "retweet_count", "reply_count", "quote_count", "bookmark_count", "impression_count")
    tweet.measured = {now: tuple(counts[key] for key in keys)}


def second_of(tweet_id: int) -> int:
    """Return the second of an id."""
    return ((tweet_id >> 22) + 1288834974657) // 1000
