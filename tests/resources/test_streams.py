"""Long answers: in pieces, compressed, limited in number, and known again only where all of one is of one state."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import text
from werkzeug import Response

import database.sqlite
import resources.tweets
from alchemy import QueryTooLong
from queries import lists
from queries.newest import Newest
from resources import Snapshots
from resources.snapshots import MOST_STREAMS, Streams, TooManyStreams
from tests.fixtures.archives import own_row
from tests.fixtures.service import Service
from tests.resources.conftest import Start, given, imported, problem

AT_ONCE = 20
COUNT = AT_ONCE * 4 + 5
WORDS = "a text that takes up some room in an answer " * 20


@pytest.fixture(scope="module", autouse=True)
def _long_already() -> Iterator[None]:
    """Let more than twenty tweets be a long answer, and look often whether SQLite takes too long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resources.tweets, "BATCH", AT_ONCE)
        patch.setattr(lists, "batches", partial(lists.batches, most=AT_ONCE))
        patch.setattr(database.sqlite, "STEPS", 500)
        yield


@pytest.fixture(scope="module")
def service(shared: Start) -> Iterator[Service]:
    with shared(CACHE_MB="0") as running:
        imported(running.collector.database, *(own_row(number, f"{number} {WORDS}") for number in range(COUNT)))
        yield running


@contextmanager
def opened(service: Service, path: str, **headers: str) -> Iterator[tuple[Response, Iterator[bytes]]]:
    """Ask for a stream; give the answer, and its pieces, which are made as they are read."""
    with service.app.test_client(use_cookies=False).get(path, headers=headers) as answer:
        yield answer, answer.iter_encoded()


@pytest.mark.dialects
@pytest.mark.parametrize("order", ["id", "-created", "followers"])
def test_all_tweets_come_once_in_every_form(service: Service, order: str) -> None:
    whole = given(service, f"/tweets?sort={order}")["tweets"]
    assert len({tweet["id"] for tweet in whole}) == len(whole) == COUNT
    lines = service.get(f"/tweets?sort={order}&format=ndjson").content.splitlines()
    assert [json.loads(line) for line in lines] == whole
    assert service.get(f"/tweets?sort={order}&format=ids").text.split() == [tweet["id"] for tweet in whole]


def test_a_stream_is_compressed_piece_by_piece(service: Service) -> None:
    with opened(service, "/tweets", **{"Accept-Encoding": "gzip"}) as (answer, pieces):
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "Content-Length" not in answer.headers
        unpacker = zlib.decompressobj(31)
        first = unpacker.decompress(next(pieces)) + unpacker.decompress(next(pieces))
        assert first.startswith(b'{"tweets":[{')
        rest = unpacker.decompress(b"".join(pieces)) + unpacker.flush()
    assert len(json.loads(first + rest)["tweets"]) == COUNT


@pytest.mark.dialects
def test_a_stream_of_one_state_is_known_again_until_something_changes(service: Service) -> None:
    first, second = (service.get("/tweets") for _ in range(2))
    tags = first.headers["ETag"], second.headers["ETag"]
    assert tags[0] != tags[1]  # each stands for what that stream showed
    for tag in tags:
        assert service.get("/tweets", headers={"If-None-Match": tag}).status_code == 304
        assert service.get("/tweets?format=ndjson", headers={"If-None-Match": tag}).status_code == 200
    assert service.request("DELETE", f"/tweets/{first.json()['tweets'][0]['id']}").status_code == 204
    assert service.get("/tweets", headers={"If-None-Match": tags[0]}).status_code == 200
    imported(service.collector.database, own_row(COUNT, f"{COUNT} {WORDS}"))


@pytest.mark.dialects
def test_a_stream_during_which_something_changed_is_not_known_again(service: Service) -> None:
    last = given(service, "/tweets?limit=1")["tweets"][0]["id"]
    shown: list[list[str]] = []
    for one, status in ((int(last) + 1, 304), (last, 200)):  # a tombstone alone changes nothing that is shown
        with opened(service, "/tweets?sort=-id") as (answer, pieces):
            began = next(pieces)
            assert service.request("DELETE", f"/tweets/{one}").status_code == 204
            shown.append([tweet["id"] for tweet in json.loads(began + b"".join(pieces))["tweets"]])
        known = {"If-None-Match": answer.headers["ETag"], "Accept-Encoding": "identity"}
        assert service.get("/tweets?sort=-id", headers=known).status_code == status
    assert shown[0][:-1] == shown[1]


def test_only_so_many_long_answers_are_sent_at_once(service: Service) -> None:
    with ExitStack() as held:
        for _ in range(MOST_STREAMS):
            answer, _ = held.enter_context(opened(service, "/tweets"))
            assert answer.status_code == 200
        refused = service.get("/tweets")
        problem(refused, 503)
        assert refused.headers["Retry-After"] == "5"
        given(service, "/tweets?limit=1000")
        given(service, "/tweets_per_hour")
    given(service, "/tweets")  # who has gone holds nothing


def test_a_stream_that_is_closed_twice_makes_room_once() -> None:
    streams = Streams(most=1)
    for _ in range(2):
        stream = streams.begin(iter([b"more"]))
        with pytest.raises(TooManyStreams):
            streams.begin(iter([]))
        stream.close()
        stream.close()


@pytest.mark.dialects
def test_a_question_that_takes_too_long_is_broken_off_and_the_connection_goes_on(service: Service) -> None:
    database = service.collector.database
    endless = text("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n")
    with (
        pytest.raises(QueryTooLong, match="took too long"),
        database.reading(within=timedelta(milliseconds=50)) as session,
    ):
        session.execute(endless).all()
    with database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM tweets")) > AT_ONCE
    shared = Snapshots(database, Newest(database), within=timedelta(microseconds=1))
    with pytest.raises(QueryTooLong), shared.reading() as session:
        session.execute(text("SELECT count(*), sum(length(a.text)) FROM tweets a, tweets b, tweets c")).all()


def test_a_request_that_takes_too_long_is_503_and_says_when_to_come_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.app.extensions["snapshots"], "_within", timedelta(microseconds=1))
    answer = service.get("/tweets?format=csv&sort=followers")
    assert problem(answer, 503)["detail"].startswith("the query took too long")
    assert answer.headers["Retry-After"] == "5"
