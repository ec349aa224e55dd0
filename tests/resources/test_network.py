"""GET /network: hashtags that occur together, and who mentions whom, as JSON and as GEXF."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any

import networkx
import pytest

from queries.network import Network, NetworkEdge, NetworkNode
from schemas.gexf import gexf
from tests.fixtures.archives import Json, page, post, user
from tests.fixtures.service import Service
from tests.resources.conftest import Start, given, imported, problem

pytestmark = pytest.mark.dialects


ADA = user(7001, "Ada", "Ada_Muster")


def mentioning(number: int, text: str, *usernames: str, **more: Any) -> Json:
    return post(number, text, entities={"mentions": [{"username": name} for name in usernames]}, **more)


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    """The service with tweets of an author, and of one whom X did not name."""
    with shared() as running:
        posts = [
            mentioning(0, "#SRE and #devops", "Bob", "carol"),
            mentioning(1, "#devops #sre #devops #Ünï", "BOB", lang="pt"),
            mentioning(2, "#z #devops"),
            mentioning(3, "#alone", "ada_muster", "bob", author=None),
            mentioning(4, "myself", "ADA_MUSTER"),
            mentioning(5, "#z", "bob", lang="pt"),
        ]
        imported(running.collector.database, page(*posts, users=(ADA,)))
        yield running


Rows = list[tuple[str, str, int]]
HASHTAGS: Rows = [("#SRE", "#devops", 2), ("#SRE", "#Ünï", 1), ("#devops", "#z", 1), ("#devops", "#Ünï", 1)]
PORTUGUESE: Rows = [("#SRE", "#devops", 1), ("#SRE", "#Ünï", 1), ("#devops", "#Ünï", 1)]
NETWORKS: dict[str, tuple[dict[str, int], Rows]] = {
    "by=tag": ({"#devops": 3, "#SRE": 2, "#z": 2, "#Ünï": 1}, HASHTAGS),
    "by=tag&limit=1": ({"#devops": 3, "#SRE": 2}, HASHTAGS[:1]),
    "by=tag&lang=pt": ({"#SRE": 1, "#devops": 1, "#Ünï": 1}, PORTUGUESE),
    "by=mention": ({"@ada_muster": 5, "@bob": 4, "@carol": 1}, [("@ada_muster", "@bob", 3), ("@ada_muster", "@carol", 1)]),
    "by=mention&since=2026-03-02T08:32:00Z": ({"@ada_muster": 3, "@bob": 2}, [("@ada_muster", "@bob", 1)]),
    "by=mention&tag=unknown": ({}, []),
}


@pytest.mark.parametrize("query", NETWORKS)
def test_each_pair_is_counted_once_a_tweet_the_heaviest_first(service: Service, query: str) -> None:
    tweets, edges = NETWORKS[query]
    assert given(service, f"/network?{query}") == {
        "nodes": [{"id": own, "tweets": number} for own, number in tweets.items()],
        "edges": [{"source": source, "target": target, "weight": weight} for source, target, weight in edges],
    }


@pytest.mark.parametrize("how", [{"params": {"format": "gexf"}}, {"headers": {"Accept": "application/gexf+xml"}}])
def test_another_program_reads_the_same_network_as_gexf(service: Service, how: Any) -> None:
    answer = service.request("GET", "/network?by=tag", **how)
    assert answer.headers["Content-Type"] == "application/gexf+xml"
    read, (tweets, edges) = networkx.read_gexf(BytesIO(answer.content)), NETWORKS["by=tag"]
    assert not read.is_directed()
    assert {own: facts["Tweets"] for own, facts in read.nodes(data=True)} == tweets
    assert {(frozenset(ends), facts["weight"]) for *ends, facts in read.edges(data=True)} == {
        (frozenset(ends), weight) for *ends, weight in edges
    }


def test_gexf_leaves_out_what_xml_forbids() -> None:
    odd, plain = '@\x00<&"\x1b\ufffe\ud800\x85', '@<&"\x85'
    network = Network([NetworkNode(odd, 1), NetworkNode("@b", 1)], [NetworkEdge(odd, "@b", 1)])
    assert set(networkx.read_gexf(BytesIO(gexf(network)))) == {plain, "@b"}


@pytest.mark.parametrize(
    ("query", "name"), [("", "by"), ("by=word", "by"), ("by=tag&format=csv", "format"), ("by=tag&limit=5001", "limit")]
)
def test_what_is_connected_must_be_named(service: Service, query: str, name: str) -> None:
    assert [one["parameter"] for one in problem(service.get(f"/network?{query}"), 400)["errors"]] == [name]
