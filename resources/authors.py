"""/authors: who wrote the stored tweets; and deletions of authors with all their tweets."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.runs.collector import Collector
from collector.tweets import erasure
from collector.tweets.deletions import delete_author
from queries.authors import FOLLOWERS, TWEETS, AuthorPosition, author_page
from queries.filters import Filters
from resources.api import MonitorResource, link, next_path
from resources.snapshots import SnapshotBody, SnapshotResource
from schemas.arguments import MOST_ROWS, FilterArguments
from schemas.cursors import began, following_cursor
from schemas.json_schema import NEXT, count, many, nullable, record, text
from schemas.openapi.answers import DocumentedAnswer, answers, reads
from schemas.parameters import ChoiceField, Cursor, Sort, page_limit
from schemas.serializers import encode
from text import usernames

log = logging.getLogger(__name__)

PAGE = 100

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


class AuthorArguments(FilterArguments):
    """Parameters of GET /authors."""

    sort = ChoiceField(FOLLOWERS, TWEETS, metadata={"description": Sort.description, "example": Sort.example})
    limit = page_limit(MOST_ROWS)
    cursor = Cursor()


class AuthorsResource(SnapshotResource):
    """The authors of the tweets that the filters let through, most followed first, a page at a time."""

    arguments = AuthorArguments
    answers = answers(get=reads(AUTHORS, "A page of authors", headers=("Link",)))

    def read(
        self, session: Session, *, filters: Filters, sort: str = FOLLOWERS, limit: int = PAGE, cursor: str | None = None
    ) -> Any:
        """List the authors of stored tweets."""
        name = f"authors {sort} {filters}"
        values = began(session, name, cursor)
        after = AuthorPosition(*values) if values else None
        page = author_page(session, filters, sort=sort, after=after, most=limit)
        path = next_path(following_cursor(session, name, page.last) if page.last else None)
        return SnapshotBody(encode({"authors": page.authors, "next": path}), headers=link(path))


class AuthorResource(MonitorResource):
    """Everybody stored under a username. DELETE removes them and all their tweets for good."""

    answers = answers(
        delete=[
            DocumentedAnswer(200, "They are gone", DELETED),
            DocumentedAnswer(409, "A copy of the database is being put back"),
        ]
    )

    def __init__(self, collector: Collector) -> None:
        self._database = collector.database

    def delete(self, username: str) -> Any:
        """Delete an author with all their tweets for good."""
        named = usernames.username(username)
        if named is None:
            raise NotFound("there is no author with this username")
        deleted = delete_author(self._database, named)
        erasure.erase(self._database)
        log.info("author deleted", extra={"tweets": deleted})
        return {"deleted": deleted}
