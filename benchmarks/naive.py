"""The baseline: what the original service did, on our tables. ORM objects to dicts to json.dumps, no cache, no streaming.

NAIVE_DATABASE names the SQLite file. It is written as one would without thinking of speed, but not badly: four SELECTs for
all tweets, not four a tweet.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from flask import Flask, Response, request
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from models import Author, Tag, Tweet, TweetTag, Version

Json = dict[str, Any]


def create_app() -> Flask:
    app, engine = Flask(__name__, static_folder=None), create_engine(f"sqlite:///{os.environ['NAIVE_DATABASE']}")

    @app.get("/tweets")
    def tweets() -> Response:
        limit = request.args.get("order_by_followers_desc", type=int)
        with Session(engine) as session:
            return _answer({"tweets": all_tweets(session)} if limit is None else {"authors": top(session, limit)})

    @app.get("/tweets_per_hour")
    def tweets_per_hour() -> Response:
        with Session(engine) as session:
            return _answer({"tweets_per_hour": per_hour(session)})

    @app.get("/tweets_per_tag")
    def tweets_per_tag() -> Response:
        with Session(engine) as session:
            return _answer({"tweets_per_tags": per_tag(session)})

    return app


def _answer(body: Json) -> Response:
    return Response(json.dumps(body), mimetype="application/json")


def all_tweets(session: Session) -> list[Json]:
    tags = {tag.id: tag for tag in session.scalars(select(Tag))}
    found_by, versions = defaultdict(list), defaultdict(list)
    for link in session.scalars(select(TweetTag)):
        found_by[link.tweet_id].append(tags[link.tag_id])
    for version in session.scalars(select(Version).order_by(Version.id)):
        versions[version.tweet_id].append(version.id)
    rows = session.execute(select(Tweet, Author).outerjoin(Author, Author.id == Tweet.author_id).order_by(Tweet.id))
    return [_tweet(tweet, author, tags, found_by[tweet.id], versions[tweet.id]) for tweet, author in rows]


def _tweet(tweet: Tweet, author: Author | None, tags: Mapping[int, Tag], found: list[Tag], later: Sequence[int]) -> Json:
    return {
        "tweet": tweet.text,
        "author": author.name if author else None,
        "followers": author.followers if author else None,
        "created": _time(tweet.created),
        "lang": tweet.lang,
        "country": tweet.country,
        "rash": tags[tweet.rash_id].tag if tweet.rash_id else None,
        "id": str(tweet.id),
        "username": author.username if author else None,
        "tags": [tag.tag for tag in sorted(found, key=lambda tag: tag.key)],
        "country_code": tweet.country_code,
        "author_id": str(tweet.author_id) if tweet.author_id is not None and tweet.author_id >= 0 else None,
        "observed": _time(author.observed) if author and author.observed else None,
        "version": str(tweet.version),
        "versions": [str(tweet.id), *map(str, later)],
    }


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def top(session: Session, limit: int) -> list[Json]:
    named = select(Author).where(Author.name.is_not(None), Author.tweets > 0)
    ranked = session.scalars(named.order_by(Author.followers.desc().nulls_last(), Author.username, Author.id).limit(limit))
    return [
        {"author": author.name, "followers": author.followers, "username": author.username, "tweets": author.tweets}
        for author in ranked
    ]


def per_hour(session: Session) -> list[Json]:
    counts = Counter(tweet.created.hour for tweet in session.scalars(select(Tweet)))
    return [{"at_hour": f"{hour:02d}:00", "tweets": counts[hour]} for hour in range(24)]


def per_tag(session: Session) -> list[list[Json]]:
    linked = select(Tag, Tweet).join(TweetTag, TweetTag.tag_id == Tag.id).join(Tweet, Tweet.id == TweetTag.tweet_id)
    counts = Counter((tag.key, tag.tag, tweet.lang) for tag, tweet in session.execute(linked))
    ranked = sorted(counts.items(), key=lambda each: (each[0][0], -each[1], each[0][2] is None, each[0][2]))
    rows = [{"rash": tag, "lang": lang, "tweets": tweets} for (_, tag, lang), tweets in ranked]
    return [list(group) for _, group in groupby(rows, key=lambda row: row["rash"])]
