"""Forms in which lists of tweets are given: as what tweets are read for each, and how batches of them become bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from queries.encoded import EncodedTweets
from queries.lists import BatchReader
from queries.tweets import TweetIds, TweetView, TweetViews
from schemas import rows
from schemas.sheets import COLUMNS, csv_pieces

Batches = Iterable[Sequence[Any]]
Fields = tuple[str, ...]


class ListFormat(NamedTuple):
    """A form of lists, its media types, the first of which it is sent as, and how it is made.

    `reader` and `writer` are told which fields are shown. `of_view` makes of a view what the reader would give.
    """

    media_types: tuple[str, ...]
    reader: Callable[[Fields], BatchReader[Any]]
    writer: Callable[[Batches, Fields], Iterator[bytes]]
    of_view: Callable[[TweetView], Any]
    has_fields: bool = True

    def pieces(self, batches: Batches, *, fields: Fields = COLUMNS) -> Iterator[bytes]:
        """Return the list in pieces, one a batch."""
        return self.writer(batches, fields)


LIST_FORMATS: Mapping[str, ListFormat] = {
    "json": ListFormat(
        ("application/json", "text/html"), EncodedTweets, lambda batches, _: rows.tweets(batches), rows.encode_tweet
    ),
    "ndjson": ListFormat(
        ("application/x-ndjson", "application/ndjson"), EncodedTweets, lambda batches, _: rows.lines(batches), rows.encode_tweet
    ),
    "csv": ListFormat(
        ("text/csv",), lambda _: TweetViews(), lambda batches, fields: csv_pieces(batches, columns=fields), lambda view: view
    ),
    "ids": ListFormat(
        ("text/plain",), lambda _: TweetIds(), lambda batches, _: rows.ids(batches), lambda view: view.id, has_fields=False
    ),
}
FIELDS = COLUMNS
