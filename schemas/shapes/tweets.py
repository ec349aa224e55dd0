"""Shapes of tweets, their authors, and their counts."""

from __future__ import annotations

from schemas.shapes.parts import NamedSchema, Schema, count, flag, identifier, many, nullable, number, record, text, time

HASHTAG = text("A hashtag with its #, in the spelling first given", pattern="^#", examples=["#devops"])
LANG = nullable(text("The language, as X tells it", examples=["en"]))
NEXT = nullable(text("The path of the next page; null on the last one", pattern="^/"))

TWEET = record(
    "Tweet",
    "A tweet. What X did not give is null; the first seven keys are those of the original API.",
    {
        "tweet": text("The text as X sent it, entities not decoded"),
        "author": nullable(text("The author's display name")),
        "followers": nullable(count("The author's followers when they were last observed")),
        "created": time("When it was posted, UTC"),
        "lang": LANG,
        "country": nullable(text("The name of the country, as X writes it", examples=["Germany"])),
        "rash": nullable(HASHTAG, "The tag under which it was first found"),
        "id": identifier("The id of its first version"),
        "username": nullable(text("The author's username, without @", examples=["vepuva53"])),
        "tags": many(HASHTAG, "All tags that found it, by name"),
        "country_code": nullable(text("The country's code of two letters", examples=["DE"])),
        "author_id": nullable(identifier("The author's id")),
        "observed": nullable(time("When its author was last observed, UTC")),
        "version": identifier("The id of the version whose text is shown"),
        "versions": many(identifier("The id of a version"), "The ids of all known versions, oldest first"),
    },
)
TWEETS = record("Tweets", "Tweets in the order asked for.", {"tweets": many(TWEET), "next": NEXT}, optional=["next"])
PARTS = record(
    "PartsOfTweets",
    "Tweets with the keys that `fields` names and no others.",
    {"tweets": many({"type": "object", "properties": TWEET.schema["properties"]}), "next": NEXT},
    optional=["next"],
)
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
