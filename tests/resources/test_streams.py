"""Long answers: in pieces, compressed, limited in number, and known again only where all of one is of one state."""

from __future__ import annotations

import json
import socket
import threading
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from sqlalchemy import text

from alchemy import Database, QueryTooLong
from emulator import Emulator
from resources import Snapshots
from resources.streams import MOST_STREAMS, Streams, TooManyStreams
from resources.tweets import AT_ONCE
from tests.commands.conftest import Program
from tests.fixtures import databases
from tests.fixtures.archives import json_lines, own_row
from tests.fixtures.environment import environment
from tests.fixtures.processes import Server, serving
from tests.fixtures.waiting import wait_until
from tests.resources.test_errors import problem

COUNT = AT_ONCE * 4 + 5
WORDS = "a text that is long enough to fill the buffers of a connection whose other side does not read " * 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Path:
    folder = tmp_path_factory.mktemp("streams")
    program = Program(folder)
    with closing(program.collector):
        program.imported(json_lines(folder / "archive.jsonl", *(own_row(n, f"{n} {WORDS}") for n in range(COUNT))))
    return folder


@pytest.fixture(scope="module")
def service(folder: Path, x: Emulator) -> Iterator[Server]:
    with serving(folder, **environment(folder, x) | {"CACHE_MB": "0"}) as server:
        yield server


@pytest.mark.parametrize("order", ["id", "-created", "followers"])
def test_all_tweets_come_once_in_every_form(service: Server, order: str) -> None:
    whole = service.get(f"/tweets?sort={order}").json()["tweets"]
    assert len({tweet["id"] for tweet in whole}) == len(whole) == COUNT
    lines = service.get(f"/tweets?sort={order}&format=ndjson").content.splitlines()
    assert [json.loads(line) for line in lines] == whole
    assert service.get(f"/tweets?sort={order}&format=ids").text.split() == [tweet["id"] for tweet in whole]
    assert service.get(f"/tweets?sort={order}&format=csv").text.count("\r\n") == COUNT + 1


def test_a_stream_is_compressed_piece_by_piece(service: Server) -> None:
    with requests.get(f"{service.url}/tweets", headers={"Accept-Encoding": "gzip"}, stream=True, timeout=30) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "Content-Length" not in answer.headers
        unpacker = zlib.decompressobj(31)
        first = unpacker.decompress(answer.raw.read(2000))
        assert first.startswith(b'{"tweets":[{')
        rest = unpacker.decompress(answer.raw.read()) + unpacker.flush()
    assert len(json.loads(first + rest)["tweets"]) == COUNT


def test_a_stream_of_one_state_is_known_again_until_something_changes(service: Server, folder: Path) -> None:
    first, second = (service.get("/tweets") for _ in range(2))
    tags = first.headers["ETag"], second.headers["ETag"]
    assert tags[0] != tags[1]  # each stands for what that stream showed
    for tag in tags:
        assert service.get("/tweets", headers={"If-None-Match": tag}).status_code == 304
        assert service.get("/tweets?format=ndjson", headers={"If-None-Match": tag}).status_code == 200
    assert requests.delete(f"{service.url}/tweets/{first.json()['tweets'][0]['id']}", timeout=30).status_code == 204
    assert service.get("/tweets", headers={"If-None-Match": tags[0]}).status_code == 200
    program = Program(folder)
    with closing(program.collector):
        program.imported(json_lines(folder / "again.jsonl", own_row(COUNT, f"{COUNT} {WORDS}")))


def test_a_stream_during_which_something_changed_is_not_known_again(service: Server) -> None:
    with requests.get(f"{service.url}/tweets?sort=-id", stream=True, timeout=30) as answer:
        pieces = answer.iter_content(1 << 16)
        began = next(pieces)
        last = json.loads(service.get("/tweets?limit=1").content)["tweets"][0]["id"]
        tag, changed = answer.headers["ETag"], requests.delete(f"{service.url}/tweets/{int(last) + 1}", timeout=30).status_code
        whole = json.loads(began + b"".join(pieces))
    assert changed == 204  # a tombstone alone changes nothing that is shown
    assert service.get("/tweets?sort=-id", headers={"If-None-Match": tag}).status_code == 304
    with requests.get(f"{service.url}/tweets?sort=-id", stream=True, timeout=30) as answer:
        pieces = answer.iter_content(1 << 16)
        began = next(pieces)
        assert requests.delete(f"{service.url}/tweets/{last}", timeout=30).status_code == 204
        tag, short = answer.headers["ETag"], json.loads(began + b"".join(pieces))
    assert [tweet["id"] for tweet in whole["tweets"]][:-1] == [tweet["id"] for tweet in short["tweets"]]
    assert service.get("/tweets?sort=-id", headers={"If-None-Match": tag}).status_code == 200


def stalled(server: Server) -> socket.socket:
    """Ask for everything, and read nothing but the first bytes."""
    parts = urlsplit(server.url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((str(parts.hostname), int(parts.port or 0)))
    client.sendall(b"GET /tweets HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert client.recv(12) == b"HTTP/1.1 200"
    return client


def test_only_so_many_long_answers_are_sent_at_once(service: Server) -> None:
    with ExitStack() as held:
        for _ in range(MOST_STREAMS):
            held.enter_context(stalled(service))
        refused = service.get("/tweets")
        problem(refused, 503)
        assert refused.headers["Retry-After"] == "5"
        assert service.get("/tweets?limit=1000").status_code == 200
        assert service.get("/tweets_per_hour").status_code == 200
    wait_until(lambda: service.get("/tweets?format=ids").status_code == 200)  # who has gone holds nothing


def test_a_stream_that_is_closed_stops_its_work_and_makes_room() -> None:
    streams, stopped = Streams(most=1), threading.Event()

    def pieces() -> Iterator[bytes]:
        try:
            while True:
                yield b"more"
        finally:
            stopped.set()

    stream = streams.begin(pieces())
    assert next(iter(stream)) == b"more"
    with pytest.raises(TooManyStreams):
        streams.begin(pieces())
    for _ in range(2):
        stream.close()
    assert stopped.is_set()
    streams.begin(pieces()).close()
    streams.begin(pieces()).close()


def endless(database: Database, **options: Any) -> None:
    with database.reading(**options) as session:
        session.execute(text("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n")).all()


def test_a_question_that_takes_too_long_is_broken_off_and_the_connection_goes_on(folder: Path, database_backend: str) -> None:
    with closing(Database(databases.url_of(folder))) as database:
        with pytest.raises(QueryTooLong, match="took too long"):
            endless(database, within=timedelta(milliseconds=50))
        with database.reading() as session:
            assert session.scalar(text("SELECT count(*) FROM tweets")) > AT_ONCE
        shared = Snapshots(database, cache_mb=0, within=timedelta(microseconds=1))
        with pytest.raises(QueryTooLong), shared.reading() as session:
            session.execute(text("SELECT count(*), sum(length(a.text)) FROM tweets a, tweets b")).all()


def test_a_request_that_takes_too_long_is_503_and_says_when_to_come_again(folder: Path) -> None:
    program = Program(folder)
    with closing(program.collector):
        program.app.extensions["snapshots"]._within = timedelta(microseconds=1)
        answer = program.app.test_client().get("/tweets?format=csv&sort=followers")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.get_json()["detail"].startswith("the question took too long")
