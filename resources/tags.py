"""/tags: which hashtags are collected, on which terms; and the original's /tweets_per_tag."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from flask import request
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.runs import tags, tracking
from collector.runs.collector import Collector
from collector.runs.tags import InvalidTag
from queries.filters import Filters
from queries.hashtags import related_hashtags
from queries.tags import per_tag, tracked_id, tracked_tags
from resources.api import MonitorResource, no_content
from resources.snapshots import SnapshotResource
from resources.volume import COVERAGE
from schemas import serializers
from schemas.arguments import MOST_ROWS, FilterArguments
from schemas.collections import GAP
from schemas.json_schema import HASHTAG, SHARE, count, many, nullable, number, record, text, time, word
from schemas.openapi.answers import DocumentedAnswer, DocumentedBody, answers, reads
from schemas.parameters import page_limit
from schemas.problems import BadInput, ParameterError
from schemas.rules import NEW_RULES, RULES, InvalidRules, parse_rules
from schemas.tweets import TWEET

RELATED = 100
RULES_EXAMPLE = {"lang": ["en", "de"], "exclude": ["replies", "quotes"], "tw_number": 50}
RESTORING = DocumentedAnswer(409, "A copy of the database is being put back")

LANG = TWEET.schema["properties"]["lang"]
TAG_COUNT = record("TagCount", "Tweets of a tag in a language.", {"rash": HASHTAG, "lang": LANG, "tweets": count()})
TAG_COUNTS = record(
    "TweetsPerTag",
    "One list a tag that has tweets, tags by name; in it languages by count, then by name, unknown last.",
    {"tweets_per_tags": many(many(TAG_COUNT))},
)
RELATED_TAGS = record(
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


class RelatedArguments(FilterArguments):
    """Parameters of GET /tags/{tag}/related."""

    limit = page_limit(MOST_ROWS)


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


class TweetsPerTagResource(SnapshotResource):
    """The tweets of each tag by language: one list a tag that has tweets."""

    arguments = FilterArguments
    answers = answers(get=reads(TAG_COUNTS, "The counts"))

    def read(self, session: Session, *, filters: Filters) -> Any:
        """Count tweets by tag and language."""
        return serializers.tweets_per_tag(per_tag(session, filters))


class TagsResource(MonitorResource):
    """The tracked tags, by name."""

    answers = answers(get=reads(TAGS, "The tags"))

    def __init__(self, collector: Collector) -> None:
        self._database = collector.database

    def get(self) -> Any:
        """List the tracked tags."""
        with self._database.reading() as session:
            return {"tags": [serializers.tracked_tag(tag) for tag in tracked_tags(session)]}


class TagResource(MonitorResource):
    """One tag, with or without its #. PUT tracks it and may set its terms; DELETE stops collecting it, its tweets stay."""

    answers = answers(
        get=reads(TRACKED_TAG, "The tag"),
        put=[
            DocumentedAnswer(200, "It was tracked before", TRACKED_TAG),
            DocumentedAnswer(201, "It is tracked from now on", TRACKED_TAG),
            RESTORING,
        ],
        delete=[DocumentedAnswer(204, "It is not tracked any more"), DocumentedAnswer(404, "It was not tracked"), RESTORING],
    )
    bodies = MappingProxyType({"put": DocumentedBody("The tag's terms; without a body they stay", NEW_RULES, RULES_EXAMPLE)})

    def __init__(self, collector: Collector) -> None:
        self._database = collector.database

    def get(self, tag: str) -> Any:
        """Tell how a tracked tag stands."""
        with self._database.reading() as session:
            found = tracked_tags(session, key=tags.key(tag.strip(" \t")))
        if not found:
            raise _unknown(tag)
        return serializers.tracked_tag(found[0])

    def put(self, tag: str) -> Any:
        """Track a tag, and set its terms if a body gives them."""
        name = _hashtag(tag)
        try:
            given = parse_rules(request.get_data())
        except InvalidRules as error:
            raise BadInput(error.faults) from error

        begins, shown = tracking.track(self._database, name, given)
        return serializers.tracked_tag(shown), 201 if begins else 200

    def delete(self, tag: str) -> Any:
        """Stop collecting a tag; its tweets stay."""
        if not tracking.untrack(self._database, tag):
            raise _unknown(tag)
        return no_content()


class RelatedResource(SnapshotResource):
    """The hashtags in the texts of the tweets that a tracked tag has found."""

    arguments = RelatedArguments
    answers = answers(get=(*reads(RELATED_TAGS, "The hashtags"), DocumentedAnswer(404, "The tag is not tracked")))

    def read(self, session: Session, *, tag: str, filters: Filters, limit: int = RELATED) -> Any:
        """List the hashtags that occur with a tag."""
        known = tracked_id(session, key=tags.key(_hashtag(tag)))
        if known is None:
            raise NotFound("this tag is not tracked")
        return {"related": related_hashtags(session, known, limit=limit, filters=filters)}


def _unknown(tag: str) -> NotFound:
    """Return what is said of a hashtag that is not tracked; raises BadInput for what is none."""
    _hashtag(tag)
    return NotFound("this tag is not tracked")


def _hashtag(tag: str) -> str:
    try:
        return tags.hashtag(tag)
    except InvalidTag as error:
        raise BadInput([ParameterError("tag", str(error))]) from error
