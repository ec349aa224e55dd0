"""What X says must go goes, whatever cuts the asking off, and X is asked no more than it takes."""

from __future__ import annotations

import json
import os
import shutil
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
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until

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


class Round:
    """A collector with these tweets, and what it takes to ask X about them."""

    def __init__(self, collector: Collector, x: AppOnly, emulator: Emulator) -> None:
        self.collector, self.x, self.emulator = collector, x, emulator
        self.every = sorted({*self._all(Tweet.id), *self._all(Version.id)})
        self.left = self.ids()

    def remove(self) -> None:
        """Let X remove a tweet for each reason; `left` are the others."""
        gone = self.left[5:205:40]
        for one, reason in zip(gone, WHOLE, strict=True):
            self.emulator.remove(one, reason=reason)
        self.left = [one for one in self.left if one not in gone]

    def comply(self, x: X | None = None, *, waiting: Waiting = AT_ONCE, stop: Event | None = None) -> Complied:
        settings: dict[str, Any] = {"patience": PATIENCE, "waiting": waiting, "stop": stop or Event()}
        return comply(self.collector.database, x or self.x, **settings)

    def finish(self, *states: str, jobs: int | None = None) -> None:
        """Comply, and see that what must go went, by jobs that ended like this."""
        assert self.comply() == Complied(1, len(self.every), len(WHOLE), 0)
        assert (self.ids(), self.states()) == (self.left, list(states))
        assert len(self.emulator.jobs) == (jobs or len(states))
        assert faults(self.collector.database, self.collector.order.billing) == []

    def ids(self) -> list[int]:
        return self._all(Tweet.id)

    def states(self) -> list[str]:
        with self.collector.database.reading() as session:
            return list(session.scalars(select(ComplianceJob.state).order_by(ComplianceJob.id)))

    def _all(self, column: Any) -> list[int]:
        with self.collector.database.reading() as session:
            return list(session.scalars(select(column).order_by(column)))


@pytest.fixture
def asking(snapshot: Path, tmp_path: Path, make_collector: MakeCollector, emulator: Emulator) -> Iterator[Round]:
    """A round over a database of the test's own."""
    if snapshot.exists():
        shutil.copyfile(snapshot, tmp_path / "tweets.db")
    collector = make_collector()
    if not snapshot.exists():
        get_tweets(collector)
    with closing(AppOnly(collector.source.reach(), XClock())) as x:
        yield Round(collector, x, emulator)


@pytest.mark.dialects
def test_each_reason_removes_the_tweet(asking: Round) -> None:
    asking.remove()
    asking.finish("done")
    assert list(asking.emulator.jobs[0].ids) == asking.every
    asking.emulator.reinstate()
    get_tweets(asking.collector)
    assert set(asking.ids()) & set(asking.every) == set(asking.left)


@pytest.mark.dialects
def test_a_withdrawn_location_takes_the_location_only(asking: Round) -> None:
    places = select(Tweet.id, Tweet.country, Tweet.country_code)
    with asking.collector.database.reading() as session:
        one, other, *_ = session.scalars(places.where(Tweet.country.is_not(None), Tweet.country_code.is_not(None)))
    asking.emulator.remove(one, reason="scrub_geo")
    assert asking.comply()[2:4] == (0, 1)
    assert asking.ids() == asking.left
    with asking.collector.database.reading() as session:
        rows = session.execute(places.where(Tweet.id.in_((one, other)))).all()
        bodies = {row.id: unpacked(row.body) for row in session.execute(select(Payload.id, Payload.body))}
    assert {row.id: row.country is None and row.country_code is None for row in rows} == {one: True, other: False}
    assert "geo" not in bodies[one]["data"]
    assert "includes" not in bodies[one]
    assert bodies[other]["includes"]["places"]
    assert faults(asking.collector.database, asking.collector.order.billing) == []


def test_an_edited_tweet_goes_whichever_of_its_versions_x_names(asking: Round) -> None:
    with asking.collector.database.reading() as session:
        last, first = session.execute(select(Version.id, Version.tweet_id).order_by(Version.id.desc())).first() or (0, 0)
    asking.emulator.remove(last)
    assert asking.comply().removed == 1
    assert first not in asking.ids()


@pytest.mark.parametrize("small", [erasure.SMALL, 1000])
def test_what_was_removed_is_gone_from_a_small_file_and_a_large_one(
    asking: Round, monkeypatch: pytest.MonkeyPatch, small: int
) -> None:
    monkeypatch.setattr(erasure, "SMALL", small)
    one, database = asking.left[30], asking.collector.database
    with database.reading() as session:
        (text,) = session.scalars(select(Tweet.text).where(Tweet.id == one))
        assert session.scalars(select(Tweet.id).where(Tweet.text == text)).all() == [one]
    asking.emulator.remove(one)
    assert asking.comply().removed == 1
    assert not [file.name for file in database.file.parent.iterdir() if text.encode() in file.read_bytes()]
    with database.reading() as session:
        assert erasure.owed(session) == 0


def test_nothing_is_asked_where_nothing_is_stored(collector: Collector, emulator: Emulator) -> None:
    with closing(AppOnly(collector.source.reach())) as x:
        assert Round(collector, x, emulator).comply() == Complied()
    assert emulator.requests == []


class Cut:
    """X, until a call at which the process is killed: before X hears of it, or after X has done it."""

    def __init__(self, x: AppOnly, call: str, *, before: bool) -> None:
        self._x, self._call, self._before = x, call, before
        self.clock = x.clock

    def create_job(self, name: str) -> Job:
        return self._cut("create_job", lambda: self._x.create_job(name))

    def job(self, job_id: str) -> Job:
        return self._cut("job", lambda: self._x.job(job_id))

    def upload(self, url: str, ids: Iterable[bytes]) -> None:
        return self._cut("upload", lambda: self._x.upload(url, ids))

    def download(self, url: str) -> Iterator[bytes]:
        for number, line in enumerate(self._x.download(url)):
            if self._call == "download" and number == (0 if self._before else 3):
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
        ("download", False, 1),
    ],
)
def test_killed_at_a_call_it_goes_on_with_the_same_job(
    asking: Round, monkeypatch: pytest.MonkeyPatch, call: str, before: bool, jobs: int
) -> None:
    monkeypatch.setattr(redactions, "BATCH", 2)
    asking.remove()
    with pytest.raises(Killed):
        asking.comply(Cut(asking.x, call, before=before))
    asking.finish("done", jobs=jobs)


@pytest.mark.parametrize("state", ["uploaded", "complete", "done"])
@pytest.mark.parametrize("before", [True, False])
def test_killed_at_each_step_on_record_it_goes_on_with_the_same_job(
    asking: Round, monkeypatch: pytest.MonkeyPatch, state: str, before: bool
) -> None:
    asking.remove()
    move = Records.move

    def cut(records: Records, record: Any, to: str) -> bool:
        if to == state and before:
            raise Killed
        over = move(records, record, to)
        if to == state:
            raise Killed
        return over

    monkeypatch.setattr(Records, "move", cut)
    with pytest.raises(Killed):
        asking.comply()
    monkeypatch.setattr(Records, "move", move)
    ended = state == "done" and not before
    assert asking.comply()[2:] == (0 if ended else len(WHOLE), 0, False)
    assert asking.ids() == asking.left
    assert len(asking.emulator.jobs) == 1 + ended


@pytest.mark.process
@pytest.mark.reliability
@pytest.mark.dialects
def test_killed_for_real_while_x_is_at_work_it_goes_on(asking: Round) -> None:
    asking.emulator.compliance_seconds = 60
    asking.remove()
    program = (
        "import sys, threading; from alchemy import Database; from collector.compliance.jobs import comply, Waiting;"
        "from collector.x.app_only import AppOnly; from collector.x.transport import Access;"
        "comply(Database(sys.argv[1]), AppOnly(Access(sys.argv[2], 'x')), stop=threading.Event(), waiting=Waiting(0.05, 0.05))"
    )
    database = asking.collector.database
    command = [sys.executable, "-c", program, str(database.url), asking.emulator.url]
    process = subprocess.Popen(command, cwd=ROOT, env={"PATH": os.environ["PATH"]})
    try:
        wait_until(lambda: asking.states() == ["uploaded"])
    finally:
        process.kill()
        process.wait(10)
    with pytest.raises(DatabaseUnavailable, match="another process sees to compliance"):
        asking.comply()
    with database.writing() as session:
        session.execute(update(Lease).where(Lease.name == records.LEASE).values(expires=0))  # a minute later
    asking.emulator.clock.advance(61)
    asking.finish("done")


def test_only_one_at_a_time(asking: Round) -> None:
    asking.emulator.compliance_seconds, stop = 60, Event()
    first = Thread(target=asking.comply, kwargs={"stop": stop})
    first.start()
    wait_until(lambda: asking.states() == ["uploaded"])
    with pytest.raises(DatabaseUnavailable, match="another process"):
        asking.comply()
    stop.set()
    first.join(LONGEST_WAIT_S)
    assert asking.states() == ["uploaded"]
    asking.emulator.clock.advance(61)
    assert asking.comply().jobs == 1


def test_where_x_takes_too_long_the_next_call_goes_on(asking: Round) -> None:
    asking.emulator.compliance_seconds = 7200
    asking.remove()
    assert asking.comply(waiting=Waiting(0.01, 0.01, 0.02)) == Complied(waiting=True)
    asking.emulator.clock.advance(7201)
    asking.finish("done")


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
def test_a_fault_of_x_is_got_over_with_the_same_job(asking: Round, fault: str, endpoint: str) -> None:
    asking.remove()
    asking.emulator.plan(fault, endpoint=endpoint)
    asking.finish("done")


@pytest.mark.parametrize("endpoint", ["compliance", "upload", "download"])
def test_where_x_stays_unwell_it_is_said_and_the_next_call_goes_on(asking: Round, endpoint: str) -> None:
    asking.remove()
    asking.emulator.plan("reset", times=None, endpoint=endpoint, after_pages=1 if endpoint == "compliance" else 0)
    with pytest.raises(XFailure, match="X is unwell"):
        asking.comply()
    asking.emulator.clear_faults()
    asking.finish("done")


def test_a_job_that_x_gives_up_is_made_anew_three_times_at_most(asking: Round) -> None:
    asking.remove()
    asking.emulator.plan("job_failed", times=None, endpoint="compliance")
    with pytest.raises(XFailure, match="3 compliance jobs failed"):
        asking.comply()
    assert asking.states() == ["failed"] * 3
    asking.emulator.clear_faults()
    asking.finish(*["failed"] * 3, "done")


@pytest.mark.parametrize(("call", "seconds"), [("upload", 16 * 60), ("download", 8 * 86_400)])
def test_a_job_whose_upload_ran_out_or_whose_answer_is_not_kept_any_more_is_made_anew(
    asking: Round, call: str, seconds: int
) -> None:
    asking.remove()
    with pytest.raises(Killed):
        asking.comply(Cut(asking.x, call, before=True))
    if call == "download":
        with asking.collector.database.writing() as session:
            session.execute(update(ComplianceJob).values(created=NOON - timedelta(days=300)))
    asking.emulator.clock.advance(seconds)
    asking.finish("failed", "done")


def test_refused_credentials_and_a_rate_limit_fail_no_job(asking: Round) -> None:
    for fault, words, kind in (("unauthorized", "credentials", "unauthorized"), ("rate_limit", "rate limit", "rate-limit")):
        asking.emulator.plan(fault, times=None, endpoint="compliance", after_pages=int(fault == "rate_limit"))
        with pytest.raises(XFailure, match=words) as failure:
            asking.comply()
        assert failure.value.kind == kind
        asking.emulator.clear_faults()
    assert asking.comply().jobs == 1
    assert len(asking.emulator.jobs) == 1


@pytest.mark.parametrize("killed", [False, True])
def test_more_ids_than_a_job_holds_are_asked_about_in_several(
    asking: Round, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    monkeypatch.setattr(rounds, "MOST_IDS", 100)
    monkeypatch.setattr(rounds, "CHUNK", 37)
    asking.remove()
    count, whole = -(-len(asking.every) // 100), asking.x.upload

    def cut(url: str, given: Iterable[bytes]) -> None:
        if len(asking.emulator.jobs) == 2:
            raise Killed
        whole(url, given)

    if killed:
        monkeypatch.setattr(asking.x, "upload", cut)
        with pytest.raises(Killed):
            asking.comply()
        monkeypatch.setattr(asking.x, "upload", whole)
    assert asking.comply().jobs == count - killed
    assert asking.ids() == asking.left
    jobs = [job.ids for job in asking.emulator.jobs]
    assert all(len(job) == 100 for job in jobs[:-1])
    if not killed:
        assert [one for job in jobs for one in job] == asking.every
        assert asking.comply().jobs == -(-(len(asking.every) - len(WHOLE)) // 100)


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


def test_lines_that_can_not_be_read_cost_no_other(asking: Round, caplog: pytest.LogCaptureFixture) -> None:
    one, two, three, four, *_ = asking.left
    bad = (b"", b"  ", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"id":"x","action":"delete"}', b'{"id":"1"}')
    unknown = (line(four, action="archive", reason="mystery"), line(four, action=None))
    scrub = line(four, action="scrub_geo", reason="scrub_geo")  # about the location, and not about the tweet
    others = (line(two, reason="a reason of next year"), line(three, reason=None))
    assert asking.comply(Answering(*bad, line(one), scrub, *unknown, *others, line(one), *bad)).removed == 3
    assert asking.ids() == asking.left[3:]
    facts = [vars(record) for record in caplog.records if record.getMessage() == "compliance lines skipped"]
    said = {record["unreadable"]: record["lines"] for record in facts}
    assert said == {"line": 15, "action": 1}


def test_what_came_before_an_answer_was_cut_is_applied(asking: Round) -> None:
    class Broken(Answering):
        def download(self, url: str) -> Iterator[bytes]:
            yield from self.lines
            raise unwell("an answer that was cut")

    with pytest.raises(XFailure, match="was cut"):
        asking.comply(Broken(line(asking.left[0]), line(asking.left[1])))
    assert asking.ids() == asking.left[2:]


def test_it_stops_while_an_answer_comes(asking: Round) -> None:
    stop = Event()

    class Endless(Answering):
        def download(self, url: str) -> Iterator[bytes]:
            yield from self.lines
            stop.set()
            yield from repeat(b"")

    assert asking.comply(Endless(line(asking.left[0])), stop=stop) == Complied()
    assert (asking.ids(), asking.states()) == (asking.left[1:], ["complete"])


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
