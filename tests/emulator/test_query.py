"""The query language, by what search finds."""

from __future__ import annotations

from typing import Any

from emulator import Emulator
from tests.emulator.client import USUAL, Client, Json


def tags(tweet: Json) -> set[str]:
    return {tag["tag"].casefold() for tag in tweet.get("note_tweet", tweet).get("entities", {}).get("hashtags", [])}


def ids(tweets: list[Json]) -> list[str]:
    return [tweet["id"] for tweet in tweets]


def test_a_space_is_and(reader: Client) -> None:
    tweets = reader.every("#devops #kubernetes")
    assert tweets
    assert all({"devops", "kubernetes"} <= tags(tweet) for tweet in tweets)


def test_or_is_the_union_and_and_binds_before_it(reader: Client) -> None:
    def found(query: str) -> list[str]:
        return ids(reader.every(query))

    assert set(found("#oauth OR #zebrafish")) == {*found("#oauth"), *found("#zebrafish")}
    assert found("#oauth OR #sre #cloud") == found("#oauth OR (#sre #cloud)") != found("(#oauth OR #sre) #cloud")


def test_a_minus_negates_terms_and_groups(reader: Client) -> None:
    assert all("kubernetes" not in tags(tweet) for tweet in reader.every("#sre -#kubernetes"))
    assert all(not {"ai", "cloud"} & tags(tweet) for tweet in reader.every("#sre -(#ai OR #cloud)"))


def test_hashtags_match_exactly_whatever_their_case(reader: Client) -> None:
    tweets = reader.every("#oauth")
    assert ids(reader.every("#OAuth")) == ids(tweets)
    assert all("oauth" in tags(tweet) for tweet in tweets)


def test_language_flags_and_authors_narrow(reader: Client, devops: list[Json]) -> None:
    fields: dict[str, Any] = {"tweet.fields": "referenced_tweets,geo,entities"}
    assert ids(reader.every("#devops lang:pt")) == [tweet["id"] for tweet in devops if tweet["lang"] == "pt"]
    assert all("referenced_tweets" not in tweet for tweet in reader.every("#sre -is:reply -is:quote", **fields))
    assert all(tweet["referenced_tweets"][0]["type"] == "replied_to" for tweet in reader.every("#sre is:reply", **fields))
    assert all("geo" in tweet for tweet in reader.every("#devops has:geo", **fields))
    shown = [tweet for tweet in reader.every("#sre", **{"tweet.fields": "attachments"}) if "attachments" in tweet]
    assert ids(reader.every("#sre has:media")) == ids(shown) != []
    assert reader.total("#devops -is:retweet") == len(devops)
    user = reader.search("#devops", **USUAL).body["includes"]["users"][0]
    for who in (user["username"], user["username"].upper(), user["id"]):
        assert {tweet["author_id"] for tweet in reader.every(f"#devops from:{who}")} == {user["id"]}
    assert {tweet["author_id"] for tweet in reader.search(f"from:{user['id']}", **USUAL).body["data"]} == {user["id"]}


def test_words_and_phrases_are_looked_for_in_the_text(reader: Client) -> None:
    tweets = reader.every('#devops "dashboard that nobody"')
    assert tweets
    assert all("dashboard that nobody" in tweet.get("note_tweet", tweet)["text"] for tweet in tweets)


def test_the_least_engagement_is_that_of_the_instant_of_the_search(emulator: Emulator, client: Client) -> None:
    for operator, count in (("min_likes", "like_count"), ("min_reposts", "retweet_count"), ("min_replies", "reply_count")):
        liked = client.every(f"#devops {operator}:3")
        assert liked
        assert ids(liked) == [one["id"] for one in client.every("#devops") if one["public_metrics"][count] >= 3]
    before = client.total("#devops min_likes:3", end_time="2026-11-24T11:00:00Z")
    emulator.clock.advance(86_400)
    assert client.total("#devops min_likes:3", start_time="2026-11-18T12:00:00Z", end_time="2026-11-24T11:00:00Z") > before / 2
    assert client.search("min_likes:100").ids


def test_links_are_found_by_parts_of_their_addresses(reader: Client) -> None:
    linked = reader.every("#devops has:links")
    assert (
        ids(reader.every("#devops url:example.com"))
        == ids(reader.every('#devops url:"https://example.com/notes"'))
        == ids(linked)
    )
    one = next(tweet for tweet in linked if "urls" in tweet.get("entities", {}))["entities"]["urls"][0]
    for address in (one["url"], f'"{one["expanded_url"]}"', one["display_url"]):
        assert reader.every(f"#devops url:{address}")
    assert not reader.every("#devops url:example.org")


def test_a_malformed_query_is_refused_and_a_good_one_taken(reader: Client) -> None:
    malformed = ["#", "#123", "(#a", "#a)", "OR #a", "#a OR", "()", "-", "foo:bar", "is:purple", "lang:en", "-#a"]
    malformed += ["min_faves:1", "min_likes:many", "min_likes:-1", "url:", "#a min_retweets:1"]
    malformed += ["#a OR lang:en", '"open', "#a-b", "from:", "-is:retweet", "#a - #b"]
    good = ["#こんにちは", "#café", "#a_b", "#4you", "#हिन्दी", "#a OR (#b -#c lang:en)", "#sre @someone", "＃devops"]
    good += ["#a min_likes:1 -min_replies:2", 'url:"https://example.com"']
    assert {query: reader.search(query).status for query in malformed + good} == {
        **dict.fromkeys(malformed, 400),
        **dict.fromkeys(good, 200),
    }
