"""The tweets of benchmarks/invented.py as X gives them: in pages of 100, newest first, as twarc2 writes them.

A page includes the authors and places of its tweets and was retrieved a second after the page before it. Within a hundred pages
authors win a thousandth of their followers. The texts end with their tags and a URL. About 900 bytes a tweet, 500 an author.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.invented import tweets

PAGE = 100
RETRIEVED = datetime(2026, 11, 2, tzinfo=UTC)

COUNTED_OF_A_TWEET = ("retweet_count", "reply_count", "like_count", "quote_count", "bookmark_count", "impression_count")
COUNTED_OF_A_USER = ("following_count", "tweet_count", "listed_count", "like_count")

Object = dict[str, Any]


def pages(count: int) -> Iterator[Object]:
    """Give the pages of so many tweets, oldest page first."""
    rows = tweets(count)
    for number in itertools.count():
        if not (part := list(itertools.islice(rows, PAGE))):
            return
        yield _page(part[::-1], number)


def _page(rows: Sequence[Object], number: int) -> Object:
    users = {row["author_id"]: _user(row, number) for row in rows if row["username"]}
    places = {row["country_code"]: _place(row) for row in rows if row["country_code"]}
    return {
        "data": [_post(row) for row in rows],
        "includes": {"users": list(users.values()), "places": list(places.values())},
        "meta": {"newest_id": rows[0]["id"], "oldest_id": rows[-1]["id"], "result_count": len(rows)},
        "__twarc": {
            "url": "https://api.twitter.com/2/tweets/search/all?query=%23devops",
            "version": "2.14.0",
            "retrieved_at": (RETRIEVED + timedelta(seconds=number)).isoformat(),
        },
    }


def _post(row: Object) -> Object:
    text, hashtags = row["tweet"], list[Object]()
    for tag in row["tags"]:
        hashtags.append({"start": len(text) + 1, "end": len(text) + 1 + len(tag), "tag": tag[1:]})
        text += f" {tag}"
    number = int(row["id"]) >> 22
    url, expanded = f"https://t.co/{number:x}"[:23], f"https://example.org/articles/{number}"
    urls = [{"start": len(text) + 1, "end": len(text) + 24, "url": url, "expanded_url": expanded}]
    made = row["created"].replace("Z", ".000Z")
    post: Object = {
        "id": row["version"],
        "text": f"{text} {url}",
        "created_at": made,
        "author_id": row["author_id"],
        "conversation_id": row["id"],
        "edit_history_tweet_ids": row["versions"],
        "edit_controls": {"edits_remaining": 5, "is_edit_eligible": True, "editable_until": made},
        "entities": {"hashtags": hashtags, "urls": urls},
        "possibly_sensitive": False,
        "public_metrics": {name: number // place % 40 for place, name in enumerate(COUNTED_OF_A_TWEET, 1)},
        "reply_settings": "everyone",
    }
    post |= {"lang": row["lang"]} if row["lang"] else {}
    return post | ({"geo": {"place_id": row["country_code"]}} if row["country_code"] else {})


def _user(row: Object, page: int) -> Object:
    number = int(row["author_id"]) >> 20
    counted = {name: number * place % 9000 for place, name in enumerate(COUNTED_OF_A_USER, 1)}
    followers = row["followers"]
    return {
        "id": row["author_id"],
        "name": row["author"],
        "username": row["username"],
        "created_at": "2015-05-01T10:00:00.000Z",
        "description": f"Invented person number {number}, who writes of servers, alerts and whatever else keeps people awake",
        "location": "Nowhere",
        "profile_image_url": f"https://example.org/images/{number:x}/{number * 31:x}_normal.jpg",
        "protected": False,
        "public_metrics": {} if followers is None else {"followers_count": followers + followers * page // 100_000, **counted},
        "url": f"https://example.org/people/{number}",
        "verified": False,
    }


def _place(row: Object) -> Object:
    return {
        "id": row["country_code"],
        "full_name": f"Capital, {row['country']}",
        "name": "Capital",
        "country": row["country"],
        "country_code": row["country_code"],
        "place_type": "city",
        "geo": {"type": "Feature", "bbox": [-75.7, 6.1, -75.4, 6.4], "properties": {}},
    }
