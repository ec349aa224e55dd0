"""The hashtags that are collected, their rules, and tweets per tag."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from flask import request
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.runs.tags import start_tracking, stop_tracking
from queries.filters import Filters
from queries.hashtags import related_hashtags
from queries.tags import TrackedTag, per_tag, tracked_id, tracked_tags
from resources.api import RESTORING, CollectorResource, no_content
from resources.snapshots import SnapshotResource
from resources.volume import COVERAGE
from schemas.arguments import MOST_ROWS, FilterArguments
from schemas.json_schema import (
    ENGAGEMENT,
    HASHTAG,
    SHARE,
    DocumentedAnswer,
    DocumentedBody,
    answers,
    count,
    many,
    nullable,
    number,
    reads,
    record,
    text,
    time,
    word,
)
from schemas.parameters import page_limit
from schemas.problems import BadInput, ParameterError
from schemas.rules import NEW_RULES, RULES, parse_rules
from schemas.serializers import GAP, gap_ends
from schemas.tweets import TWEET
from text.names import InvalidTag, hashtag, key

RELATED = 100
RULES_EXAMPLE = {"lang": ["en", "de"], "exclude": ["replies", "quotes"], "tw_number": 50}

TAG_COUNT = record(
    "TagCount",
    "The tweets of a tag in a language.",
    {"rash": HASHTAG, "lang": TWEET.schema["properties"]["lang"], "tweets": count()},
)
TAG_COUNTS = record(
    "TweetsPerTag",
    "One list per tag that has tweets, tags by name; in each, languages by count, then by name, unknown last.",
    {"tweets_per_tags": many(many(TAG_COUNT))},
)
RELATED_TAG = record(
    "RelatedTag",
    "A hashtag that occurs with another.",
    {
        "tag": HASHTAG,
        "tweets": count("Tweets with both"),
        "share": number("The share of the tag's tweets that have it", **SHARE),
        "lift": number("Its share of these tweets divided by its share of all tweets", minimum=0),
    },
)
RELATED_TAGS = record("Related", "Hashtags that occur with a tag.", {"related": many(RELATED_TAG)})
TRACKED_TAG = record(
    "TrackedTag",
    "A hashtag that is collected.",
    {
        "tag": HASHTAG,
        "tweets": count("Stored tweets that it found"),
        "engagement": ENGAGEMENT,
        "last_collection": nullable(
            record(
                "LastCollection",
                "The result of a tag's newest collection.",
                {
                    "id": {"type": "integer", "minimum": 1},
                    "started": time("The start, UTC"),
                    "state": word("The state of the tag in it", "waiting", "running", "done", "failed"),
                    "reason": nullable(text("Why it failed")),
                },
            )
        ),
        "gaps": many(GAP),
        "coverage": COVERAGE,
        "terms": RULES,
    },
)
TAGS = record("Tags", "The tracked tags, by name.", {"tags": many(TRACKED_TAG)})


class RelatedArguments(FilterArguments):
    """Parameters of GET /tags/{tag}/related."""

    limit = page_limit(MOST_ROWS)


class TweetsPerTagResource(SnapshotResource):
    """The tweets of each tag by language: one list per tag that has tweets."""

    arguments = FilterArguments
    answers = answers(get=reads(TAG_COUNTS, "The counts"))

    def read(self, session: Session, *, filters: Filters) -> Any:
        """Count tweets by tag and language."""
        lists = per_tag(session, filters)
        return {
            "tweets_per_tags": [[{"rash": one.tag, "lang": one.lang, "tweets": one.tweets} for one in tag] for tag in lists]
        }


class TagsResource(CollectorResource):
    """The tracked tags, by name."""

    answers = answers(get=reads(TAGS, "The tags"))

    def get(self) -> Any:
        """List the tracked tags."""
        with self._database.reading() as session:
            return {"tags": [tag_json(tag) for tag in tracked_tags(session)]}


class TagResource(CollectorResource):
    """One tag, with or without its #. PUT tracks it and may set its rules; DELETE stops collecting it, its tweets stay."""

    answers = answers(
        get=reads(TRACKED_TAG, "The tag"),
        put=[
            DocumentedAnswer(200, "The tag was tracked before", TRACKED_TAG),
            DocumentedAnswer(201, "The tag is now tracked", TRACKED_TAG),
            RESTORING,
        ],
        delete=[
            DocumentedAnswer(204, "The tag is no longer tracked"),
            DocumentedAnswer(404, "The tag was not tracked"),
            RESTORING,
        ],
    )
    bodies = MappingProxyType(
        {"put": DocumentedBody("The tag's rules; without a body they stay as they are", NEW_RULES, RULES_EXAMPLE)}
    )

    def get(self, tag: str) -> Any:
        """Show a tracked tag."""
        with self._database.reading() as session:
            found = tracked_tags(session, key=key(tag.strip(" \t")))
        if not found:
            raise _not_tracked(tag)
        return tag_json(found[0])

    def put(self, tag: str) -> Any:
        """Track a tag, and set its rules if a body gives them."""
        begins, shown = start_tracking(self._database, _hashtag(tag), parse_rules(request.get_data()))
        return tag_json(shown), 201 if begins else 200

    def delete(self, tag: str) -> Any:
        """Stop collecting a tag; its tweets stay."""
        if not stop_tracking(self._database, tag):
            raise _not_tracked(tag)
        return no_content()


class RelatedResource(SnapshotResource):
    """The hashtags in the texts of the tweets that a tracked tag has found."""

    arguments = RelatedArguments
    answers = answers(get=(*reads(RELATED_TAGS, "The hashtags"), DocumentedAnswer(404, "The tag is not tracked")))

    def read(self, session: Session, *, tag: str, filters: Filters, limit: int = RELATED) -> Any:
        """List the hashtags that occur with a tag."""
        known = tracked_id(session, key=key(_hashtag(tag)))
        if known is None:
            raise _not_tracked(tag)
        return {"related": related_hashtags(session, known, limit=limit, filters=filters)}


def tag_json(tag: TrackedTag) -> dict[str, Any]:
    """Return a tracked tag; its coverage is null until X has counted."""
    return {
        "tag": tag.tag,
        "tweets": tag.tweets,
        "engagement": tag.engagement,
        "last_collection": tag.last_collection,
        "gaps": [gap_ends(gap) for gap in tag.gaps],
        "coverage": tag.coverage,
        "terms": {"lang": _words(tag.lang), "exclude": _words(tag.exclude), "tw_number": tag.tw_number},
    }


def _words(text: str | None) -> list[str]:
    return text.split(",") if text else []


def _not_tracked(tag: str) -> NotFound:
    """Return the error for a hashtag that is not tracked; raises BadInput for a text that is no hashtag."""
    _hashtag(tag)
    return NotFound("this tag is not tracked")


def _hashtag(tag: str) -> str:
    try:
        return hashtag(tag)
    except InvalidTag as error:
        raise BadInput([ParameterError("tag", str(error))]) from error
