"""Pages of posts as X's JSON: tweets, authors and places with the requested fields and expansions, and what is sold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from emulator.endpoints.parameters import RENAMED, Params, names
from emulator.http.messages import Json, not_shown
from emulator.world import snowflake
from emulator.world.authors import InventedAuthor
from emulator.world.tweets import LINK, InventedTweet, Post, Traits
from emulator.world.word_lists import Place
from emulator.world.world import World

_DEFAULT_TWEET = frozenset({"id", "text", "edit_history_tweet_ids"})
_DEFAULT_USER = frozenset({"id", "name", "username"})
_DEFAULT_PLACE = frozenset({"id", "full_name"})
_EDITABLE_MS = 3_600_000
_IMPLIED = {
    **{name: name for name in ("author_id", "in_reply_to_user_id", "username", "referenced_tweets")},
    **dict.fromkeys(("referenced_tweets.id", "referenced_tweets.id.author_id"), "referenced_tweets"),
    "attachments.media_keys": "attachments",
    "entities.mentions.username": "entities",
    "geo.place_id": "geo",
}
"""X's documentation: the id of what an expansion includes comes with the tweet."""
_MENTION = re.compile(r"@([A-Za-z0-9_]{1,15})")


class SoldPage(NamedTuple):
    """The parts of a 200 answer, data None if its key is absent, and the ids of the objects that are sold with it."""

    meta: Json
    data: list[Json] | None
    includes: dict[str, list[Json]]
    errors: tuple[Json, ...] = ()
    posts: tuple[int, ...] = ()
    users: tuple[int, ...] = ()

    @property
    def body(self) -> Json:
        """The body; X leaves out what is empty."""
        parts: Json = {"data": self.data, "includes": self.includes, "errors": self.errors, "meta": self.meta}
        return {name: part for name, part in parts.items() if part}


def sold_page(world: World, params: Params, now_ms: int, tweets: Sequence[InventedTweet], meta: Json) -> SoldPage:
    """Return the page of these tweets. Expansions include each object once, in the order of the tweets."""
    post_vocabulary, expansions = "post.fields" in params, names(params, "expansions")
    tweet_fields = names(params, "post.fields" if post_vocabulary else "tweet.fields")
    tweet_fields |= {_IMPLIED[name] for name in expansions & _IMPLIED.keys()}
    render = Renderer(world, now_ms, tweet_fields, names(params, "user.fields"), names(params, "place.fields"), post_vocabulary)
    referenced, authors, places = dict[int, Post](), dict[int, str](), dict[str, Place]()
    for tweet in tweets:
        referenced.update((post.id, post) for post in _referenced_posts(world, tweet, expansions))
        for number, parameter in _authors(tweet.traits, expansions):
            authors.setdefault(number, parameter)
        if tweet.traits.place and "geo.place_id" in expansions:
            places[tweet.traits.place.id] = tweet.traits.place
    if "referenced_tweets.id.author_id" in expansions:
        for post in referenced.values():
            authors.setdefault(world.traits(post.root).author, "referenced_tweets.id.author_id")
    expanded = [(world.authors.author(number), parameter) for number, parameter in authors.items()]
    users = [author for author, _ in expanded if author.absence is None]
    includes = {
        "users": [render.user(author) for author in users],
        "posts" if post_vocabulary else "tweets": [render.tweet(world.tweet(post)) for post in referenced.values()],
        "places": [render.place(place) for place in places.values()],
    }
    return SoldPage(
        meta,
        data=[render.tweet(tweet) for tweet in tweets],
        includes={name: part for name, part in includes.items() if part},
        errors=tuple(
            not_shown("user", str(author.id), parameter, suspended=author.absence == "suspended")
            for author, parameter in expanded
            if author.absence is not None
        ),
        posts=(*(tweet.post.id for tweet in tweets), *referenced),
        users=tuple(author.id for author in users),
    )


def _referenced_posts(world: World, tweet: InventedTweet, expansions: frozenset[str]) -> Iterator[Post]:
    if expansions & {"referenced_tweets", "referenced_tweets.id", "referenced_tweets.id.author_id"}:
        for other in (tweet.traits.replied_to, tweet.traits.quoted):
            post = world.referenced_post(other) if other else None
            if post is not None:
                yield post
    if "edit_history_tweet_ids" in expansions:
        history = tweet.post.history
        for nth, version in enumerate(history[:-1]):
            yield tweet.post._replace(id=version, history=history[: nth + 1])


def _authors(traits: Traits, expansions: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Yield the numbers of a tweet's authors, each with the expansion that includes them."""
    if "author_id" in expansions:
        yield traits.author, "author_id"
    for parameter in ("in_reply_to_user_id", "entities.mentions.username"):
        if traits.replied_author is not None and parameter in expansions:
            yield traits.replied_author, parameter


class Renderer(NamedTuple):
    """Renders for one request: the fields beside the default ones, the vocabulary and the instant."""

    world: World
    at_ms: int
    tweet_fields: frozenset[str]
    user_fields: frozenset[str]
    place_fields: frozenset[str]
    post_vocabulary: bool

    def tweet(self, tweet: InventedTweet) -> Json:
        return self._renamed(_chosen(self._tweet_fields(tweet), self.tweet_fields | _DEFAULT_TWEET))

    def _renamed(self, found: Json) -> Json:
        """Return an object with the keys of the requested vocabulary."""
        if not self.post_vocabulary:
            return found
        metrics = found.get("public_metrics")
        if isinstance(metrics, dict):
            found["public_metrics"] = {RENAMED.get(name, name): count for name, count in metrics.items()}
        return {RENAMED.get(name, name): value for name, value in found.items()}

    def user(self, author: InventedAuthor) -> Json:
        everything: Json = {
            "id": str(author.id),
            "name": author.name,
            "username": author.username,
            "created_at": snowflake.rfc3339(1_262_304_000_000 + author.id % 450_000_000 * 1000),
            "description": author.description,
            "location": author.location or None,
            "protected": author.protected,
            "verified": author.verified,
            "verified_type": "blue" if author.verified else "none",
            "profile_image_url": f"https://example.com/faces/{author.number}_normal.jpg",
            "public_metrics": {
                "followers_count": author.followers_at(self.at_ms),
                "following_count": author.following,
                "tweet_count": author.tweets,
                "listed_count": author.listed,
                "like_count": author.likes,
                "media_count": author.tweets // 9,
            },
        }
        return self._renamed(_chosen(everything, self.user_fields | _DEFAULT_USER))

    def place(self, place: Place) -> Json:
        west, south = place.longitude - 0.2, place.latitude - 0.2
        everything: Json = {
            "id": place.id,
            "full_name": place.full_name,
            "name": place.name,
            "country": place.country,
            "country_code": place.country_code,
            "place_type": place.place_type,
            "geo": {"type": "Feature", "bbox": [west, south, west + 0.4, south + 0.4], "properties": {}},
        }
        return _chosen(everything, self.place_fields | _DEFAULT_PLACE)

    def _tweet_fields(self, tweet: InventedTweet) -> Json:
        """Return every field of a tweet, None for those that it doesn't have."""
        post, traits, author = tweet.post, tweet.traits, self.world.authors.author
        text, long_text = tweet.writing.text, tweet.writing.long_text
        note: Json = {"text": long_text, "entities": self._entities(tweet, long_text)} if long_text else {}
        engagement = tweet.engagement(self.at_ms)
        references = (("replied_to", traits.replied_to), ("quoted", traits.quoted))
        return {
            "id": str(post.id),
            "text": text,
            "edit_history_tweet_ids": [str(version) for version in post.history],
            "created_at": snowflake.rfc3339(snowflake.milliseconds(post.id)),
            "lang": traits.lang,
            "geo": {"place_id": traits.place.id} if traits.place else None,
            "public_metrics": {
                "retweet_count": engagement.reposts,
                "reply_count": engagement.replies,
                "like_count": engagement.likes,
                "quote_count": engagement.quotes,
                "bookmark_count": engagement.bookmarks,
                "impression_count": engagement.impressions,
            },
            "author_id": str(author(traits.author).id),
            "in_reply_to_user_id": None if traits.replied_author is None else str(author(traits.replied_author).id),
            "entities": self._entities(tweet, text),
            "note_tweet": _filled(note) or None,
            "referenced_tweets": [{"type": kind, "id": str(other)} for kind, other in references if other] or None,
            "attachments": {"media_keys": list(tweet.media)} if tweet.media else None,
            "conversation_id": str(traits.replied_to or post.root),
            "display_text_range": [0, len(text)],
            "paid_partnership": False,
            "possibly_sensitive": False,
            "username": author(traits.author).username,
            "reply_settings": "everyone",
            "source": "Emulator",
            "edit_controls": {
                "edits_remaining": 5 - (len(post.history) - 1),
                "is_edit_eligible": traits.replied_to is None,
                "editable_until": snowflake.rfc3339(snowflake.milliseconds(post.root) + _EDITABLE_MS),
            },
        }

    def _entities(self, tweet: InventedTweet, text: str) -> Json | None:
        """Return the entities of a text with their positions: start inclusive, end exclusive, in code points."""
        if not self.tweet_fields & {"entities", "note_tweet"}:
            return None
        shown = tweet.address
        url = {"expanded_url": f"https://{shown}", "display_url": shown}
        found: Json = {
            "hashtags": list(_hashtags(text, tweet.writing.tags)),
            "urls": [{"start": one.start(), "end": one.end(), "url": one[0], **url} for one in LINK.finditer(text)],
            "mentions": [
                {"start": one.start(), "end": one.end(), "username": one[1], **self._id_of(one[1])}
                for one in _MENTION.finditer(text)
            ],
        }
        return _filled(found) or None

    def _id_of(self, username: str) -> dict[str, str]:
        number = self.world.authors.find(username)
        return {} if number is None else {"id": str(self.world.authors.author(number).id)}


def _hashtags(text: str, tags: Sequence[str]) -> Iterator[Json]:
    end = 0
    for tag in tags:
        start = text.find(f"#{tag}", end)
        if start >= 0:
            end = start + len(tag) + 1
            yield {"start": start, "end": end, "tag": tag}


def _chosen(everything: Json, wanted: frozenset[str]) -> Json:
    return {name: value for name, value in everything.items() if name in wanted and value is not None}


def _filled(parts: Json) -> Json:
    return {name: part for name, part in parts.items() if part}
