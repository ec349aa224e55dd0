"""The parameters of search: bounds, pages, fields and refusals."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from emulator import Emulator
from tests.emulator.conftest import Client

EPOCH_MS = 1288834974657


def snowflake(at: datetime) -> int:
    return (round(at.timestamp() * 1000) - EPOCH_MS) << 22


def rfc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_paging_gives_every_tweet_once_newest_first(reader: Client) -> None:
    pages = reader.pages("#devops")
    ids = [one for page in pages for one in page.ids]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) == reader.get("/2/tweets/counts/recent", query="#devops").body["meta"]["total_tweet_count"]
    assert "next_token" not in pages[-1].body["meta"]


def test_the_meta_describes_the_page(reader: Client) -> None:
    for page in reader.pages("#sre"):
        meta = page.body["meta"]
        assert (int(meta["newest_id"]), int(meta["oldest_id"]), meta["result_count"]) == (
            page.ids[0],
            page.ids[-1],
            len(page.ids),
        )


def test_a_later_page_may_be_shorter_than_asked_and_still_go_on(reader: Client) -> None:
    pages = reader.pages("#devops", max_results=50)
    assert any(page.body["meta"]["result_count"] < 50 for page in pages[:-1])
    assert pages[0].body["meta"]["result_count"] == 50


def test_the_same_token_gives_the_same_page_days_later(emulator: Emulator, client: Client) -> None:
    token = client.search("#devops").body["meta"]["next_token"]
    page = client.search("#devops", next_token=token)
    emulator.clock.advance(3 * 86_400)
    assert client.search("#devops", next_token=token).ids == page.ids
    assert client.search("#devops", pagination_token=token).ids == page.ids


def test_a_token_of_another_query_is_refused(reader: Client) -> None:
    token = reader.search("#devops").body["meta"]["next_token"]
    assert reader.search("#sre", next_token=token).status == 400
    assert reader.search("#devops", next_token="nonsense").status == 400


def test_ten_is_the_default_and_the_least(reader: Client) -> None:
    assert len(reader.get("/2/tweets/search/recent", query="#devops").ids) == 10


def test_since_id_and_until_id_are_exclusive(reader: Client) -> None:
    ids = reader.search("#devops").ids
    assert reader.search("#devops", since_id=ids[30], until_id=ids[10]).ids == ids[11:30]


def test_start_time_is_inclusive_and_end_time_exclusive(reader: Client, noon: datetime, devops: list[dict[str, Any]]) -> None:
    at = devops[40]["created_at"], devops[10]["created_at"]
    found = reader.search("#devops", start_time=at[0], end_time=at[1]).ids
    assert found == [int(tweet["id"]) for tweet in devops[11:41]]


def test_without_bounds_the_end_is_thirty_seconds_ago(reader: Client, noon: datetime) -> None:
    limit = snowflake(noon - timedelta(seconds=30))
    assert reader.search("#devops OR #ai OR #python").ids[0] < limit
    assert reader.search("#devops OR #ai OR #python", until_id=snowflake(noon)).ids[0] < limit


def test_with_since_id_the_newest_tweets_are_seen(emulator: Emulator, client: Client, noon: datetime) -> None:
    seen = []
    for _ in range(40):
        now = emulator.clock.now()
        seen += [
            one
            for one in client.search("#devops OR #ai", since_id=snowflake(now - timedelta(minutes=5))).ids
            if one > snowflake(now - timedelta(seconds=30))
        ]
        emulator.clock.advance(60)
    assert seen


def test_nothing_found_is_a_count_of_zero_without_data(reader: Client, noon: datetime) -> None:
    newest = reader.search("#zebrafish").ids[0]
    assert reader.search("#zebrafish", since_id=newest).body == {"meta": {"result_count": 0}}


def test_without_fields_a_tweet_has_three(reader: Client) -> None:
    assert {key for tweet in reader.search("#devops").body["data"] for key in tweet} == {"id", "text", "edit_history_tweet_ids"}
    assert "includes" not in reader.search("#devops").body


def test_people_and_places_have_their_default_fields(reader: Client) -> None:
    pages = reader.pages("#devops", expansions="author_id,geo.place_id")
    assert {key for page in pages for user in page.body["includes"]["users"] for key in user} == {"id", "name", "username"}
    places = [place for page in pages for place in page.body["includes"].get("places", [])]
    assert {key for place in places for key in place} == {"id", "full_name"}


def test_the_usual_fields_are_all_there(devops: list[dict[str, Any]], reader: Client, usual: dict[str, Any]) -> None:
    assert {"created_at", "lang", "author_id", "public_metrics"} <= set.intersection(*map(set, devops))
    assert set(devops[0]["public_metrics"]) == {
        f"{name}_count" for name in ("retweet", "reply", "like", "quote", "bookmark", "impression")
    }
    place = next(place for page in reader.pages("#devops", **usual) for place in page.body["includes"].get("places", []))
    assert set(place) == {"id", "full_name", "country", "country_code", "place_type"}


def test_the_post_vocabulary_renames_keys(reader: Client) -> None:
    fields = "created_at,note_post,referenced_posts,public_metrics"
    tweets = [tweet for page in reader.pages("#devops", **{"post.fields": fields}) for tweet in page.body["data"]]
    assert {"edit_history_post_ids", "note_post", "referenced_posts"} <= {key for tweet in tweets for key in tweet}
    assert not {"edit_history_tweet_ids", "note_tweet", "referenced_tweets"} & {key for tweet in tweets for key in tweet}
    assert "repost_count" in tweets[0]["public_metrics"]


def test_expansions_of_references_bring_strangers(reader: Client) -> None:
    plain = {user["id"] for user in reader.search("#devops", expansions="author_id").body["includes"]["users"]}
    wide = reader.search("#devops", expansions="author_id,referenced_tweets.id,referenced_tweets.id.author_id").body["includes"]
    assert plain < {user["id"] for user in wide["users"]}
    assert wide["tweets"]


def test_relevancy_is_the_same_page_in_another_order(reader: Client) -> None:
    by_time, by_likes = reader.search("#devops").ids, reader.search("#devops", sort_order="relevancy").ids
    assert by_time != by_likes
    assert sorted(by_time) == sorted(by_likes)


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"query": ""}, "query"),
        ({"query": "#a " * 200}, "query"),
        ({"query": "#devops", "max_results": 9}, "max_results"),
        ({"query": "#devops", "max_results": 101}, "max_results"),
        ({"query": "#devops", "max_results": "ten"}, "max_results"),
        ({"query": "#devops", "colour": "red"}, "colour"),
        ({"query": "#devops", "tweet.fields": "id,colour"}, "tweet.fields"),
        ({"query": "#devops", "user.fields": "shoe_size"}, "user.fields"),
        ({"query": "#devops", "place.fields": "mood"}, "place.fields"),
        ({"query": "#devops", "expansions": "everything"}, "expansions"),
        ({"query": "#devops", "sort_order": "random"}, "sort_order"),
        ({"query": "#devops", "since_id": "12"}, "since_id"),
        ({"query": "#devops", "until_id": "12"}, "until_id"),
        ({"query": "#devops", "since_id": "abc"}, "since_id"),
        ({"query": "#devops", "start_time": "yesterday"}, "start_time"),
        ({"query": "#devops", "start_time": "2026-11-24T10:00:00"}, "start_time"),
        ({"query": "#devops", "start_time": "2026-11-17T11:59:59Z"}, "start_time"),
        ({"query": "#devops", "end_time": "2026-11-24T11:59:55Z"}, "end_time"),
        ({"query": "#devops", "start_time": "2026-11-24T11:00:00Z", "end_time": "2026-11-24T11:00:00Z"}, "start_time"),
        (
            {"query": "#devops", "since_id": str((1795520000000 - EPOCH_MS) << 22), "end_time": "2026-11-24T11:00:00Z"},
            "since_id",
        ),
        ({"query": "#devops", "tweet.fields": "id", "post.fields": "id"}, "post.fields"),
    ],
)
def test_what_x_refuses_is_an_invalid_request(reader: Client, params: dict[str, Any], named: str) -> None:
    reply = reader.get("/2/tweets/search/recent", **params)
    assert (reply.status, reply.body["title"]) == (400, "Invalid Request")
    assert reply.body["type"].endswith("/invalid-request")
    assert named in reply.body["errors"][0]["parameters"]
    assert reply.body["errors"][0]["message"]
    assert "x-rate-limit-reset" in reply.headers


def test_a_stale_since_id_says_so_in_x_words(reader: Client, noon: datetime) -> None:
    stale = snowflake(noon - timedelta(days=7, minutes=1))
    message = reader.search("#devops", since_id=stale).body["errors"][0]["message"]
    assert "'since_id' must be a tweet id created after" in message
    assert reader.search("#devops", since_id=snowflake(noon - timedelta(days=7)) + 1).status == 200


def test_without_credentials_the_answer_is_401_without_rate_limit_headers(reader: Client) -> None:
    reply = reader.search("#devops", headers={})
    assert (reply.status, reply.body["title"], reply.body["type"]) == (401, "Unauthorized", "about:blank")
    assert not [name for name in reply.headers if name.startswith("x-rate-limit")]
    assert reader.search("#devops", headers={"Authorization": "OAuth oauth_token=x"}).status == 401


def test_user_context_is_enough_for_search_and_counts_want_a_bearer(reader: Client, oauth1: dict[str, str]) -> None:
    assert reader.search("#devops", headers=oauth1).status == 200
    reply = reader.get("/2/tweets/counts/recent", query="#devops", headers=oauth1)
    assert (reply.status, reply.body["title"]) == (403, "Unsupported Authentication")


def test_a_token_is_minted_from_key_and_secret(client: Client) -> None:
    body = b"grant_type=client_credentials"
    minted = client.send("POST", "/oauth2/token", headers={"Authorization": "Basic a2V5OnNlY3JldA=="}, body=body)
    assert minted.body["token_type"] == "bearer"
    authorization = {"Authorization": f"Bearer {minted.body['access_token']}"}
    assert client.search("#devops", headers=authorization).status == 200
    refused = client.send("POST", "/oauth2/token", headers={"Authorization": "Basic eA=="}, body=body)
    assert (refused.status, refused.body["errors"][0]["code"]) == (403, 99)


def test_the_date_is_the_emulators(reader: Client) -> None:
    assert reader.search("#devops").headers["date"] == "Tue, 24 Nov 2026 12:00:00 GMT"


def test_unknown_paths_and_methods_are_json(reader: Client) -> None:
    assert reader.get("/2/nothing").body["status"] == 404
    assert reader.send("POST", "/2/tweets/search/recent").status == 405
