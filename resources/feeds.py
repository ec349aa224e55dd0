"""Atom feeds of tweets and spikes, and keys with which feed readers read them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import request
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from collector.sources import EMULATOR, source_of
from queries import lists
from queries.causes import ExplainedSpike
from queries.feeds import stored_at, stored_feeds
from queries.filters import BY_TIME, Filters
from queries.lists import TweetList
from queries.peaks import explained_peak, peak_finding
from queries.tweets import TweetViews
from resources.api import CollectorResource, no_content, problem_response
from resources.snapshots import SnapshotBody, SnapshotResource, Snapshots
from resources.spikes import SpikesResource, spikes_of
from schemas.atom import MEDIA_TYPE, FeedEntry, FeedHead, atom, spike_content, tweet_entry, tweet_link
from schemas.feeds import KEY, NEW_FEED, SpikeFeedArguments, TweetFeedArguments, feed_path, parse_feed, with_key
from schemas.json_schema import DocumentedAnswer, DocumentedBody, answers, count, many, reads, record, text, time
from schemas.parameters import BOUNDS, BUCKETS, PARAMETERS
from watches.feeds import TooManyFeeds, create_feed, delete_feed

MOST_ENTRIES = 100
ACCEPTED = (MEDIA_TYPE, "application/xml", "text/xml", "application/rss+xml", "text/html")
"""What clients that take a feed say, some of them by older names."""
NOT_OF_SPIKES = (*BOUNDS, "bucket", "tz")
"""Parameters that don't change which tweets a spike counts, so that its id doesn't depend on them."""
FEED = record(
    "Feed",
    "A feed that can be read with a key.",
    {"id": count("Its id"), "path": text("Its path with its parameters, without the key"), "created": time("UTC")},
)
FEEDS = record("Feeds", "The feeds that can be read with a key, by id.", {"feeds": many(FEED)})
CREATED = record(
    "CreatedFeed",
    "A feed that was made.",
    {"url": text("Its path with its key, which is shown only now", pattern="^/"), "id": count("Its id")},
)
EXAMPLE = {"path": "/tweets.atom?tag=devops"}


class FeedRequest(NamedTuple):
    """The feed that the current request asks for: its path, its parameters without the key, and the key if it has one."""

    path: str
    pairs: list[tuple[str, str]]
    key: str | None

    @classmethod
    def current(cls) -> FeedRequest:
        """Return that of the current request."""
        pairs = [pair for pair in request.args.items(multi=True) if pair[0] != KEY]
        return cls(request.path, pairs, request.args.get(KEY))

    def head(self, noun: str, site: str, page: str) -> FeedHead:
        """Return what the feed says of itself. Its id depends on its path and parameters alone."""
        path = feed_path(self.path, self.pairs)
        named = [f"{PARAMETERS[name].label if name in PARAMETERS else name}: {value}" for name, value in self.pairs]
        own = with_key(path, self.key) if self.key else path
        return FeedHead(f"urn:x:feed:{_digest(path)}", " · ".join([noun, *named]), site + own, site + page)

    def url(self, page: str, *without: str, **more: str) -> str:
        """Return the path of a page with the feed's parameters, but for some, and more."""
        pairs = [*(pair for pair in self.pairs if pair[0] not in without), *more.items()]
        return f"{page}?{urlencode(pairs)}" if pairs else page

    def spike_id(self, spike: ExplainedSpike, bucket: timedelta) -> str:
        """Return the id of a spike: the length of its bucket, its first second, and a hash of the filters."""
        name = next(name for name, length in BUCKETS.items() if length == bucket)
        filters = feed_path("", (pair for pair in self.pairs if pair[0] not in NOT_OF_SPIKES))
        return f"urn:x:spike:{name}:{int(spike.start.timestamp())}:{_digest(filters)}"


class AtomResource(SnapshotResource):
    """A feed. Without a site of the settings, its links begin with the address by which it is read."""

    accepts, gives = ACCEPTED, (MEDIA_TYPE,)
    answers = answers(get=reads(text("Atom 1.0"), "The feed"))

    def __init__(self, snapshots: Snapshots, site: str | None) -> None:
        super().__init__(snapshots)
        self._site = site or request.host_url.rstrip("/")

    def format_name(self) -> str:
        """Return the name of the format."""
        return "atom"


class TweetFeedResource(AtomResource):
    """The newest hundred tweets that match the filters, by the time at which they were posted."""

    arguments = TweetFeedArguments

    def read(self, session: Session, *, filters: Filters, key: str | None = None) -> Any:
        """Give the newest tweets as an Atom feed."""
        asked, invented = FeedRequest.current(), source_of(session) == EMULATOR
        newest = lists.page(session, TweetList(filters, BY_TIME), after=None, most=MOST_ENTRIES)
        views = TweetViews().rows(session, [one.id for one in newest])
        head = asked.head("Tweets", self._site, asked.url("/view/tweets"))
        return SnapshotBody(atom(head, (tweet_entry(one, self._site, is_invented=invented) for one in views)), MEDIA_TYPE)


class SpikeFeedResource(AtomResource, SpikesResource):
    """The newest hundred spikes of a period, which is the last seven days unless since or until are given."""

    arguments = SpikeFeedArguments

    def read(
        self, session: Session, *, filters: Filters, bucket: timedelta, tz: ZoneInfo, key: str | None = None
    ) -> SnapshotBody:
        """Give the newest spikes as an Atom feed."""
        asked = FeedRequest.current()
        found = spikes_of(session, filters, bucket, tz)
        head = asked.head("Spikes", self._site, asked.url("/", "bucket"))
        return SnapshotBody(atom(head, self._entries(session, asked, filters, found, bucket, tz)), MEDIA_TYPE)

    def _entries(
        self,
        session: Session,
        asked: FeedRequest,
        filters: Filters,
        found: list[ExplainedSpike],
        bucket: timedelta,
        zone: ZoneInfo,
    ) -> Iterator[FeedEntry]:
        """Yield each spike. It was updated when it was over, or when a run last added one of its tweets."""
        invented = source_of(session) == EMULATOR
        views = {one.id: one for one in TweetViews().rows(session, [own for spike in found for own in spike.top])}
        changes = stored_at(session, filters, [(one.start, one.end) for one in found])
        for spike, changed in zip(found, changes, strict=True):
            top = [(views[own], tweet_link(views[own], self._site, is_invented=invented)) for own in spike.top]
            sentence = peak_finding(explained_peak(session, filters, spike), zone, with_zone=True)
            link = self._site + asked.url("/view/spike", start=f"{spike.start:%Y-%m-%dT%H:%M:%SZ}")
            updated = max(spike.end, changed or spike.end)
            content = spike_content(sentence, spike, top)
            yield FeedEntry(asked.spike_id(spike, bucket), sentence.removesuffix("."), link, spike.end, updated, content)


class FeedsResource(CollectorResource):
    """The feeds that can be read with a key."""

    answers = answers(
        get=reads(FEEDS, "The feeds"),
        post=[
            DocumentedAnswer(201, "The feed was made", CREATED),
            DocumentedAnswer(409, "There are 200 feeds, which is the most"),
        ],
    )
    bodies = MappingProxyType({"post": DocumentedBody("The feed", NEW_FEED, EXAMPLE, is_required=True, is_cross_checked=True)})

    def get(self) -> Any:
        """List the feeds, without their keys."""
        with self._database.reading() as session:
            return {"feeds": stored_feeds(session)}

    def post(self) -> Any:
        """Make a key that reads one feed with exactly these parameters, and nothing else."""
        try:
            created = create_feed(self._database, parse_feed(request.get_data()))
        except TooManyFeeds as error:
            return problem_response(409, str(error))
        return created, 201, {"Cache-Control": "no-store"}


class FeedResource(CollectorResource):
    """A feed that can be read with a key."""

    answers = answers(
        delete=[DocumentedAnswer(204, "The feed was deleted"), DocumentedAnswer(404, "There is no such feed")],
    )

    def delete(self, feed_id: int) -> Any:
        """Delete a feed; its key reads nothing any more."""
        if not delete_feed(self._database, feed_id):
            raise NotFound("there is no feed with this id")
        return no_content()


def _digest(path: str) -> str:
    return sha256(path.encode()).hexdigest()[:16]
