"""What resonated: the tweets and the authors with the most engagement, each number with its time."""

from __future__ import annotations

from queries.resonance import Resonance, top_authors, top_tweets
from queries.tweets import TweetView
from text.entities import plain
from text.phrases import as_of, moment, number, plural
from web.charts import ChartFigure, Column, Link, Table
from web.figures.tables import AUTHOR
from web.figures.volume import FigureInput

TWEETS_SHOWN, LONGEST_EXCERPT = 5, 90
ENGAGEMENT = "likes, reposts, replies and quotes"
AGES_NOTE = "Older tweets have had more time to gather them."
NO_NUMBERS = "X gave no likes, reposts, replies or quotes of these tweets."
COLUMNS = (
    Column("Tweet", "text"),
    Column("Author", "file"),
    Column("Id", "file"),
    Column("Engagement"),
    Column("Likes"),
    Column("Reposts"),
    Column("Replies"),
    Column("Quotes"),
    Column("Views"),
    Column("Measured", "text"),
)


def tweets(given: FigureInput) -> ChartFigure:
    """Rank the tweets with the most engagement, without those that have none."""
    found = top_tweets(given.session, given.query.filters, most=given.most if given.most > FigureInput.most else TWEETS_SHOWN)
    finding = _tweets_finding(found[0], given) if found else NO_NUMBERS if given.totals.tweets else given.nothing
    return ChartFigure(
        "resonated", "What resonated", finding, Table(COLUMNS, tuple(_row(view, given) for view in found)), AGES_NOTE
    )


def authors(given: FigureInput) -> ChartFigure:
    """Rank authors by the sum of their tweets' engagement."""
    found = top_authors(given.session, given.query.filters, most=given.most)
    columns = (*AUTHOR, Column("Engagement"), Column("Tweets"), Column("Per tweet"), Column("Last measured", "time"))
    rows = tuple((*_cells(one, given), one.engagement, one.tweets, one.engagement / one.tweets, one.measured) for one in found)
    finding = NO_NUMBERS if given.totals.tweets else given.nothing
    if found:
        finding = _authors_finding(found[0], given)
    return ChartFigure("engaged", "Authors who resonated", finding, Table(columns, rows, bars=2), AGES_NOTE)


def _tweets_finding(first: TweetView, given: FigureInput) -> str:
    who = f"@{first.username}" if first.username else "An author whom X did not name"
    return f"{who} wrote the tweet with the most engagement: {number(first.engagement)} {ENGAGEMENT}, {_age(first, given)}."


def _authors_finding(first: Resonance, given: FigureInput) -> str:
    of = f"{number(first.engagement)} {ENGAGEMENT} of {plural(first.tweets, 'tweet')}"
    return f"@{first.username} resonated the most: {of}, last measured {moment(first.measured, given.query.zone)}."


def _row(view: TweetView, given: FigureInput) -> tuple[object, ...]:
    text = " ".join(plain(view.text).split())
    excerpt = text if len(text) <= LONGEST_EXCERPT else f"{text[:LONGEST_EXCERPT].rstrip()}…"
    link = Link(excerpt, given.query.tweet_url(view.id), f"@{view.username}" if view.username else "")
    return (
        link,
        view.username,
        str(view.id),
        view.engagement,
        view.likes,
        view.reposts,
        view.replies,
        view.quotes,
        view.views,
        _age(view, given),
    )


def _age(view: TweetView, given: FigureInput) -> str:
    """Return when the numbers were measured, in words."""
    return as_of(view.measured, view.created, given.query.zone) if view.measured else ""


def _cells(one: Resonance, given: FigureInput) -> tuple[object, str]:
    name = one.author or ""
    return Link(f"@{one.username}", given.query.author_url(one.username or ""), name), name
