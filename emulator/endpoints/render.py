"""Pages of posts, and tweets, authors and places as X's JSON with the requested fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from emulator.endpoints.parameters import RENAMED
from emulator.http.messages import Json
from emulator.world import snowflake
from emulator.world.authors import InventedAuthor
from emulator.world.tweets import InventedTweet, hashtag_spans, link_spans, mention_spans
from emulator.world.word_lists import Place
from emulator.world.world import World

DEFAULT_TWEET = frozenset({"id", "text", "edit_history_tweet_ids"})
DEFAULT_USER = frozenset({"id", "name", "username"})
DEFAULT_PLACE = frozenset({"id", "full_name"})
_EDITABLE_MS = 3_600_000


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


class Renderer(NamedTuple):
    """Renders for one request: the fields beside the default ones, the vocabulary and the instant."""

    world: World
    at_ms: int
    tweet_fields: frozenset[str]
    user_fields: frozenset[str]
    place_fields: frozenset[str]
    post_vocabulary: bool

    def tweet(self, tweet: InventedTweet) -> Json:
        wanted = self.tweet_fields | DEFAULT_TWEET
        everything = {**_core(tweet), **self._authors(tweet, wanted), **_references(tweet), **_extras(tweet, wanted)}
        chosen = {name: value for name, value in everything.items() if name in wanted and value is not None}
        return _in_post_vocabulary(chosen) if self.post_vocabulary else chosen

    def user(self, author: InventedAuthor) -> Json:
        """Return an author with the followers they have at the instant of the request."""
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
            "public_metrics": self._counts(author),
        }
        wanted = self.user_fields | DEFAULT_USER
        return {name: value for name, value in everything.items() if name in wanted and value is not None}

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
        return {name: everything[name] for name in everything if name in self.place_fields | DEFAULT_PLACE}

    def _authors(self, tweet: InventedTweet, wanted: frozenset[str]) -> Json:
        traits, author = tweet.traits, self.world.authors.author
        found: Json = {"author_id": str(author(traits.author).id)}
        if traits.replied_author is not None:
            found["in_reply_to_user_id"] = str(author(traits.replied_author).id)
        if "entities" in wanted:
            found["entities"] = self._entities(tweet, tweet.writing.text)
        if tweet.writing.long_text is not None:
            found["note_tweet"] = self._note(tweet, tweet.writing.long_text)
        return found

    def _note(self, tweet: InventedTweet, whole: str) -> Json:
        entities = self._entities(tweet, whole)
        return {"text": whole, "entities": entities} if entities else {"text": whole}

    def _entities(self, tweet: InventedTweet, text: str) -> Json | None:
        tags = [_span(span, tag=span.value) for span in hashtag_spans(text, tweet.writing.tags)]
        urls = [_span(span, **_link(span.value, tweet.post.id)) for span in link_spans(text)]
        mentions = [_span(span, username=span.value, **self._id_of(span.value)) for span in mention_spans(text)]
        found: Json = {"hashtags": tags, "urls": urls, "mentions": mentions}
        return {name: spans for name, spans in found.items() if spans} or None

    def _id_of(self, username: str) -> dict[str, str]:
        who = self.world.authors.find(username)
        return {} if who is None else {"id": str(self.world.authors.author(who).id)}

    def _counts(self, author: InventedAuthor) -> Json:
        return {
            "followers_count": author.followers_at(self.at_ms),
            "following_count": author.following,
            "tweet_count": author.tweets,
            "listed_count": author.listed,
            "like_count": author.likes,
            "media_count": author.tweets // 9,
        }


def _core(tweet: InventedTweet) -> Json:
    post, traits = tweet.post, tweet.traits
    return {
        "id": str(post.id),
        "text": tweet.writing.text,
        "edit_history_tweet_ids": [str(version) for version in post.history],
        "created_at": snowflake.rfc3339(snowflake.milliseconds(post.id)),
        "lang": traits.lang,
        "geo": {"place_id": traits.place.id} if traits.place else None,
        "public_metrics": {
            "retweet_count": tweet.reposts,
            "reply_count": tweet.replies,
            "like_count": tweet.likes,
            "quote_count": tweet.quotes,
            "bookmark_count": tweet.bookmarks,
            "impression_count": tweet.impressions,
        },
    }


def _references(tweet: InventedTweet) -> Json:
    """Return what a tweet replies to and quotes, and its media."""
    pairs = (("replied_to", tweet.traits.replied_to), ("quoted", tweet.traits.quoted))
    return {
        "referenced_tweets": [{"type": kind, "id": str(other)} for kind, other in pairs if other] or None,
        "attachments": {"media_keys": list(tweet.media)} if tweet.media else None,
    }


def _extras(tweet: InventedTweet, wanted: frozenset[str]) -> Json:
    """Return the fields that are seldom requested."""
    if wanted <= _COMMON:
        return {}
    post, traits = tweet.post, tweet.traits
    until = snowflake.milliseconds(post.root) + _EDITABLE_MS
    return {
        "conversation_id": str(traits.replied_to or post.root),
        "display_text_range": [0, len(tweet.writing.text)],
        "possibly_sensitive": False,
        "reply_settings": "everyone",
        "source": "Emulator",
        "edit_controls": {
            "edits_remaining": 5 - (len(post.history) - 1),
            "is_edit_eligible": traits.replied_to is None,
            "editable_until": snowflake.rfc3339(until),
        },
    }


_COMMON = DEFAULT_TWEET | {
    "created_at", "lang", "author_id", "public_metrics", "geo", "entities", "note_tweet",
    "attachments", "referenced_tweets", "in_reply_to_user_id",
}  # fmt: skip


def _span(span: Sequence[object], **facts: object) -> Json:
    return {"start": span[0], "end": span[1], **facts}


def _link(short: str, post_id: int) -> Json:
    shown = f"example.com/notes/{post_id % 100_000}"
    return {"url": short, "expanded_url": f"https://{shown}", "display_url": shown}


def _in_post_vocabulary(tweet: Json) -> Json:
    """Return a tweet in the post vocabulary."""
    metrics = tweet.get("public_metrics")
    if isinstance(metrics, dict):
        tweet = {**tweet, "public_metrics": {RENAMED.get(name, name): count for name, count in metrics.items()}}
    return {RENAMED.get(name, name): value for name, value in tweet.items()}
