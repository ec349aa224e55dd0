"""The query language, by what search finds."""

from __future__ import annotations

from typing import Any

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


def test_a_malformed_query_is_refused_and_a_good_one_taken(reader: Client) -> None:
    malformed = ["#", "#123", "(#a", "#a)", "OR #a", "#a OR", "()", "-", "foo:bar", "is:purple", "lang:en", "-#a"]
    malformed += ["#a OR lang:en", '"open', "#a-b", "from:", "-is:retweet", "#a - #b"]
    good = ["#こんにちは", "#café", "#a_b", "#4you", "#हिन्दी", "#a OR (#b -#c lang:en)", "#sre @someone", "＃devops"]
    assert {query: reader.search(query).status for query in malformed + good} == {
        **dict.fromkeys(malformed, 400),
        **dict.fromkeys(good, 200),
    }
