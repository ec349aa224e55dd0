"""Shapes of tracked tags, their terms, and how many of their tweets are stored."""

from __future__ import annotations

from collector.runs.terms import EXCLUSIONS, MOST_LANGUAGES
from schemas.openapi.values import LANGUAGE
from schemas.shapes.collections import GAP
from schemas.shapes.parts import HASHTAG, NamedSchema, count, flag, many, nullable, number, record, text, time, word
from schemas.terms import LEAST_NUMBER, MOST_NUMBER

COVERAGE = nullable(number("Stored by counted, of the hours that X was asked to count; null where it was not", minimum=0))
NUMBER = {"type": "integer", "minimum": LEAST_NUMBER, "maximum": MOST_NUMBER}
LANGUAGES = many({**LANGUAGE}, "Languages, any of them")
EXCLUDED = many(word("A kind of tweets", *sorted(EXCLUSIONS)), "Kinds of tweets that are left out")
RULES = record(
    "Terms",
    "What a tag asks X for.",
    {"lang": LANGUAGES, "exclude": EXCLUDED, "tw_number": nullable(NUMBER, "The most tweets a collection; null is TW_NUMBER")},
)
NEW_RULES = NamedSchema(
    "NewTerms",
    {
        "type": "object",
        "description": "Terms of a tag. A body sets all three; what it leaves out is unset.",
        "additionalProperties": False,
        "properties": {
            "lang": nullable({**LANGUAGES, "maxItems": MOST_LANGUAGES}),
            "exclude": nullable(EXCLUDED),
            "tw_number": nullable(NUMBER, "The most tweets a collection"),
        },
    },
)
LAST = record(
    "LastCollection",
    "How a tag's newest collection went.",
    {
        "id": {"type": "integer", "minimum": 1},
        "started": time("When it began, UTC"),
        "state": word("How the tag stands in it", "waiting", "running", "done", "failed"),
        "reason": nullable(text("Why it failed")),
    },
)
TRACKED_TAG = record(
    "TrackedTag",
    "A hashtag that is collected.",
    {
        "tag": HASHTAG,
        "tweets": count("Stored tweets that it found"),
        "last_collection": nullable(LAST),
        "gaps": many(GAP),
        "coverage": COVERAGE,
        "terms": RULES,
    },
)
TAGS = record("Tags", "The tracked tags, by name.", {"tags": many(TRACKED_TAG)})

BUCKET = record(
    "VolumeBucket",
    "What X counted of a tag in a stretch of time, and what is stored of it.",
    {
        "tag": HASHTAG,
        "start": time("When it begins, UTC"),
        "end": time("When it ends, exclusive, UTC"),
        "counted": nullable(count("What X counted; null where it was never asked")),
        "stored": count("What is stored"),
        "partial": flag("Whether X was not asked for a part of it"),
    },
)
VOLUME = record("Volume", "Tags by name, oldest first.", {"volume": many(BUCKET), "coverage": COVERAGE})
