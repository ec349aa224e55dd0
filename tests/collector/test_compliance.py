"""What X says must go goes, whatever cuts the asking off, and X is asked no more than it takes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import repeat
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

import pytest
from sqlalchemy import select, update

from alchemy import DatabaseUnavailable
from api import collector_for, get_tweets
from collector.collector import Collector
from collector.compliance import records, redactions, rounds
from collector.compliance.jobs import Complied, Waiting, X, comply
from collector.compliance.records import Records
from collector.payloads import unpacked
from collector.tweets import erasure
from collector.verification import faults
from collector.x import app_only
from collector.x.app_only import AppOnly, Job
from collector.x.clock import XClock
from collector.x.failures import XFailure, unwell
from collector.x.transport import Access
from collector.x.tries import Patience
from emulator import Emulator
from models import ComplianceJob, Lease, Payload, Tweet, Version
from settings import load
from tests.collector.conftest import NOON, MakeCollector, standing
from tests.fixtures.environment import ROOT, environment
from tests.fixtures.waiting import wait_until

T = TypeVar("T")
AT_ONCE = Waiting(first=0.01, longest=0.05, most=30)
PATIENCE = Patience(retries=2, first_wait=0, rate_limit_wait=0)
WHOLE = ("deleted", "bounced", "protected", "suspended", "deactivated")


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory, database_backend: str) -> Path:
    """The file of a database with the tweets of one collection, several of them edited; there is none on a server."""
    folder = tmp_path_factory.mktemp("filled")
    if database_backend == "sqlite":
        with standing() as emulator, closing(collector_for(load(environment(folder, emulator), folder=folder))) as ready:
            ready.prepare()
            get_tweets(ready)
    return folder / "tweets.db"


@pytest.fixture
def filled(snapshot: Path, tmp_path: Path, make_collector: MakeCollector) -> Collector:
    """A collector over a database of the test's own with those tweets."""
    if snapshot.exists():
        shutil.copyfile(snapshot, tmp_path / "tweets.db")
        return make_collector()
    collector = make_collector()
    get_tweets(collector)
    return collector


@pytest.fixture
def x(filled: Collector) -> Iterator[AppOnly]:
    with closing(AppOnly(filled.source.reach(), XClock())) as asked:
        yield asked


def complied(collector: Collector, x: X, *, waiting: Waiting = AT_ONCE, stop: Event | None = None) -> Complied:
    return comply(collector.database, x, stop=stop or Event(), patience=PATIENCE, waiting=waiting)


def ids(collector: Collector) -> list[int]:
    with collector.database.reading() as session:
        return list(session.scalars(select(Tweet.id).order_by(Tweet.id)))


def versions(collector: Collector) -> list[int]:
    with collector.database.reading() as session:
        return sorted({*session.scalars(select(Tweet.id)), *session.scalars(select(Version.id))})


def states(collector: Collector) -> list[str]:
    with collector.database.reading() as session:
        return list(session.scalars(select(ComplianceJob.state).order_by(ComplianceJob.id)))


def adds_up(collector: Collector) -> bool:
    return faults(collector.database, collector.order.billing) == []


def removed(collector: Collector, emulator: Emulator) -> list[int]:
    """Let X remove a tweet for each reason, and return the ids of those that remain."""
    stored = ids(collector)
    gone = stored[5:205:40]
    for one, reason in zip(gone, WHOLE, strict=True):
        emulator.remove(one, reason=reason)
    return [one for one in stored if one not in gone]


def calls(emulator: Emulator) -> list[str]:
    return [request.path for request in emulator.requests if "compliance" in request.path]


@pytest.mark.dialects
def test_each_reason_removes_the_tweet(filled: Collector, x: AppOnly, emulator: Emulator) -> None:
    left = removed(filled, emulator)
    every = versions(filled)
    assert complied(filled, x) == Complied(1, len(every), 5, 0)
    assert ids(filled) == left
    assert list(emulator.jobs[0].ids) == every
    assert states(filled) == ["done"]
    assert adds_up(filled)
    emulator.reinstate()
    get_tweets(filled)
    assert set(ids(filled)) & set(every) == set(left)


@pytest.mark.dialects
def test_a_withdrawn_location_takes_the_location_only(filled: Collector, x: AppOnly, emulator: Emulator) -> None:
    with filled.database.reading() as session:
        located = select(Tweet.id).where(Tweet.country.is_not(None), Tweet.country_code.is_not(None))
        one, other, *_ = session.scalars(located)
    emulator.remove(one, reason="scrub_geo")
    before = ids(filled)
    assert complied(filled, x)[2:4] == (0, 1)
    assert ids(filled) == before
    with filled.database.reading() as session:
        rows = session.execute(select(Tweet.id, Tweet.country, Tweet.country_code).where(Tweet.id.in_((one, other)))).all()
        bodies = {row.id: unpacked(row.body) for row in session.execute(select(Payload.id, Payload.body))}
    assert {row.id: row.country is None and row.country_code is None for row in rows} == {one: True, other: False}
    assert "geo" not in bodies[one]["data"]
    assert "includes" not in bodies[one]
    assert bodies[other]["includes"]["places"]
    assert adds_up(filled)


def test_an_edited_tweet_goes_whichever_of_its_versions_x_names(filled: Collector, x: AppOnly, emulator: Emulator) -> None:
    with filled.database.reading() as session:
        last, first = session.execute(select(Version.id, Version.tweet_id).order_by(Version.id.desc())).first() or (0, 0)
    emulator.remove(last)
    assert complied(filled, x).removed == 1
    assert first not in ids(filled)


@pytest.mark.parametrize("small", [erasure.SMALL, 1000])
def test_what_was_removed_is_gone_from_a_small_file_and_a_large_one(
    filled: Collector, x: AppOnly, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(erasure, "SMALL", small)
    one = ids(filled)[30]
    with filled.database.reading() as session:
        (text,) = session.scalars(select(Tweet.text).where(Tweet.id == one))
        assert session.scalars(select(Tweet.id).where(Tweet.text == text)).all() == [one]
    emulator.remove(one)
    assert complied(filled, x).removed == 1
    folder = filled.database.file.parent
    assert not [file.name for file in folder.iterdir() if text.encode() in file.read_bytes()]
    with filled.database.reading() as session:
        assert erasure.owed(session) == 0


def test_nothing_is_asked_where_nothing_is_stored(collector: Collector, emulator: Emulator) -> None:
    with closing(AppOnly(collector.source.reach())) as x:
        assert complied(collector, x) == Complied()
    assert calls(emulator) == []


class Cut:
    """X, until a call at which the process is killed: before X hears of it, or after X has done it."""

    def __init__(self, x: AppOnly, call: str, *, before: bool, after_lines: int = 0) -> None:
        self._x, self._call, self._before, self._lines = x, call, before, after_lines
        self.clock = x.clock

    def create_job(self, name: str) -> Job:
        return self._cut("create_job", lambda: self._x.create_job(name))

    def job(self, job_id: str) -> Job:
        return self._cut("job", lambda: self._x.job(job_id))

    def upload(self, url: str, ids: Iterable[bytes]) -> None:
        return self._cut("upload", lambda: self._x.upload(url, ids))

    def download(self, url: str) -> Iterator[bytes]:
        for number, line in enumerate(self._x.download(url)):
            if self._call == "download" and number == self._lines:
                raise Killed
            yield line

    def _cut(self, call: str, ask: Callable[[], T]) -> T:
        if call == self._call and self._before:
            raise Killed
        answer = ask()
        if call == self._call:
            raise Killed
        return answer


@pytest.mark.parametrize(
    ("call", "before", "jobs"),
    [
        ("create_job", True, 1),
        ("create_job", False, 2),  # nobody knows of the first
        ("job", True, 1),
        ("upload", True, 1),
        ("upload", False, 1),
        ("download", True, 1),
    ],
)
def test_killed_at_a_call_it_goes_on_with_the_same_job(
    filled: Collector, x: AppOnly, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, call: str, before: bool, jobs: int
) -> None:
    monkeypatch.setattr(redactions, "BATCH", 2)
    left, every = removed(filled, emulator), versions(filled)
    with pytest.raises(Killed):
        complied(filled, Cut(x, call, before=before, after_lines=3))
    assert complied(filled, x) == Complied(1, len(every), 5, 0)
    assert ids(filled) == left
    assert len(emulator.jobs) == jobs
    assert states(filled) == ["done"]
    assert adds_up(filled)


@pytest.mark.parametrize("state", ["uploaded", "complete", "done"])
@pytest.mark.parametrize("before", [True, False])
def test_killed_at_each_step_on_record_it_goes_on_with_the_same_job(
    filled: Collector, x: AppOnly, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, state: str, before: bool
) -> None:
    left, move = removed(filled, emulator), Records.move

    def cut(records: Records, record: Any, to: str) -> bool:
        if to == state and before:
            raise Killed
        over = move(records, record, to)
        if to == state:
            raise Killed
        return over

    monkeypatch.setattr(Records, "move", cut)
    with pytest.raises(Killed):
        complied(filled, x)
    monkeypatch.setattr(Records, "move", move)
    ended = state == "done" and not before
    assert complied(filled, x)[2:] == (0 if ended else 5, 0, False)
    assert ids(filled) == left
    assert len(emulator.jobs) == 1 + ended


@pytest.mark.process
@pytest.mark.reliability
@pytest.mark.dialects
def test_killed_for_real_while_x_is_at_work_it_goes_on(filled: Collector, x: AppOnly, emulator: Emulator) -> None:
    emulator.compliance_seconds = 60
    left = removed(filled, emulator)
    program = (
        "import sys, threading; from alchemy import Database; from collector.compliance.jobs import comply, Waiting;"
        "from collector.x.app_only import AppOnly; from collector.x.transport import Access;"
        "comply(Database(sys.argv[1]), AppOnly(Access(sys.argv[2], 'x')), stop=threading.Event(), waiting=Waiting(0.05, 0.05))"
    )
    url = str(filled.database.url)
    process = subprocess.Popen([sys.executable, "-c", program, url, emulator.url], cwd=ROOT, env={"PATH": os.environ["PATH"]})
    wait_until(lambda: states(filled) == ["uploaded"])
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    with pytest.raises(DatabaseUnavailable, match="another process sees to compliance"):
        complied(filled, x)
    with filled.database.writing() as session:
        session.execute(update(Lease).where(Lease.name == records.LEASE).values(expires=0))  # a minute later
    emulator.clock.advance(61)
    assert complied(filled, x).removed == 5
    assert ids(filled) == left
    assert len(emulator.jobs) == 1


def test_only_one_at_a_time(filled: Collector, x: AppOnly, emulator: Emulator) -> None:
    emulator.compliance_seconds, stop = 60, Event()
    first = Thread(target=complied, args=(filled, x), kwargs={"stop": stop})
    first.start()
    wait_until(lambda: states(filled) == ["uploaded"])
    with pytest.raises(DatabaseUnavailable, match="another process"):
        complied(filled, x)
    stop.set()
    first.join(10)
    assert states(filled) == ["uploaded"]
    emulator.clock.advance(61)
    assert complied(filled, x).jobs == 1


def test_where_x_takes_too_long_the_next_call_goes_on(filled: Collector, x: AppOnly, emulator: Emulator) -> None:
    emulator.compliance_seconds = 7200
    left = removed(filled, emulator)
    assert complied(filled, x, waiting=Waiting(0.01, 0.01, 0.02)) == Complied(waiting=True)
    emulator.clock.advance(7201)
    assert complied(filled, x).removed == 5
    assert (ids(filled), len(emulator.jobs)) == (left, 1)


@pytest.mark.parametrize(
    ("fault", "endpoint"),
    [
        ("cut", "download"),
        ("reset", "download"),
        ("reset", "upload"),
        ("server_503", "compliance"),
        ("job_in_progress", "compliance"),
    ],
)
def test_a_fault_of_x_is_got_over_with_the_same_job(
    filled: Collector, x: AppOnly, emulator: Emulator, fault: str, endpoint: str
) -> None:
    left = removed(filled, emulator)
    emulator.plan(fault, endpoint=endpoint)
    assert complied(filled, x).removed == 5
    assert (ids(filled), len(emulator.jobs)) == (left, 1)


@pytest.mark.parametrize("endpoint", ["compliance", "upload", "download"])
def test_where_x_stays_unwell_it_is_said_and_the_next_call_goes_on(
    filled: Collector, x: AppOnly, emulator: Emulator, endpoint: str
) -> None:
    left = removed(filled, emulator)
    emulator.plan("reset", times=None, endpoint=endpoint, after_pages=1 if endpoint == "compliance" else 0)
    with pytest.raises(XFailure, match="X is unwell"):
        complied(filled, x)
    emulator.clear_faults()
    assert complied(filled, x).removed == 5
    assert (ids(filled), len(emulator.jobs)) == (left, 1)


def test_a_job_that_x_gives_up_is_made_anew_three_times_at_most(filled: Collector, x: AppOnly, emulator: Emulator) -> None:
    left = removed(filled, emulator)
    emulator.plan("job_failed", times=None, endpoint="compliance")
    with pytest.raises(XFailure, match="3 compliance jobs failed"):
        complied(filled, x)
    assert states(filled) == ["failed"] * 3
    emulator.clear_faults()
    assert complied(filled, x).removed == 5
    assert ids(filled) == left


def test_a_job_whose_upload_ran_out_is_made_anew(filled: Collector, x: AppOnly, emulator: Emulator) -> None:
    left = removed(filled, emulator)
    with pytest.raises(Killed):
        complied(filled, Cut(x, "upload", before=True))
    emulator.clock.advance(16 * 60)
    assert complied(filled, x).removed == 5
    assert (ids(filled), states(filled)) == (left, ["failed", "done"])


def test_a_job_whose_answer_x_does_not_keep_any_more_is_made_anew(filled: Collector, x: AppOnly, emulator: Emulator) -> None:
    left = removed(filled, emulator)
    with pytest.raises(Killed):
        complied(filled, Cut(x, "download", before=True))
    with filled.database.writing() as session:
        session.execute(update(ComplianceJob).values(created=NOON - timedelta(days=300)))
    emulator.clock.advance(8 * 86400)
    assert complied(filled, x).removed == 5
    assert (ids(filled), states(filled)) == (left, ["failed", "done"])


def test_refused_credentials_and_a_rate_limit_fail_no_job(filled: Collector, x: AppOnly, emulator: Emulator) -> None:
    emulator.plan("unauthorized", times=None, endpoint="compliance")
    with pytest.raises(XFailure, match="credentials") as failure:
        complied(filled, x)
    assert failure.value.kind == "unauthorized"
    assert states(filled) == []
    emulator.clear_faults()
    emulator.plan("rate_limit", times=None, endpoint="compliance", after_pages=1)
    with pytest.raises(XFailure, match="rate limit"):
        complied(filled, x)
    emulator.clear_faults()
    assert complied(filled, x).jobs == 1
    assert len(emulator.jobs) == 1


@pytest.mark.parametrize("killed", [False, True])
def test_more_ids_than_a_job_holds_are_asked_about_in_several(
    filled: Collector, x: AppOnly, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    monkeypatch.setattr(rounds, "MOST_IDS", 100)
    monkeypatch.setattr(rounds, "CHUNK", 37)
    left, every = removed(filled, emulator), versions(filled)
    count = -(-len(every) // 100)
    if killed:
        whole = x.upload

        def cut(url: str, given: Iterable[bytes]) -> None:
            if len(emulator.jobs) == 2:
                raise Killed
            whole(url, given)

        monkeypatch.setattr(x, "upload", cut)
        with pytest.raises(Killed):
            complied(filled, x)
        monkeypatch.setattr(x, "upload", whole)
    sums = complied(filled, x)
    assert sums.jobs == count - killed
    assert ids(filled) == left
    jobs = [job.ids for job in emulator.jobs]
    assert all(len(job) == 100 for job in jobs[:-1])
    if not killed:
        assert [one for job in jobs for one in job] == every
        assert complied(filled, x).jobs == -(-len(versions(filled)) // 100)


class Answering:
    """An X that is done at once and answers these lines."""

    def __init__(self, *lines: bytes) -> None:
        self.clock, self.lines = XClock(), lines
        self.uploaded = False

    def create_job(self, name: str) -> Job:
        return self.job("1")

    def job(self, job_id: str) -> Job:
        return Job(job_id, "complete" if self.uploaded else "created", "up", "down")

    def upload(self, url: str, ids: Iterable[bytes]) -> None:
        self.uploaded = bool(list(ids))

    def download(self, url: str) -> Iterator[bytes]:
        yield from self.lines


def line(one: int, **more: object) -> bytes:
    return json.dumps({"id": str(one), "action": "delete", "reason": "deleted", **more}).encode()


def test_lines_that_can_not_be_read_cost_no_other(filled: Collector, caplog: pytest.LogCaptureFixture) -> None:
    one, two, three, four, *_ = before = ids(filled)
    bad = (b"", b"  ", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"id":"x","action":"delete"}', b'{"id":"1"}')
    unknown = (line(four, action="archive", reason="mystery"), line(four, action=None))
    scrub = line(four, action="scrub_geo", reason="scrub_geo")  # about the location, and not about the tweet
    others = (line(two, reason="a reason of next year"), line(three, reason=None))
    lines = [*bad, line(one), scrub, *unknown, *others, line(one), *bad]
    assert complied(filled, Answering(*lines)).removed == 3
    assert ids(filled) == before[3:]
    facts = [vars(record) for record in caplog.records if record.getMessage() == "compliance lines skipped"]
    said = {record["unreadable"]: record["lines"] for record in facts}
    assert said == {"line": 15, "action": 1}


def test_what_came_before_an_answer_was_cut_is_applied(filled: Collector) -> None:
    class Broken(Answering):
        def download(self, url: str) -> Iterator[bytes]:
            yield from self.lines
            raise unwell("an answer that was cut")

    one, two, *_ = before = ids(filled)
    with pytest.raises(XFailure, match="was cut"):
        complied(filled, Broken(line(one), line(two)))
    assert ids(filled) == before[2:]


def test_it_stops_while_an_answer_comes(filled: Collector) -> None:
    stop = Event()

    class Endless(Answering):
        def download(self, url: str) -> Iterator[bytes]:
            yield from self.lines
            stop.set()
            yield from repeat(b"")

    one, *left = ids(filled)
    assert complied(filled, Endless(line(one)), stop=stop) == Complied()
    assert (ids(filled), states(filled)) == (left, ["complete"])


@contextmanager
def answering(*parts: bytes, declared: int | None = None, ended: bool = True) -> Iterator[str]:
    """Serve parts of an answer, a twentieth of a second apart, chunked unless its length is declared, and give the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header(*(("Transfer-Encoding", "chunked") if declared is None else ("Content-Length", str(declared))))
            self.end_headers()
            with suppress(ConnectionError):
                for part in parts:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part) if declared is None else part)
                    time.sleep(0.05)
                self.wfile.write(b"0\r\n\r\n" if declared is None and ended else b"")
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)


def downloaded(url: str) -> list[bytes]:
    with closing(AppOnly(Access(url, "x"))) as x:
        return [one for one in x.download(f"{url}/file") if one]


LONG = b"9" * (app_only.LONGEST_LINE * 3 // 2)


def test_a_line_that_is_too_long_costs_no_other() -> None:
    table: dict[tuple[bytes, ...], list[bytes]] = {
        (b"one\ntwo\n", b"three"): [b"one", b"two", b"three"],
        (b"one\n", LONG, LONG, b"9\ntwo\n"): [b"one", app_only.TOO_LONG, b"two"],
        (b"one\n", LONG): [b"one", app_only.TOO_LONG],
        (): [],
    }
    for parts, lines in table.items():
        for declared in (sum(map(len, parts)), None):
            with answering(*parts, declared=declared) as url:
                assert downloaded(url) == lines


@pytest.mark.parametrize("declared", [None, 10_000])
def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch, declared: int | None) -> None:
    monkeypatch.setattr(app_only, "GRACE_S", 0.2)
    with answering(*repeat(b"\n", 40), declared=declared) as url, pytest.raises(XFailure, match="too slowly"):
        downloaded(url)


@pytest.mark.parametrize("declared", [None, 10_000])
def test_an_answer_without_its_end_was_cut(declared: int | None) -> None:
    with answering(b"one\n", declared=declared, ended=False) as url, pytest.raises(XFailure, match="was cut"):
        downloaded(url)
