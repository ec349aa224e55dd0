"""The authors of the stored tweets, and their deletion with all their tweets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.tweets import erasure
from collector.tweets.deletions import delete_author
from queries.authors import FOLLOWERS, SORTED, AuthorPosition, author_page
from queries.filters import Filters
from resources.api import RESTORING, CollectorResource, link, next_path
from resources.snapshots import SnapshotBody, SnapshotResource
from schemas.arguments import MOST_ROWS, FilterArguments, cursor_values, next_cursor
from schemas.json_schema import ENGAGEMENT, NEXT, DocumentedAnswer, answers, count, many, nullable, reads, record, text
from schemas.parameters import choice, page_cursor, page_limit
from schemas.serializers import encode
from text.names import parse_username

log = logging.getLogger(__name__)

PAGE = 100

FOLLOWED: Mapping[str, Any] = {
    "author": nullable(text("The display name")),
    "followers": nullable(count("Followers at the newest observation")),
    "username": nullable(text("The username, without @")),
    "tweets": count("How many of their tweets are stored"),
}
MOST_FOLLOWED = record(
    "MostFollowed",
    "The most followed authors, as the original API lists them.",
    {"authors": many(record("FollowedAuthor", "An author whom X named.", FOLLOWED))},
)
AUTHOR = record("Author", "An author of stored tweets.", {**FOLLOWED, "engagement": ENGAGEMENT})
AUTHORS = record("Authors", "Distinct authors.", {"authors": many(AUTHOR), "next": NEXT}, optional=["next"])
DELETED = record("Deleted", "How many tweets were deleted.", {"deleted": count()})


class AuthorArguments(FilterArguments):
    """Parameters of GET /authors."""

    sort = choice(tuple(SORTED), "The order", FOLLOWERS)
    limit = page_limit(MOST_ROWS)
    cursor = page_cursor()


class AuthorsResource(SnapshotResource):
    """The authors of the tweets that match the filters, most followed first, in pages."""

    arguments = AuthorArguments
    answers = answers(get=reads(AUTHORS, "A page of authors", headers=("Link",)))

    def read(
        self, session: Session, *, filters: Filters, sort: str = FOLLOWERS, limit: int = PAGE, cursor: str | None = None
    ) -> Any:
        """List the authors of stored tweets."""
        name = f"authors {sort} {filters}"
        values = cursor_values(session, name, cursor)
        after = AuthorPosition(*values) if values else None
        page = author_page(session, filters, sort=sort, after=after, most=limit)
        path = next_path(next_cursor(session, name, page.last) if page.last else None)
        return SnapshotBody(encode({"authors": page.authors, "next": path}), headers=link(path))


class AuthorResource(CollectorResource):
    """The authors stored under a username. DELETE removes them and all their tweets permanently."""

    answers = answers(delete=[DocumentedAnswer(200, "They are deleted", DELETED), RESTORING])

    def delete(self, username: str) -> Any:
        """Delete an author and all their tweets permanently."""
        named = parse_username(username)
        if named is None:
            raise NotFound("there is no author with this username")
        deleted = delete_author(self._database, named)
        erasure.erase(self._database)
        log.info("author deleted", extra={"tweets": deleted})
        return {"deleted": deleted}
