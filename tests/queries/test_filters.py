"""The filters on a database, and what belongs to the tweets that they let through."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from alchemy import Database
from collector.backups.backups import drop
from collector.tweets.deletions import delete_tweet
from queries.filters import ALL, Filters
from queries.lists import TweetList, TweetsReplaced, batches
from queries.payloads import TweetPayloads
from queries.plans import is_narrow
from queries.tweets import EncodedTweets, TweetViews, first_version
from schemas.parameters import filters
from schemas.tweets import encode_tweet
from tests.fixtures.archives import MORNING, Json, edited, own_row, page, post, user
from tests.queries.invented import imported

pytestmark = pytest.mark.dialects
LINK: Json = {"entities": {"urls": [{"url": "https://t.co/a", "expanded_url": "https://example.org/a"}]}}
REPLY: Json = {"in_reply_to_user_id": "7001"}


@pytest.fixture(scope="module")
def database(database_backend: str) -> Iterator[Database]:
    """Nine tweets, a minute apart: 0 to 4 our own rows, 5 edited twice, 6 to 8 X's."""
    with imported(*archive()) as ready:
        yield ready


RICH: Json = {
    "public_metrics": {"like_count": 90, "retweet_count": 9, "impression_count": 4000},
    "referenced_tweets": [{"type": "replied_to", "id": "1"}],
    "attachments": {"media_keys": ["3_1"]},
    "entities": {
        "urls": [{"expanded_url": "https://b.example/ü"}, {"expanded_url": "https://a.example/?q=%22"}],
        "mentions": [{"username": "Eve"}, {"username": "ada"}],
    },
}


def archive() -> list[Any]:
    bo = user(7002, "Бо", "Bo_Primer", 90)
    return [
        own_row(0, tags=["#sre", "#devops"]),
        own_row(1, lang="PT", tags=["#devops"], rash="#devops"),
        own_row(2, lang=None, country="Colombia", country_code="CO", likes=0, measured="2026-03-02T09:00:00Z"),
        own_row(3, username="eve", author="Eve", followers=None),
        own_row(4, username=None, author=None, followers=None, replies=200, views=3),
        page(edited(5, 10, 11, text="third", author_id="7002"), users=(bo,)),
        page(post(6, author=7002, **LINK), post(7, author=7003, **RICH), post(8, author=None, **REPLY), users=(bo,)),
    ]


def found(database: Database, wanted: Filters, *, most: int = 2) -> list[int]:
    """Return by their minutes the tweets that are wanted."""
    views = [view for batch in batches(database, TweetList(wanted), TweetViews(), most=most) for view in batch]
    return [(view.created - MORNING) // timedelta(minutes=1) for view in views]


@pytest.mark.parametrize(
    ("wanted", "minutes"),
    [
        ({}, [0, 1, 2, 3, 4, 5, 6, 7, 8]),
        ({"tag": ["SRE"]}, [0, 2, 3, 4]),
        ({"tag": ["#sre", "#DevOps"]}, [0]),
        ({"any_tag": ["sre", "DEVOPS"]}, [0, 1, 2, 3, 4]),
        ({"any_tag": ["devops", "#never_tracked"]}, [0, 1]),
        ({"any_tag": ["never_tracked"]}, []),
        ({"any_tag": ["sre", "devops"], "tag": ["devops"]}, [0, 1]),
        ({"lang": ["pt"]}, [1]),
        ({"lang": ["EN"]}, [0, 3, 4, 5, 6, 7, 8]),
        ({"country": ["co"]}, [2]),
        ({"country": ["Peru"]}, []),
        ({"author": ["@bo_primer"]}, [5, 6]),
        ({"since": ["2026-03-02T08:35:00Z"]}, [5, 6, 7, 8]),
        ({"since": ["2026-03-02T08:35:00.1Z"]}, [6, 7, 8]),
        ({"until": ["2026-03-02T08:31:00Z"]}, [0]),
        ({"until": ["2026-03-02T08:31:00.1Z"]}, [0, 1]),
        ({"since": ["2026-03-02"], "until": ["2026-03-02"]}, []),
        ({"min_followers": ["91"]}, [0, 1, 2]),
        ({"min_engagement": ["99"]}, [4, 7]),
        ({"min_engagement": ["201"]}, []),
        ({"min_engagement": ["0"], "tag": ["sre"]}, [2, 4]),
        ({"q": ["AGAIN, #sre"]}, [0, 1, 2, 3, 4, 6, 7, 8]),
        ({"q": ["third again"]}, []),
        ({"q": ["on call"], "author": ["bo_primer"]}, [6]),
        ({"q": ['"call again" -third']}, [0, 1, 2, 3, 4, 6, 7, 8]),
        ({"q": ['"again call"']}, []),
        ({"q": ["-third"]}, [0, 1, 2, 3, 4, 6, 7, 8]),
        ({"q": ['-"on call"'], "author": ["bo_primer"]}, [5]),
        ({"q": ["-third"], "has": ["reply"], "lang": ["en"]}, [7, 8]),
        ({"has": ["link"]}, [6, 7]),
        ({"has": ["link", "reply"]}, [7]),
        ({"has": ["media", "link"]}, [7]),
        ({"min_followers": ["90"]}, [0, 1, 2, 5, 6]),
        ({"tag": ["devops"], "min_followers": ["1"], "lang": ["en"], "until": ["2026-03-03"]}, [0]),
    ],
)
def test_a_filter_lets_through_what_it_names(database: Database, wanted: dict[str, list[str]], minutes: list[int]) -> None:
    assert found(database, filters(wanted)) == minutes


def test_the_versions_of_an_edited_tweet_are_shown_oldest_first(database: Database) -> None:
    versions = tuple(int(post(minute)["id"]) for minute in (5, 10, 11))
    ((view,),) = batches(database, TweetList(filters({"q": ["third"]})), TweetViews())
    assert (view.id, view.text, view.version, view.versions) == (versions[0], "third", versions[2], versions)
    with database.reading() as session:
        read = TweetViews().rows(session, [first_version(session, own) for own in (versions[1], int(post(6)["id"]))])
    assert read[0] == view
    plain = read[1]
    assert (plain.version, plain.versions) == (plain.id, (plain.id,))


def test_the_database_writes_the_same_json_as_python(database: Database) -> None:
    with database.reading() as session:
        views, _ = TweetViews().run(session, after=-1, most=100)
        bodies, _ = EncodedTweets().run(session, after=-1, most=100)
    assert bodies == [encode_tweet(view) for view in views]


def test_the_payloads_are_those_of_the_same_tweets(database: Database) -> None:
    for wanted in (ALL, filters({"tag": ["sre"]}), filters({"author": ["bo_primer"]})):
        shown = [view.id for batch in batches(database, TweetList(wanted), TweetViews()) for view in batch]
        assert [one.id for batch in batches(database, TweetList(wanted), TweetPayloads(), most=2) for one in batch] == shown


def test_what_is_deleted_meanwhile_is_left_out_and_what_was_replaced_is_not_read_on(database_backend: str) -> None:
    with imported(own_row(0), own_row(1), own_row(2)) as ready:
        reading, others = (batches(ready, TweetList(), reader, most=1) for reader in (TweetViews(), TweetPayloads()))
        (first,) = next(reading)
        next(others)
        with ready.writing() as session:
            delete_tweet(session, int(post(1)["id"]))
        assert [view.id for batch in reading for view in batch] == [int(post(2)["id"])]
        assert first.id == int(post(0)["id"])
        drop(ready)
        with pytest.raises(TweetsReplaced):
            list(others)


def test_filters_without_an_access_path_are_not_narrow(database: Database) -> None:
    """So lists and authors are read, instead of failing, where a filter has a condition and no index."""
    with database.reading() as session:
        assert not is_narrow(session, ALL)
        assert is_narrow(session, Filters(lang="en"))
