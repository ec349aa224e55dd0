"""The parameters of search: bounds, pages and fields. What it refuses is in test_refusals.py."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from emulator import Emulator
from tests.emulator.client import NOON, SEARCH, USUAL, Client, Json, snowflake

LATEST = timedelta(seconds=30)


def test_paging_gives_every_tweet_once_newest_first_and_the_meta_describes_the_page(reader: Client) -> None:
    pages = reader.pages("#sre")
    ids = [one for page in pages for one in page.ids]
    assert ids == sorted(set(ids), reverse=True)
    assert len(ids) == reader.total("#sre")
    assert "next_token" not in pages[-1].body["meta"]
    for page in pages:
        meta = {"newest_id": str(page.ids[0]), "oldest_id": str(page.ids[-1]), "result_count": len(page.ids)}
        assert {**page.body["meta"], **meta} == page.body["meta"]


def test_a_later_page_may_be_shorter_than_asked_and_still_go_on(reader: Client) -> None:
    counts = [page.body["meta"]["result_count"] for page in reader.pages("#sre", max_results=50)]
    assert counts[0] == 50
    assert min(counts[:-1]) < 50
    assert len(reader.get(SEARCH, query="#sre").ids) == 10


def test_the_same_token_gives_the_same_page_days_later(emulator: Emulator, client: Client) -> None:
    token = client.search("#devops").body["meta"]["next_token"]
    page = client.search("#devops", next_token=token)
    emulator.clock.advance(3 * 86_400)
    assert client.search("#devops", next_token=token).ids == page.ids
    assert client.search("#devops", pagination_token=token).ids == page.ids
    assert client.search("#sre", next_token=token).status == 400


def test_a_full_page_after_which_nothing_comes_is_the_last(reader: Client, devops: list[Json]) -> None:
    page = reader.search("#devops", max_results=10, until_id=devops[9]["id"], since_id=devops[20]["id"])
    assert len(page.ids) == 10
    assert "next_token" not in page.body["meta"]


def test_ids_are_exclusive_and_start_time_is_inclusive(reader: Client, devops: list[Json]) -> None:
    ids = [int(tweet["id"]) for tweet in devops]
    assert reader.search("#devops", since_id=ids[30], until_id=ids[10]).ids == ids[11:30]
    bounds = {"start_time": devops[40]["created_at"], "end_time": devops[10]["created_at"]}
    assert reader.search("#devops", **bounds).ids == ids[11:41]


def test_without_bounds_the_end_is_thirty_seconds_ago(reader: Client) -> None:
    query = "#devops OR #ai OR #python"
    assert reader.search(query).ids[0] < snowflake(NOON - LATEST)
    assert reader.search(query, until_id=snowflake(NOON)).ids[0] < snowflake(NOON - LATEST)


def test_with_since_id_the_newest_tweets_are_seen(emulator: Emulator, client: Client) -> None:
    seen = 0
    for _ in range(40):
        now = emulator.clock.now()
        ids = client.search("#devops OR #ai", since_id=snowflake(now - timedelta(minutes=5))).ids
        seen += sum(one > snowflake(now - LATEST) for one in ids)
        emulator.clock.advance(60)
    assert seen


def test_without_fields_tweets_people_and_places_have_their_default_ones(reader: Client) -> None:
    plain = reader.search("#devops").body
    assert {key for tweet in plain["data"] for key in tweet} == {"id", "text", "edit_history_tweet_ids"}
    assert "includes" not in plain
    page = reader.search("#devops has:geo", expansions="author_id,geo.place_id").body["includes"]
    assert {key for user in page["users"] for key in user} == {"id", "name", "username"}
    assert {key for place in page["places"] for key in place} == {"id", "full_name"}
    wide = reader.search("#devops has:geo", expansions="author_id,referenced_tweets.id.author_id").body["includes"]
    assert {user["id"] for user in page["users"]} < {user["id"] for user in wide["users"]}
    assert wide["tweets"]


def test_the_usual_fields_are_all_there(reader: Client, devops: list[Json]) -> None:
    assert {"created_at", "lang", "author_id", "public_metrics"} <= set.intersection(*map(set, devops))
    metrics = {f"{name}_count" for name in ("retweet", "reply", "like", "quote", "bookmark", "impression")}
    assert devops[0]["public_metrics"].keys() == metrics
    place = reader.search("#devops has:geo", **USUAL).body["includes"]["places"][0]
    assert set(place) == {"id", "full_name", "country", "country_code", "place_type"}


def test_the_post_vocabulary_renames_keys(reader: Client) -> None:
    fields = "created_at,note_post,referenced_posts,public_metrics"
    tweets = [tweet for page in reader.pages("#sre", **{"post.fields": fields}) for tweet in page.body["data"]]
    keys = {key for tweet in tweets for key in tweet}
    assert {"edit_history_post_ids", "note_post", "referenced_posts"} <= keys
    assert not {"edit_history_tweet_ids", "note_tweet", "referenced_tweets"} & keys
    assert "repost_count" in tweets[0]["public_metrics"]


def test_the_names_of_2_167_come_with_post_fields_and_what_an_expansion_includes_is_named(reader: Client) -> None:
    for vocabulary, metric in (("tweet.fields", "tweet_count"), ("post.fields", "post_count")):
        fields: dict[str, Any] = {vocabulary: "id", "expansions": "author_id,username", "user.fields": "public_metrics"}
        page = reader.search("#sre", **fields).body
        users = {user["id"]: user for user in page["includes"]["users"]}
        shown = [tweet for tweet in page["data"] if tweet["author_id"] in users]
        assert all(tweet["username"] == users[tweet["author_id"]]["username"] for tweet in shown)
        assert all(metric in user["public_metrics"] for user in users.values())
    replies: dict[str, Any] = {"post.fields": "paid_partnership", "expansions": "referenced_posts"}
    posts = reader.search("#sre is:reply", **replies).body
    assert all(post["referenced_posts"] and post["paid_partnership"] is False for post in posts["data"])
    assert posts["includes"]["posts"]


def test_a_stale_since_id_says_so_in_x_words(reader: Client) -> None:
    stale = snowflake(NOON - timedelta(days=7, minutes=1))
    message = reader.search("#devops", since_id=stale).body["errors"][0]["message"]
    assert "'since_id' must be a tweet id created after" in message
    assert reader.search("#devops", since_id=snowflake(NOON - timedelta(days=7)) + 1).status == 200


def test_a_token_is_minted_from_key_and_secret(client: Client) -> None:
    body = b"grant_type=client_credentials"
    minted = client.send("POST", "/oauth2/token", headers={"Authorization": "Basic a2V5OnNlY3JldA=="}, body=body)
    assert minted.body["token_type"] == "bearer"
    authorization = {"Authorization": f"Bearer {minted.body['access_token']}"}
    reply = client.search("#devops", headers=authorization)
    assert (reply.status, reply.headers["date"]) == (200, "Tue, 24 Nov 2026 12:00:00 GMT")
    refused = client.send("POST", "/oauth2/token", headers={"Authorization": "Basic eA=="}, body=body)
    assert (refused.status, refused.body["errors"][0]["code"]) == (403, 99)


def test_a_listing_may_give_one_post_for_ever_with_a_new_token_each_time(emulator: Emulator, client: Client) -> None:
    first = client.search("#devops")
    emulator.plan("endless_listing", times=None)
    pages = [client.search("#devops", next_token=first.body["meta"]["next_token"])]
    for _ in range(4):
        pages.append(client.search("#devops", next_token=pages[-1].body["meta"]["next_token"]))
    tokens = [page.body["meta"]["next_token"] for page in pages]
    emulator.clear_faults()
    following = client.search("#devops", next_token=tokens[-1])
    assert {len(page.ids) for page in pages} == {1} == {len({one for page in pages for one in page.ids})}
    assert len(set(tokens)) == 5
    assert following.ids[0] == pages[0].ids[0] < first.ids[-1]
