"""Tweets counted by language, country, tag or author."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from queries.facets import FACETS, facets
from queries.filters import Filters
from resources.snapshots import SnapshotResource
from schemas.arguments import FilterArguments
from schemas.json_schema import ENGAGEMENT, SHARE, answers, count, many, nullable, number, reads, record, text
from schemas.parameters import choice

FACET = record(
    "Facet",
    "A value and its tweets.",
    {"value": text("The value"), "tweets": count(), "engagement": ENGAGEMENT},
)
FACET_COUNTS = record(
    "Facets",
    "All values, most tweets first, ties by value.",
    {"facets": many(FACET), "unknown_share": nullable(number("The share of tweets without a value", **SHARE))},
)


class FacetArguments(FilterArguments):
    """Parameters of GET /facets."""

    by = choice(tuple(FACETS), "What the tweets are counted by", "lang", required=True)


class FacetsResource(SnapshotResource):
    """All values of one facet, and the share of the tweets that have none."""

    arguments = FacetArguments
    answers = answers(get=reads(FACET_COUNTS, "The values"))

    def read(self, session: Session, *, by: str, filters: Filters) -> Any:
        """Count tweets by language, country, tag or author."""
        found = facets(session, by, filters)
        return {"facets": found.rows, "unknown_share": found.unknown_share}
