"""The invented world over HTTP: stable, lively, and in X's order."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from emulator import Emulator
from emulator.world.authors import InventedAuthors
from tests.emulator.client import BEARER, NOON, SEARCH, SEARCH_ALL, USUAL, Client, Json, made, snowflake

DEFAULT_TAGS = ["openbanking", "remediation", "devops", "sre", "microservices", "observability", "oauth", "metrics"]
DEFAULT_TAGS += ["logmonitoring", "opentracing"]
ANOTHER_PROCESS = """
import json, sys, urllib.request
from datetime import datetime
from emulator import Emulator
with Emulator(seed=1, now=datetime.fromisoformat(sys.argv[1])) as emulator:
    request = urllib.request.Request(emulator.url + sys.argv[2], headers={"Authorization": "Bearer x"})
    with urllib.request.urlopen(request) as response:
        print(response.read().decode("utf-8"))
"""


@pytest.mark.process
def test_another_process_gives_the_same_page_whatever_was_asked_before(reader: Client) -> None:
    reader.search("#sre OR #metrics")
    path = f"{SEARCH}?query=%23remediation&max_results=100&expansions=author_id&tweet.fields=entities,lang"
    command = [sys.executable, "-c", ANOTHER_PROCESS, NOON.isoformat(), path]
    printed = subprocess.run(command, check=True, capture_output=True, env={"PYTHONIOENCODING": "utf-8"}, text=True)
    assert json.loads(printed.stdout) == reader.send("GET", path, headers=BEARER).body


def test_another_seed_gives_another_world_and_the_same_one_the_same(reader: Client) -> None:
    here = reader.search("#devops", **USUAL)
    with Emulator(seed=2, now=NOON) as other, Emulator(seed=1, now=NOON) as same:
        assert not set(Client(other.port).search("#devops").ids) & set(here.ids)
        assert Client(same.port).search("#devops", **USUAL).body == here.body


def test_every_default_tag_has_well_over_a_hundred_tweets_at_any_moment(emulator: Emulator, client: Client) -> None:
    for _ in range(2):
        totals = {tag: client.total(f"#{tag}") for tag in DEFAULT_TAGS}
        assert min(totals.values()) > 200
        assert totals["devops"] > 5 * totals["remediation"]
        emulator.clock.advance(2.4 * 86_400)


def test_as_time_passes_new_tweets_appear_and_old_ones_stay_as_they_were(emulator: Emulator, client: Client) -> None:
    before = {tweet["id"]: tweet for tweet in client.search("#devops", **USUAL).body["data"]}
    emulator.clock.advance(3600)
    after = {tweet["id"]: tweet for tweet in client.every("#devops", since_id=min(map(int, before)) - 1)}
    edited_since = {version for tweet in after.values() for version in tweet["edit_history_tweet_ids"][:-1]}
    assert after.keys() - before.keys()
    for tweet in (*before.values(), *after.values()):
        tweet.pop("public_metrics")  # which grow
    assert all(after[one] == before[one] for one in before if one not in edited_since)


def test_the_tweets_look_like_life(devops: list[Json]) -> None:
    texts = [tweet["text"] for tweet in devops]
    langs = Counter(tweet["lang"] for tweet in devops)
    assert {"en", "pt", "es", "ja", "de", "fr", "ar", "iw", "hi", "ko", "tr", "und", "qme"} <= langs.keys()
    assert all(any(part in text for text in texts) for part in ("&amp;", "\u200d", "\u0627"))
    assert 0.003 < sum("geo" in tweet for tweet in devops) / len(devops) < 0.03
    assert any(len(tweet["entities"]["hashtags"]) > 3 for tweet in devops if "entities" in tweet)


def test_ids_carry_times_entities_point_at_what_they_name_and_long_texts_are_cut(devops: list[Json]) -> None:
    assert len({tweet["id"] for tweet in devops}) == len(devops)
    for tweet in devops:
        assert made(int(tweet["id"])) == datetime.fromisoformat(tweet["created_at"])
        carrier, text = tweet.get("note_tweet", tweet), tweet["text"]
        assert "devops" in [tag["tag"].casefold() for tag in carrier["entities"]["hashtags"]]
        assert len(text) <= 280
        if carrier is not tweet:
            assert len(carrier["text"]) > 280
            assert carrier["text"].startswith(text.rsplit("…", 1)[0])
        for tag in tweet.get("entities", {}).get("hashtags", []):
            assert text[tag["start"] : tag["end"]] == f"#{tag['tag']}"
        for link in tweet.get("entities", {}).get("urls", []):
            assert text[link["start"] : link["end"]] == link["url"]
    assert any("note_tweet" in tweet for tweet in devops)


def test_a_tag_outside_the_vocabulary_has_a_thin_stream_of_its_own(reader: Client) -> None:
    tweets = reader.every("#zebrafish")
    assert 0 < len(tweets) < 80
    carriers = [tweet.get("note_tweet", tweet) for tweet in tweets]
    assert {tag["tag"].casefold() for one in carriers for tag in one["entities"]["hashtags"]} == {"zebrafish"}
    assert reader.search("#ZebraFish").ids == reader.search("#zebrafish").ids


def test_people_share_display_names_but_not_usernames_or_ids() -> None:
    authors = InventedAuthors(1, tweets=20_000)
    people = [authors.author(nth) for nth in range(authors.count)]
    assert len({person.username.casefold() for person in people}) == len({person.id for person in people}) == len(people)
    assert len({person.name for person in people}) < len(people)
    assert all(authors.find(person.username.upper()) == person.number for person in people[::50])
    assert all(len(person.username) <= 15 and person.username.isascii() for person in people)


def test_an_author_x_no_longer_shows_is_an_error_beside_the_data(reader: Client) -> None:
    pages = [page.body for page in reader.pages("#sre", **USUAL)]
    for page in pages:
        shown, absent = {user["id"] for user in page["includes"]["users"]}, page.get("errors", [])
        assert {tweet["author_id"] for tweet in page["data"]} == shown | {error["resource_id"] for error in absent}
        assert not shown & {error["resource_id"] for error in absent}
        for error in absent:
            assert error["parameter"] == "author_id"
            assert error["type"].endswith("/resource-not-found")
            assert {"value", "detail", "title", "resource_type"} <= error.keys()
    assert any("errors" in page for page in pages)


def test_an_edited_tweet_is_found_as_its_newest_version_only(emulator: Emulator, client: Client, devops: list[Json]) -> None:
    edited = next(tweet for tweet in devops if len(tweet["edit_history_tweet_ids"]) == 2)
    first, last = edited["edit_history_tweet_ids"]
    assert last == edited["id"]
    for at, found, other in ((timedelta(milliseconds=-1), first, last), (timedelta(seconds=31), last, first)):
        emulator.clock.set(made(int(last)) + at)
        tweets = {tweet["id"]: tweet for tweet in client.every("#devops", since_id=int(first) - 1)}
        assert (found in tweets, other in tweets) == (True, False)
    assert tweets[last]["author_id"] == edited["author_id"]
    assert tweets[last]["edit_history_tweet_ids"] == [first, last]


def test_a_tweet_may_become_searchable_after_a_newer_one_was_seen() -> None:
    query, late = "#devops OR #ai OR #python", set[int]()
    with Emulator(seed=1, now=NOON, tweets=1_000_000) as busy:
        client = Client(busy.port)
        for _ in range(20):
            since = client.search(query).ids[0]
            seen = client.search(query, since_id=since).ids
            busy.clock.advance(30)
            late |= {one for page in client.pages(query, since_id=since) for one in page.ids if one < seen[0]} - set(seen)
    assert late


def test_until_the_id_of_thirty_seconds_ago_nothing_comes_late(emulator: Emulator, client: Client) -> None:
    since = client.search("#devops").ids[40]
    horizon = snowflake(emulator.clock.now() - timedelta(seconds=30))
    before = client.search("#devops", since_id=since, until_id=horizon).body
    emulator.clock.advance(60)
    after = client.search("#devops", since_id=since, until_id=horizon).body
    assert {tweet["id"] for tweet in after["data"]} <= {tweet["id"] for tweet in before["data"]}


def test_replies_quotes_and_media_are_told_where_they_are_asked_for_and_else_left_out(reader: Client) -> None:
    names = ("attachments", "referenced_tweets", "in_reply_to_user_id")
    told = reader.every("#devops", **{"tweet.fields": ",".join(names)})
    kinds = Counter(other["type"] for tweet in told for other in tweet.get("referenced_tweets", []))
    assert kinds["replied_to"] > kinds["quoted"] > 0
    for tweet in told:
        replied = [other["id"] for other in tweet.get("referenced_tweets", []) if other["type"] == "replied_to"]
        assert bool(replied) == ("in_reply_to_user_id" in tweet)
        assert all(int(other) < int(tweet["id"]) for other in replied)
    keys = [key for tweet in told for key in tweet.get("attachments", {}).get("media_keys", [])]
    assert {key[:2] for key in keys} == {"3_", "7_"}
    assert 0.05 < sum("attachments" in tweet for tweet in told) / len(told) < 0.25
    assert not any(name in tweet for tweet in reader.every("#devops") for name in names)
    asked: dict[str, Any] = {"query": "#devops", "max_results": 100, "post.fields": "referenced_posts"}
    renamed = reader.get(SEARCH, **asked).body["data"]
    assert [tweet.get("referenced_posts") for tweet in renamed] == [tweet.get("referenced_tweets") for tweet in told[:100]]


def test_retweets_are_counted_always_and_found_up_to_may_2026() -> None:
    with Emulator(seed=1, now=NOON, archive_pace=0, retweets=30) as emulator:
        client, without = Client(emulator.port), "#devops -is:retweet"
        found = len(client.every("#devops"))
        assert client.total("#devops") > found == client.total(without) == len(client.every(without))
        april: dict[str, Any] = {"start_time": "2026-04-30T00:00:00Z", "end_time": "2026-05-04T00:00:00Z", "max_results": 500}
        texts = [post["text"] for post in client.get(SEARCH_ALL, query="#devops", **april).body["data"]]
        assert 0.2 < sum(text.startswith("RT @") for text in texts) / len(texts) < 0.4
        kept = client.get(SEARCH_ALL, query=without, **april).body["data"]
        assert not any(post["text"].startswith("RT @") for post in kept)


def test_late_posts_become_searchable_within_two_hours() -> None:
    with Emulator(seed=1, now=NOON, late=200) as emulator:
        client = Client(emulator.port)
        bounds = {"since_id": snowflake(NOON - timedelta(hours=2)), "until_id": snowflake(NOON - timedelta(minutes=1))}

        def roots() -> set[str]:
            return {post["edit_history_tweet_ids"][0] for post in client.every("#devops", **bounds)}

        early = roots()
        emulator.clock.advance(2 * 3600)
        assert early < roots()


def test_with_incidents_many_write_of_an_outage_once_in_four_days_and_two_accounts_most_of_it() -> None:
    with Emulator(seed=1, now=NOON, incidents=True) as troubled, Emulator(seed=1, now=NOON) as usual:
        found = Client(troubled.port).every("#sre #outage", **{"tweet.fields": "author_id,created_at"})
        rest, same = (Client(one.port).every(query) for one, query in ((troubled, "#sre -#outage"), (usual, "#sre")))
        assert [tweet["id"] for tweet in rest] == [tweet["id"] for tweet in same]
    hours = Counter(tweet["created_at"][:13] for tweet in found)
    assert all(count >= 50 for count in hours.values())
    assert 1 <= len(hours) <= 2
    writers = Counter(tweet["author_id"] for tweet in found)
    assert sum(count for _, count in writers.most_common(2 * len(hours))) > len(found) / 2
    assert all("outage" in tweet["text"].lower() for tweet in found)
