"""/view/tweets/{id}: a tweet with its versions, its numbers and how these grew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from flask import Response
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.tweets.edits import parse_or_none
from collector.x.parsing import number
from queries.gaps import snowflake_time
from queries.history import TweetNumbers, kept_versions, tweet_numbers
from queries.tweets import TweetView, TweetViews, first_version
from web.charts import HEIGHT, WIDTH
from web.site import Route, Site, tidy_redirect


class ShownVersion(NamedTuple):
    """A version of a tweet: when it was posted (UTC), and its text; None where nothing is kept of it."""

    posted: datetime
    text: str | None


def tweet(site: Site, tweet_id: str) -> Response:
    """Show a tweet, by the id of any of its versions."""
    if redirect := tidy_redirect():
        return redirect
    with site.reading() as session:
        own = number(tweet_id)
        found = TweetViews().rows(session, [first_version(session, own)]) if own is not None else []
        if not found:
            raise NotFound("no tweet with this id is stored")
        numbers, query = tweet_numbers(session, found[0].id), site.parse(session)
        values: dict[str, Any] = {"view": found[0], "versions": _versions(session, found[0]), "numbers": numbers}
        return site.page("tweet.html", session, query.zone, query=query, points=_points(numbers), **values)


def _versions(session: Session, view: TweetView) -> list[ShownVersion]:
    """Return the versions of an edited tweet, newest first; none of one that was never edited."""
    if len(view.versions) == 1:
        return []
    read = {own: parse_or_none(body) for own, body in kept_versions(session, view.id).items()}
    texts = {own: version.text for own, version in read.items() if version} | {view.version: view.text}
    return [ShownVersion(snowflake_time(own), texts.get(own)) for own in sorted(view.versions, reverse=True)]


def _points(numbers: Sequence[TweetNumbers]) -> str:
    """Return the curve of the engagement over time in the box of charts; empty if there are less than two points."""
    known = [(one.at, one.engagement) for one in numbers if one.engagement is not None]
    if len(known) < 2:
        return ""
    first, span, top = known[0][0], known[-1][0] - known[0][0], max(engagement for _, engagement in known) or 1
    return " ".join(f"{(at - first) / span * WIDTH:.1f},{HEIGHT - own / top * HEIGHT:.1f}" for at, own in known)


ROUTES: tuple[Route, ...] = (("/view/tweets/<tweet_id>", tweet, "GET"),)
