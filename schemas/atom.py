"""Feeds in Atom 1.0 (RFC 4287), by feedgenerator."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import NamedTuple

from feedgenerator import Atom1Feed

from queries.causes import ExplainedSpike
from queries.gaps import snowflake_time
from queries.tweets import TweetView
from schemas.gexf import allowed
from text.entities import plain
from text.phrases import enumeration, plural, times
from text.unseen import visible

MEDIA_TYPE = "application/atom+xml"
PUBLISHER = "Hashtag monitor"
UNKNOWN_AUTHOR = "unknown author"
LONGEST_TITLE = 120
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When a feed without entries was updated."""


class FeedHead(NamedTuple):
    """What a feed says of itself: its id, its title, its own URL, and that of the page that shows the same."""

    id: str
    title: str
    own: str
    page: str


class FeedEntry(NamedTuple):
    """An entry: its content is HTML, its times are UTC. The author of one that names none is the feed's."""

    id: str
    title: str
    link: str
    published: datetime
    updated: datetime
    content: str
    author: str | None = None
    author_link: str | None = None
    tags: tuple[str, ...] = ()


class _AtomFeed(Atom1Feed):
    """A feed whose time is that of its newest entry, also if it has none."""

    def latest_post_date(self) -> datetime:
        return max((item["updateddate"] for item in self.items), default=NEVER)


def atom(head: FeedHead, entries: Iterable[FeedEntry]) -> bytes:
    """Return a feed, without the characters that XML forbids, and without those of direction."""
    about = {"feed_url": head.own, "feed_guid": head.id, "author_name": PUBLISHER}
    feed = _AtomFeed(_shown(head.title), head.page, None, **about)
    for one in entries:
        feed.add_item(
            _shown(one.title),
            one.link,
            None,
            author_name=_shown(one.author) if one.author else None,
            author_link=one.author_link,
            pubdate=one.published,
            updateddate=one.updated,
            unique_id=one.id,
            content=_shown(one.content),
            categories=[_shown(tag) for tag in one.tags],
        )
    written: str = feed.writeString("utf-8")
    return written.encode()


def tweet_entry(view: TweetView, site: str, *, is_invented: bool) -> FeedEntry:
    """Return a tweet as an entry. It was updated when it was posted, or when its newest version was."""
    who = f"@{view.username}" if view.username else plain(view.author) or UNKNOWN_AUTHOR
    edited = snowflake_time(view.version).replace(microsecond=0) if view.version != view.id else view.created
    links = "".join(f"<p>{_anchor(url, url)}</p>" for url in view.links)
    return FeedEntry(
        f"urn:x:tweet:{view.id}",
        _shortened(f"{who}: {plain(view.text)}"),
        tweet_link(view, site, is_invented=is_invented),
        view.created,
        max(view.created, edited),
        f"<p>{_paragraph(view.text)}</p>{links}",
        plain(view.author) or who,
        f"https://x.com/{view.username}" if view.username and not is_invented else None,
        view.tags,
    )


def tweet_link(view: TweetView, site: str, *, is_invented: bool) -> str:
    """Return the URL of a tweet on X; of one that is invented, or without a username, that of its page."""
    if is_invented or not view.username:
        return f"{site}/view/tweets/{view.id}"
    return f"https://x.com/{view.username}/status/{view.version}"


def spike_content(sentence: str, spike: ExplainedSpike, top: Iterable[tuple[TweetView, str]]) -> str:
    """Return a spike as HTML: the sentence, what stands out in it, and its top tweets with their URLs."""
    kinds: dict[str, list[tuple[str, int, float | None]]] = {
        "Hashtags": [(one.tag, one.tweets, one.lift) for one in spike.tags],
        "Words": [(one.term, one.tweets, one.lift) for one in spike.terms],
        "Linked": [(one.domain, one.tweets, one.lift) for one in spike.domains],
        "Authors": [(f"@{one.username}", one.tweets, None) for one in spike.authors],
    }
    listed = "".join(f"<li>{escape(_listed(kind, rows))}</li>" for kind, rows in kinds.items() if rows)
    tweets = "".join(_quoted(view, url) for view, url in top)
    return f"<p>{escape(sentence)}</p>{f'<ul>{listed}</ul>' if listed else ''}{tweets}"


def _quoted(view: TweetView, url: str) -> str:
    author = _anchor(url, plain(view.author) or view.username or UNKNOWN_AUTHOR)
    return f"<blockquote><p>{_paragraph(view.text)}</p><p>{author}</p></blockquote>"


def _listed(kind: str, rows: list[tuple[str, int, float | None]]) -> str:
    """Return what stands out, such as `Words: outage (64 tweets, 21.5 × their usual share)`."""
    lifted = ((name, plural(tweets, "tweet"), lift) for name, tweets, lift in rows)
    return f"{kind}: " + enumeration(
        f"{name} ({tweets}{'' if lift is None else f', {times(lift)} their usual share'})" for name, tweets, lift in lifted
    )


def _shown(text: str) -> str:
    return visible(allowed(text))


def _paragraph(text: str) -> str:
    """Return a text of X as HTML, each of its lines on one of its own."""
    return "<br>".join(escape(line) for line in plain(text).splitlines())


def _anchor(url: str, text: str) -> str:
    return f'<a href="{escape(url)}" rel="noopener nofollow ugc">{escape(text)}</a>'


def _shortened(text: str) -> str:
    """Return a text in one line, cut if it is long."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1]}…"
