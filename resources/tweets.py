"""Lists of tweets, or the most followed authors; and single tweets."""

from __future__ import annotations

import logging
from itertools import chain
from typing import Any, NamedTuple

from flask import request
from marshmallow import ValidationError, validates_schema
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.runs import lease
from collector.tweets import erasure
from collector.tweets.deletions import delete_tweet
from collector.x.parsing import number
from queries import authors, lists
from queries.counters import generation
from queries.filters import ALL, BY_ID, Filters, SortOrder
from queries.lists import BatchReader, TweetList
from queries.tweets import DETAILS, EncodedTweets, first_version
from resources.api import RESTORING, link, next_path, no_content
from resources.authors import MOST_FOLLOWED
from resources.snapshots import Long, SnapshotBody, SnapshotResource, Snapshots
from schemas.arguments import MOST_ROWS, FilterArguments, tweet_page, tweet_position
from schemas.json_schema import DocumentedAnswer, answers, either, reads
from schemas.parameters import choice, page_cursor, page_limit, tweet_fields, tweet_id, tweet_sort, whole
from schemas.problems import BadInput, ParameterError
from schemas.tweets import COLUMNS, DETAILED, LIST_FORMATS, PARTS, TWEETS, ListFormat, json_page

log = logging.getLogger(__name__)

BATCH = 2000  # tweets of a list without limit that are answered from one state; more are streamed
MOST_AUTHORS = 1000


class TweetArguments(FilterArguments):
    """Parameters of GET /tweets."""

    since_id = tweet_id("Only tweets whose id is greater than this one")
    sort = tweet_sort()
    shown = tweet_fields()
    limit = page_limit(MOST_ROWS)
    cursor = page_cursor()
    format = choice(tuple(LIST_FORMATS), "The format of the tweets; it takes precedence over the header Accept", "json")
    order_by_followers_desc = whole(1, MOST_AUTHORS, "Return this many authors instead of tweets, most followed first", 5)

    @validates_schema
    def _check_combination(self, data: dict[str, Any], **_kw: object) -> None:
        if "order_by_followers_desc" in data:
            for name in ("since_id", "sort", "shown", "limit", "cursor", "format"):
                if name in data:
                    key = self.fields[name].data_key or name
                    raise ValidationError("is not for order_by_followers_desc, whose answer is a list of authors", key)
        if "shown" in data and not LIST_FORMATS[data.get("format", "json")].has_fields:
            raise ValidationError(f"is not for format {data['format']}", "fields")


class TweetsResource(SnapshotResource):
    """The tweets that match the filters, in the requested order and format: all of them, or a page."""

    arguments = TweetArguments
    accepts = tuple(media_type for form in LIST_FORMATS.values() for media_type in form.media_types)
    gives = tuple(dict.fromkeys(form.media_types[0] for form in LIST_FORMATS.values()))
    answers = answers(get=reads(either(TWEETS, PARTS, MOST_FOLLOWED), "The tweets, or the authors", headers=("Link",)))

    def format_name(self) -> str:
        """Return the format that `format` names, else the one that Accept prefers."""
        asked = request.args.get("format")
        preferred = request.accept_mimetypes.best_match(self.accepts, default=self.accepts[0])
        return (
            str(asked)
            if asked in LIST_FORMATS
            else next(name for name, form in LIST_FORMATS.items() if preferred in form.media_types)
        )

    def read(self, session: Session, *, order_by_followers_desc: int | None = None, **given: Any) -> Any:
        """List tweets, or the most followed authors."""
        if order_by_followers_desc is not None:
            ranks = authors.most_followed(session, limit=order_by_followers_desc, filters=given["filters"])
            return {"authors": ranks}
        return self._list(session, **given)

    def _list(
        self,
        session: Session,
        filters: Filters = ALL,
        sort: SortOrder = BY_ID,
        since_id: int | None = None,
        shown: tuple[str, ...] = COLUMNS,
        limit: int | None = None,
        cursor: str | None = None,
        format: str | None = None,
    ) -> SnapshotBody | Long:
        form = LIST_FORMATS[self.format_name()]
        if shown != COLUMNS and not form.has_fields:
            raise BadInput([ParameterError("fields", f"is not for {form.media_types[0]}")])
        asked = List(TweetList(filters, sort, since_id), form, shown, cursor)
        return asked.page(session, limit) if limit else asked.all(session, self._snapshots)


class List(NamedTuple):
    """A requested list: its tweets, its format, the fields that are shown, and the cursor where it begins."""

    wanted: TweetList
    form: ListFormat
    shown: tuple[str, ...]
    cursor: str | None

    def page(self, session: Session, limit: int) -> SnapshotBody:
        """Return a page with the path of the next one: in JSON as `next`, in every format as a header."""
        page = tweet_page(session, self._name, self.wanted, self._reader, cursor=self.cursor, most=limit)
        path = next_path(page.following)
        in_json = self.form is LIST_FORMATS["json"]
        content = json_page(page.rows, path) if in_json else b"".join(self.form.pieces([page.rows], fields=self.shown))
        return SnapshotBody(content, self.form.media_types[0], link(path))

    def all(self, session: Session, snapshots: Snapshots) -> SnapshotBody | Long:
        """Return the list to its end: as one body or, if it is long, as a stream that reads later batches in later states."""
        first = lists.batch(
            session, self.wanted, self._reader, after=tweet_position(session, self._name, self.cursor), most=BATCH
        )
        if first.last is None:
            return SnapshotBody(b"".join(self.form.pieces([first.rows], fields=self.shown)), self.form.media_types[0])
        rest = lists.batches(snapshots, self.wanted, self._reader, after=first.last, of=generation(session))
        return Long(self.form.pieces(chain([first.rows], rest), fields=self.shown), self.form.media_types[0])

    @property
    def _reader(self) -> BatchReader[Any]:
        return self.form.reader(self.shown)

    @property
    def _name(self) -> str:
        return f"tweets {self.wanted}"


class TweetResource(SnapshotResource):
    """One tweet, by the id of any of its versions. DELETE removes it permanently: no collection or import stores it again."""

    answers = answers(
        get=reads(DETAILED, "The tweet"),
        delete=[DocumentedAnswer(204, "The tweet is deleted"), RESTORING],
    )

    def read(self, session: Session, *, tweet_id: str) -> Any:
        """Show one tweet."""
        found = EncodedTweets(tuple(DETAILS)).rows(session, [first_version(session, _number(tweet_id))])
        if not found:
            raise NotFound("there is no tweet with this id")
        return SnapshotBody(found[0])

    def delete(self, tweet_id: str) -> Any:
        """Delete a tweet permanently.

        This also works for a tweet that is not stored: no collection or import will store it.
        """
        database, number = self._snapshots.database, _number(tweet_id)

        def remove(session: Session) -> bool:
            lease.refuse_while_restoring(session)
            return delete_tweet(session, number)

        stored = database.write(remove)
        erasure.erase(database)
        log.info("tweet deleted", extra={"stored": stored})
        return no_content()


def _number(tweet_id: str) -> int:
    found = number(tweet_id)
    if found is None:
        raise NotFound("there is no tweet with this id")
    return found
