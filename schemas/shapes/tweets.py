"""Shapes of tweets, their authors, and their counts."""

from __future__ import annotations

from schemas.shapes.parts import HASHTAG, NEXT, NamedSchema, Schema, count, flag, many, nullable, number, record, text, time
from schemas.tweets import TWEET

LANG = TWEET.schema["properties"]["lang"]

AUTHOR = record(
    "Author",
    "An author of stored tweets.",
    {
        "author": nullable(text("The display name")),
        "followers": nullable(count("Followers when they were last observed")),
        "username": nullable(text("The username, without @")),
        "tweets": count("How many of their tweets are stored"),
    },
)
AUTHORS = record("Authors", "Distinct authors.", {"authors": many(AUTHOR), "next": NEXT}, optional=["next"])
DELETED = record("Deleted", "How many tweets were deleted.", {"deleted": count()})

HOUR = record(
    "HourCount",
    "Tweets of an hour of the day.",
    {"at_hour": text("The hour of the day", pattern="^([01]\\d|2[0-3]):00$", examples=["07:00"]), "tweets": count()},
)
HOURS = record("TweetsPerHour", "All 24 hours of the day.", {"tweets_per_hour": {**many(HOUR), "minItems": 24, "maxItems": 24}})
TAG_COUNT = record("TagCount", "Tweets of a tag in a language.", {"rash": HASHTAG, "lang": LANG, "tweets": count()})
TAG_COUNTS = record(
    "TweetsPerTag",
    "One list a tag that has tweets, tags by name; in it languages by count, then by name, unknown last.",
    {"tweets_per_tags": many(many(TAG_COUNT))},
)

FACET = record("Facet", "A value and its tweets.", {"value": text("The value"), "tweets": count()})
SHARE: Schema = {"minimum": 0, "maximum": 1}
FACETS = record(
    "Facets",
    "All values, most tweets first, ties by value.",
    {"facets": many(FACET), "unknown_share": nullable(number("The share of tweets without a value", **SHARE))},
)
RELATED = record(
    "Related",
    "Hashtags that occur with a tag.",
    {
        "related": many(
            record(
                "RelatedTag",
                "A hashtag that occurs with another.",
                {
                    "tag": HASHTAG,
                    "tweets": count("Tweets with both"),
                    "share": number("The share of the tag's tweets that have it", **SHARE),
                    "lift": number("Its share of these tweets by its share of all", minimum=0),
                },
            )
        )
    },
)
PERIOD = record(
    "Stretch",
    "A stretch of time.",
    {
        "start": time("When it begins, UTC"),
        "end": time("When it ends, exclusive, UTC"),
        "tweets": count("Tweets posted in it"),
        "authors": count("Distinct authors of these"),
        "partial": flag("Whether it is not over, or not in the period as a whole"),
    },
)
TIMELINE: NamedSchema = record(
    "Timeline",
    "Tweets over time; stretches without tweets are there as well.",
    {
        "timeline": many(PERIOD),
        "timezone": text("The time zone in which days begin", examples=["UTC"]),
        "complete": flag("Whether no gap of a collection overlaps the period"),
    },
)
