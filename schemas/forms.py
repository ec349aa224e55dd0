"""Forms in which lists of tweets are given: as what tweets are read for each, and how batches of them become bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from queries.encoded import Encoded
from queries.lists import Reader
from queries.tweets import Ids, TweetView, Views
from schemas import rows
from schemas.sheets import COLUMNS, sheet

Batches = Iterable[Sequence[Any]]
Fields = tuple[str, ...]


class Form(NamedTuple):
    """A form of lists, its media types, the first of which it is sent as, and how it is made.

    `reader` and `writer` are told which fields are shown. `of_view` makes of a view what the reader would give.
    """

    media_types: tuple[str, ...]
    reader: Callable[[Fields], Reader[Any]]
    writer: Callable[[Batches, Fields], Iterator[bytes]]
    of_view: Callable[[TweetView], Any]
    has_fields: bool = True

    def pieces(self, batches: Batches, *, fields: Fields = COLUMNS) -> Iterator[bytes]:
        """Return the list in pieces, one a batch."""
        return self.writer(batches, fields)


FORMS: Mapping[str, Form] = {
    "json": Form(("application/json", "text/html"), Encoded, lambda batches, _: rows.tweets(batches), rows.encoded),
    "ndjson": Form(
        ("application/x-ndjson", "application/ndjson"), Encoded, lambda batches, _: rows.lines(batches), rows.encoded
    ),
    "csv": Form(("text/csv",), lambda _: Views(), lambda batches, fields: sheet(batches, columns=fields), lambda view: view),
    "ids": Form(("text/plain",), lambda _: Ids(), lambda batches, _: rows.ids(batches), lambda view: view.id, has_fields=False),
}
FIELDS = COLUMNS
