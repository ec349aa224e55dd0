"""What the matching tweets link to."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from queries.filters import Filters
from queries.links import LINKED, LinkCount, link_counts
from resources.snapshots import SnapshotResource
from schemas.arguments import MOST_ROWS, FilterArguments
from schemas.json_schema import answers, count, many, nullable, reads, record, text
from schemas.parameters import choice, page_limit

LINKS_SHOWN = 100

LINK = record(
    "Link",
    "A domain or a page, and the matching tweets that link to it.",
    {
        "domain": text("The host, without www.", examples=["example.com"]),
        "url": text("The address of the page, without tracking parameters", examples=["https://example.com/status"]),
        "tweets": count(),
        "authors": count("Distinct authors of these tweets, but for those whom X did not name"),
        "engagement": nullable(count("The sum of the tweets' engagement as far as it is known; null if none is")),
    },
    optional=("domain", "url"),
)
LINKS = record("Links", "What is linked to, most tweets first, ties by name.", {"links": many(LINK)})


class LinkArguments(FilterArguments):
    """Parameters of GET /links."""

    by = choice(tuple(LINKED), "What the links are counted by", "domain", required=True)
    limit = page_limit(MOST_ROWS)


class LinksResource(SnapshotResource):
    """The domains or pages that tweets link to."""

    arguments = LinkArguments
    answers = answers(get=reads(LINKS, "The links"))

    def read(self, session: Session, *, by: str, filters: Filters, limit: int = LINKS_SHOWN) -> Any:
        """Count the tweets and authors that link to each domain or page."""
        return {"links": [_link(row, by) for row in link_counts(session, by, filters, limit=limit)]}


def _link(row: LinkCount, by: str) -> dict[str, Any]:
    return {by: row.name, "tweets": row.tweets, "authors": row.authors, "engagement": row.engagement}
