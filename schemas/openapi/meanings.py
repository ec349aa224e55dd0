"""What parameters mean, by name: the same name means the same on every path. Each has an example that the service answers."""

from __future__ import annotations

from typing import Any, NamedTuple


class Meaning(NamedTuple):
    """What a parameter is for, and a value of it; None where nobody can make one up."""

    words: str
    example: Any


_CREATED = "Only tweets that were posted {} this time"
QUERY = {
    "author": Meaning("Only tweets of this author", "Fiwufa_0x"),
    "bucket": Meaning("How long a stretch of time is", "day"),
    "by": Meaning("What the tweets are counted by", "lang"),
    "country": Meaning("Only tweets from this country", "GB"),
    "cursor": Meaning("Where the list goes on, as its `next` gave it", None),
    "fields": Meaning("The keys that a tweet is shown with", ["id", "tweet"]),
    "format": Meaning("How the tweets are written; before the header Accept", "json"),
    "lang": Meaning("Only tweets in this language", "en"),
    "limit": Meaning("How many there are on a page", 10),
    "min_followers": Meaning("Only tweets of authors with at least so many followers", 1000),
    "order_by_followers_desc": Meaning("Gives so many authors instead of tweets, most followed first", 5),
    "q": Meaning("Only tweets in which all of these words occur", "latency"),
    "since": Meaning(_CREATED.format("at or after"), "2025-12-30T18:00:00Z"),
    "since_id": Meaning("Only tweets whose id is greater than this one", "2006008519143937502"),
    "sort": Meaning("The order; with a leading -, the other way round", "-followers"),
    "tag": Meaning("Only this hashtag, its # optional; each may be given", "devops"),
    "tz": Meaning("The time zone in which hours and days begin", "America/Sao_Paulo"),
    "until": Meaning(_CREATED.format("before"), "2025-12-31T06:00:00Z"),
}
PATH_PARAMETERS = {
    "collection_id": Meaning("The id of a collection", 1),
    "tag": Meaning("A hashtag in any case, its # optional", "devops"),
    "tweet_id": Meaning("The id of any version of a tweet", "2006008519143937502"),
    "username": Meaning("A username in any case, its @ optional", "Fiwufa_0x"),
}
