"""Networks: which hashtags occur together in tweets, and which accounts mention each other."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from heapq import nsmallest
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, cast, func, select
from sqlalchemy.orm import Session

from database.functions import part_by_part
from models import Author, Hashtag, Tweet, TweetHashtag, TweetMention
from queries.filters import ALL, Filters, conditions


class NetworkNode(NamedTuple):
    """A hashtag or an account, and how many of the matching tweets it is a member of."""

    id: str
    tweets: int


class NetworkEdge(NamedTuple):
    """Two nodes, the lower id first, and the number of matching tweets that connect them."""

    source: str
    target: str
    weight: int


class Network(NamedTuple):
    """The heaviest edges, ties by source, then target; and their nodes, most tweets first, ties by id."""

    nodes: list[NetworkNode]
    edges: list[NetworkEdge]


class Connections(NamedTuple):
    """The number of tweets of each member, and the connections of each one to higher ones, as often as a tweet connects them.

    They are positions in `names`, in arrays: there are millions, and Python's garbage collector looks through lists.
    """

    tweets: Counter[str]
    partners: defaultdict[str, array[int]]
    names: list[str]


def network(session: Session, by: str, filters: Filters = ALL, *, limit: int) -> Network:
    """Return at most `limit` edges of one of NETWORKS. Ids are compared by their code points.

    `tag`: the members of a tweet are the hashtags of its text, in the spelling in which they are shown; it connects each two of
    them. `mention`: the members are its author and those whom it mentions, as @ and the username in lower case; it connects the
    author with each other one. Tweets without mentions don't count, nor do authors whom X did not name.
    """
    part_by_part(session)
    found = Connections(Counter(), defaultdict(lambda: array("L")), [])
    NETWORKS[by](session, filters, found)
    weights = ((source, Counter(own)) for source, own in found.partners.items())
    rows = ((-weight, source, found.names[target]) for source, own in weights for target, weight in own.items())
    edges = [NetworkEdge(source, target, -weight) for weight, source, target in nsmallest(limit, rows)]
    ids = set(chain.from_iterable((edge.source, edge.target) for edge in edges))
    nodes = (NetworkNode(own, found.tweets[own]) for own in ids)
    return Network(sorted(nodes, key=lambda node: (-node.tweets, node.id)), edges)


def _add_hashtags(session: Session, filters: Filters, found: Connections) -> None:
    """Connect the hashtags of tweets. If all tweets match, the roll-up has the numbers, and those with one tag are not read."""
    hashtags = session.execute(select(Hashtag.id, Hashtag.tag, Hashtag.tweets).order_by(Hashtag.tag)).all()
    found.names.extend(tag for _, tag, _ in hashtags)
    places = {str(own): place for place, (own, _, _) in enumerate(hashtags)}
    rows = _by_tweet(TweetHashtag, cast(TweetHashtag.hashtag_id, Text), filters)
    if filters == ALL:
        rows = rows.having(func.count() > 1)
        found.tweets.update({tag: tweets for _, tag, tweets in hashtags})
    for (ids,) in session.connection().execute(rows):
        own = sorted([places[one] for one in ids.split(" ")])
        if filters != ALL:
            found.tweets.update([found.names[place] for place in own])
        for at in range(1, len(own)):
            found.partners[found.names[own[at - 1]]].extend(own[at:])


def _add_mentions(session: Session, filters: Filters, found: Connections) -> None:
    """Connect authors with those whom their tweets mention."""
    places = dict[str, int]()
    rows = _by_tweet(TweetMention, TweetMention.username, filters).add_columns(func.max(Author.username))
    rows = rows.join(Tweet, Tweet.id == TweetMention.tweet_id).outerjoin(Author, Author.id == Tweet.author_id)
    for names, username in session.connection().execute(rows):
        author = f"@{username}".lower() if username else ""
        others = [other for name in names.split(" ") if (other := f"@{name}") != author]
        found.tweets.update([author, *others] if author else others)
        for other in others if author else ():
            found.partners[min(author, other)].append(places.setdefault(max(author, other), len(places)))
    found.names.extend(places)


def _by_tweet(table: Any, name: Any, filters: Filters) -> Select[*tuple[Any, ...]]:
    """Return the query for the names that each matching tweet has in a table, joined by spaces."""
    rows = select(func.aggregate_strings(name, " ")).select_from(table).group_by(table.tweet_id)
    if filters == ALL:
        return rows
    return rows.where(table.tweet_id.in_(select(Tweet.id).where(*conditions(filters, whole=True)).correlate(None)))


NETWORKS: Mapping[str, Callable[[Session, Filters, Connections], None]] = {"tag": _add_hashtags, "mention": _add_mentions}
