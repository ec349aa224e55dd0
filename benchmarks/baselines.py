"""The apps that the service is measured beside, as factories for Granian.

`bare` is the limit: its routes return what the service at SERVICE_URL answered; /unchanged is an empty 304, /livez empty.
`naive` is what the original service did, on our tables: ORM objects to dicts to json.dumps, no cache, no streaming.
"""

import json
import os
from collections import defaultdict
from typing import Any

import requests
from flask import Flask, Response
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from alchemy import Base
from models import Author, Tag, Tweet, TweetTag, Version

TOP = "/tweets?order_by_followers_desc=5"
ANSWERS = {"tweets": "/tweets", "top": TOP, "hours": "/tweets_per_hour", "tags": "/tweets_per_tag"}


def bare() -> Flask:
    app, url = Flask(__name__, static_folder=None), os.environ["SERVICE_URL"]
    bodies = {name: requests.get(url + path, timeout=60).content for name, path in ANSWERS.items()}
    app.add_url_rule("/livez", view_func=lambda: Response(b""), endpoint="empty")
    app.add_url_rule("/unchanged", view_func=lambda: Response(status=304), endpoint="unchanged")
    app.add_url_rule("/<name>", view_func=lambda name: Response(bodies[name], mimetype="application/json"), endpoint="fixed")
    return app


def naive() -> Flask:
    app, engine = Flask(__name__, static_folder=None), create_engine(f"sqlite:///{os.environ['NAIVE_DATABASE']}")

    @app.get("/tweets")
    def tweets() -> Response:
        with Session(engine) as session:
            return Response(json.dumps({"tweets": _all_tweets(session)}), mimetype="application/json")

    return app


def _all_tweets(session: Session) -> list[dict[str, Any]]:
    tags = {tag.id: tag.tag for tag in session.scalars(select(Tag))}
    found_by, versions = defaultdict(list), defaultdict(list)
    for link in session.scalars(select(TweetTag)):
        found_by[link.tweet_id].append(tags[link.tag_id])
    for version in session.scalars(select(Version).order_by(Version.id)):
        versions[version.tweet_id].append(version.id)
    rows = session.execute(select(Tweet, Author).outerjoin(Author, Author.id == Tweet.author_id).order_by(Tweet.id))
    own = {tweet.id: _columns(author) | _columns(tweet) for tweet, author in rows}
    return [row | {"tags": found_by[number], "versions": versions[number]} for number, row in own.items()]


def _columns(found: Base | None) -> dict[str, Any]:
    """Returns the columns of an ORM object, as text."""
    return {name: str(value) for name, value in vars(found).items() if name[0] != "_"} if found else {}
