"""The query language, by what search finds."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.conftest import Client


def tags(tweet: dict[str, Any]) -> set[str]:
    return {tag["tag"].casefold() for tag in tweet.get("note_tweet", tweet).get("entities", {}).get("hashtags", [])}


def test_a_space_is_and(reader: Client) -> None:
    tweets = reader.every("#devops #kubernetes")
    assert tweets
    assert all({"devops", "kubernetes"} <= tags(tweet) for tweet in tweets)


def test_or_is_the_union(reader: Client) -> None:
    union = {tweet["id"] for tweet in reader.every("#oauth OR #zebrafish")}
    parts = [{tweet["id"] for tweet in reader.every(query)} for query in ("#oauth", "#zebrafish")]
    assert union == parts[0] | parts[1]


def test_and_binds_before_or(reader: Client) -> None:
    def found(query: str) -> list[str]:
        return [tweet["id"] for tweet in reader.every(query)]

    assert found("#oauth OR #devops #cloud") == found("#oauth OR (#devops #cloud)") != found("(#oauth OR #devops) #cloud")


def test_a_minus_negates_terms_and_groups(reader: Client) -> None:
    assert all("kubernetes" not in tags(tweet) for tweet in reader.every("#sre -#kubernetes"))
    assert all(not {"ai", "cloud"} & tags(tweet) for tweet in reader.every("#sre -(#ai OR #cloud)"))


def test_hashtags_match_exactly_whatever_their_case(reader: Client, devops: list[dict[str, Any]]) -> None:
    assert [tweet["id"] for tweet in reader.every("#DEVOPS")] == [tweet["id"] for tweet in devops]
    assert all("cloud" in tags(tweet) for tweet in reader.every("#cloud"))


def test_lang_narrows(reader: Client, devops: list[dict[str, Any]]) -> None:
    portuguese = reader.every("#devops lang:pt")
    assert [tweet["id"] for tweet in portuguese] == [tweet["id"] for tweet in devops if tweet["lang"] == "pt"]


def test_flags_narrow(reader: Client, devops: list[dict[str, Any]]) -> None:
    fields: dict[str, Any] = {"tweet.fields": "referenced_tweets,geo,entities"}
    assert all("referenced_tweets" not in tweet for tweet in reader.every("#devops -is:reply -is:quote", **fields))
    assert all(tweet["referenced_tweets"][0]["type"] == "replied_to" for tweet in reader.every("#devops is:reply", **fields))
    assert all("geo" in tweet for tweet in reader.every("#devops has:geo", **fields))
    assert len(reader.every("#devops -is:retweet")) == len(devops)


def test_from_finds_an_author_by_username_or_id(reader: Client, usual: dict[str, Any]) -> None:
    page = reader.search("#devops", **usual).body
    user = page["includes"]["users"][0]
    for who in (user["username"], user["username"].upper(), user["id"]):
        tweets = reader.every(f"from:{who}")
        assert tweets
        assert {tweet["author_id"] for tweet in tweets} == {user["id"]}


def test_words_and_phrases_are_looked_for_in_the_text(reader: Client) -> None:
    tweets = reader.every('#devops "dashboard that nobody"')
    assert tweets
    assert all("dashboard that nobody" in tweet.get("note_tweet", tweet)["text"] for tweet in tweets)


@pytest.mark.parametrize(
    "query",
    ["#", "#123", "(#a", "#a)", "OR #a", "#a OR", "()", "-", "foo:bar", "is:purple", "lang:en", "-#a", "#a OR lang:en",
     '"open', "#a-b", "from:", "-is:retweet", "#a - #b"],
)  # fmt: skip
def test_a_malformed_query_is_refused(reader: Client, query: str) -> None:
    reply = reader.search(query)
    assert (reply.status, reply.body["title"]) == (400, "Invalid Request")


@pytest.mark.parametrize(
    "query", ["#こんにちは", "#café", "#a_b", "#4you", "#हिन्दी", "#a OR (#b -#c lang:en)", "@someone", "＃devops"]
)
def test_a_good_query_is_taken(reader: Client, query: str) -> None:
    assert reader.search(query).status == 200
