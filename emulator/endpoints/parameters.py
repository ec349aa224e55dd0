"""The parameters that X takes, the values of its lists in both of X's vocabularies, and their checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from emulator.http.messages import invalid

Params = Mapping[str, str]
TWEET_FIELDS = (
    "article", "article_title", "attachments", "author_id", "card_uri", "community_id", "context_annotations",
    "conversation_id", "created_at", "display_text_range", "edit_controls", "edit_history_tweet_ids", "entities",
    "geo", "id", "in_reply_to_user_id", "lang", "matched_media_notes", "media_metadata", "non_public_metrics",
    "note_request_suggestions", "note_tweet", "organic_metrics", "paid_partnership", "possibly_sensitive",
    "promoted_metrics", "public_metrics", "referenced_tweets", "reply_settings", "scopes", "source",
    "suggested_source_links", "suggested_source_links_with_counts", "text", "withheld",
)  # fmt: skip
USER_FIELDS = (
    "affiliation", "confirmed_email", "connection_status", "created_at", "description", "entities", "id",
    "is_identity_verified", "location", "most_recent_post_id", "most_recent_tweet_id", "name", "parody",
    "pinned_post_id", "pinned_tweet_id", "profile_banner_url", "profile_image_url", "protected", "public_metrics",
    "receives_your_dm", "subscribes_to_you", "subscription", "subscription_type", "url", "username", "verified",
    "verified_followers_count", "verified_type", "withheld",
)  # fmt: skip
PLACE_FIELDS = (
    "contained_within", "country", "country_code", "full_name", "geo", "id", "name", "place_type",
)  # fmt: skip
MEDIA_FIELDS = (
    "alt_text", "duration_ms", "height", "media_key", "non_public_metrics", "organic_metrics", "preview_image_url",
    "promoted_metrics", "public_metrics", "type", "url", "variants", "width",
)  # fmt: skip
POLL_FIELDS = ("duration_minutes", "end_datetime", "id", "options", "voting_status")
EXPANSIONS = (
    "article.cover_media", "article.media_entities", "attachments.media_keys", "attachments.media_source_tweet",
    "attachments.poll_ids", "author_id", "author_screen_name", "edit_history_post_ids", "edit_history_tweet_ids",
    "entities.mentions.username", "entities.note.mentions.username", "geo.place_id", "in_reply_to_user_id",
    "referenced_posts", "referenced_posts.id", "referenced_posts.id.author_id", "referenced_tweets.id",
    "referenced_tweets.id.attachments.media_keys", "referenced_tweets.id.author_id", "username",
)  # fmt: skip
USAGE_FIELDS = (
    "cap_reset_day", "daily_client_app_usage", "daily_project_usage", "project_cap", "project_id", "project_usage",
)  # fmt: skip

# The names of X's OpenAPI document 2.167, which come with post.fields, for the same things.
RENAMED = {
    "edit_history_tweet_ids": "edit_history_post_ids",
    "note_tweet": "note_post",
    "referenced_tweets": "referenced_posts",
    "referenced_tweets.id": "referenced_posts.id",
    "referenced_tweets.id.author_id": "referenced_posts.id.author_id",
    "retweet_count": "repost_count",
    "tweet_count": "post_count",
}
ORIGINAL = {new: old for old, new in RENAMED.items()}

POST_FIELDS = tuple(RENAMED.get(name, name) for name in TWEET_FIELDS)
LISTS = {
    "tweet.fields": TWEET_FIELDS,
    "post.fields": POST_FIELDS,
    "user.fields": USER_FIELDS,
    "place.fields": PLACE_FIELDS,
    "media.fields": MEDIA_FIELDS,
    "poll.fields": POLL_FIELDS,
    "expansions": EXPANSIONS,
    "search_count.fields": ("end", "start", "tweet_count", "post_count"),
    "usage.fields": USAGE_FIELDS,
}
_RANGE = ("query", "start_time", "end_time", "since_id", "until_id", "next_token", "pagination_token")
SEARCH_PARAMETERS = (
    *_RANGE, "max_results", "sort_order", "tweet.fields", "post.fields", "expansions", "media.fields",
    "poll.fields", "user.fields", "place.fields",
)  # fmt: skip
LOOKUP_PARAMETERS = (
    "ids", "tweet.fields", "post.fields", "expansions", "media.fields", "poll.fields", "user.fields", "place.fields",
)  # fmt: skip
COUNTS_PARAMETERS = (*_RANGE, "granularity", "search_count.fields")
USERS_PARAMETERS = ("ids", "user.fields")
USAGE_PARAMETERS = ("days", "usage.fields")


def refuse_unknown(params: Params, allowed: Sequence[str], *, drops_values: bool = False) -> None:
    """Raise Problem for a parameter, or a value of a comma list, that X does not know.

    With drops_values unknown values pass, and nothing comes for them.
    """
    for name, value in params.items():
        if name not in allowed:
            raise invalid(f"The query parameter [{name}] is not one of [{','.join(allowed)}]", **{name: value})
        for item in value.split(",") if name in LISTS and not drops_values else ():
            _check_choice(name, item, LISTS[name])


def refuse_both_vocabularies(params: Params) -> None:
    """Raise Problem for a request that names fields of tweets and fields of posts."""
    if "post.fields" in params and "tweet.fields" in params:
        raise invalid("tweet.fields and post.fields can not be used together", **{"post.fields": params["post.fields"]})


def names(params: Params, parameter: str) -> frozenset[str]:
    """Return the values of a comma list, in the tweet vocabulary."""
    given = params.get(parameter, "")
    return frozenset(ORIGINAL.get(name, name) for name in given.split(",") if name)


def choice(params: Params, name: str, allowed: Sequence[str]) -> str:
    """Return the value of a parameter with a fixed list of values; the first is the default. Raises Problem."""
    value = params.get(name, allowed[0])
    _check_choice(name, value, allowed)
    return value


def _check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise invalid(f"The `{name}` query parameter value [{value}] is not one of [{','.join(allowed)}]", **{name: value})


def integer(params: Params, name: str, default: int, lowest: int, highest: int) -> int:
    """Return a whole number between two bounds, both inclusive. Raises Problem."""
    text = params.get(name, str(default))
    if not text.isdecimal() or not lowest <= int(text) <= highest:
        raise invalid(f"The `{name}` query parameter value [{text}] is not between {lowest} and {highest}", **{name: text})
    return int(text)
