"""Redactions: deletes what X's answer to a compliance job lists, line by line. Applying an answer again changes nothing.

Source: X's documentation of batch compliance. A line is `{"id","action","created_at","redacted_at","reason"}`; the reason
`scrub_geo` concerns the location only. Tweets of accounts that became protected or were suspended are deleted as well.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from sqlalchemy.orm import Session

from alchemy import Database
from collector.runs import lease
from collector.tweets.deletions import delete_tweet, scrub_location
from collector.x.parsing import mapping, number, text

log = logging.getLogger(__name__)

BATCH = 200
DELETE, SCRUB_GEO = "delete", "scrub_geo"


class Redaction(NamedTuple):
    """A version of a tweet that must be deleted, or its location only."""

    id: int
    geo_only: bool


class Removals(NamedTuple):
    """How many stored tweets were removed and how many stored locations."""

    removed: int
    scrubbed: int


def apply(database: Database, lines: Iterable[bytes], record: Callable[[Session, Removals], None]) -> None:
    """Apply the lines in short transactions; `record` is called within each of them with its removals.

    Unreadable lines and unknown actions are counted and logged; a tweet with an unknown reason is deleted. Raises
    DatabaseUnavailable, and what reading the lines raises: what came before is applied.
    """
    skipped = dict.fromkeys(("line", "action"), 0)
    batch: list[Redaction] = []
    try:
        for one in _redactions(lines, skipped):
            batch.append(one)
            if len(batch) == BATCH:
                full, batch = batch, []
                _apply(database, full, record)
    finally:
        if batch:
            _apply(database, batch, record)
    for what, count in skipped.items():
        if count:
            log.warning("compliance lines skipped", extra={"unreadable": what, "lines": count})


def _apply(database: Database, batch: list[Redaction], record: Callable[[Session, Removals], None]) -> None:
    def apply(session: Session) -> None:
        lease.refuse_while_restoring(session)
        whole = sum(delete_tweet(session, one.id) for one in batch if not one.geo_only)
        record(session, Removals(whole, sum(scrub_location(session, one.id) for one in batch if one.geo_only)))

    database.write(apply)


def _redactions(lines: Iterable[bytes], skipped: dict[str, int]) -> Iterator[Redaction]:
    for line in lines:
        if line.strip():
            try:
                yield _redaction(line)
            except _UnknownRedaction as unknown:
                skipped[str(unknown)] += 1


class _UnknownRedaction(Exception):
    """A line can't be applied; the text says whether the line or its action is not understood."""


def _redaction(line: bytes) -> Redaction:
    try:
        said = mapping(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise _UnknownRedaction("line") from error
    tweet_id, action = number(said.get("id")), text(said.get("action"))
    if tweet_id is None or action is None:
        raise _UnknownRedaction("line")
    geo_only = SCRUB_GEO in (action, text(said.get("reason")))
    if action != DELETE and not geo_only:
        raise _UnknownRedaction("action")
    return Redaction(tweet_id, geo_only)
