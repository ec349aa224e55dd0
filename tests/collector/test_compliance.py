"""What X says must go goes, whatever cuts the asking off, and X is asked no more than it takes."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice, repeat
from pathlib import Path
from threading import Event, Thread
from typing import Any, TypeVar

import pytest
from sqlalchemy import select, update

from alchemy import DatabaseUnavailable
from api import collector_for, get_tweets
from collector.compliance import records, redactions
from collector.compliance.jobs import ComplianceResult, WaitingJob, comply
from collector.compliance.records import JobRecords
from collector.runs.collector import Collector
from collector.tweets import erasure
from collector.verification import faults
from collector.x import app_only
from collector.x.app_only import AppOnly, ComplianceJobStatus
from collector.x.client import Access
from collector.x.clock import XClock
from collector.x.failures import RetryPolicy, XFailure, unwell
from emulator import Emulator
from models import ComplianceJob, Tweet, Version
from settings import load
from tests.collector.conftest import MakeCollector, rows
from tests.fixtures.clocks import NOON, standing
from tests.fixtures.environment import environment
from tests.fixtures.waiting import LONGEST_WAIT_S, wait_until

T = TypeVar("T")
AT_ONCE = WaitingJob(first=0.01, longest=0.05, most=30)
PATIENCE = RetryPolicy(retries=2, first_wait=0, rate_limit_wait=0)
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
        self.every = self.known()
        self.left = self.ids()

    def remove(self) -> None:
        """Let X remove a tweet for each reason; `left` are the others."""
        gone = self.left[5:205:40]
        for one, reason in zip(gone, WHOLE, strict=True):
            self.emulator.remove(one, reason=reason)
        self.left = [one for one in self.left if one not in gone]

    def comply(self, x: Any = None, *, waiting: WaitingJob = AT_ONCE, stop: Event | None = None) -> ComplianceResult:
        settings: dict[str, Any] = {"retry_policy": PATIENCE, "waiting": waiting, "stop": stop or Event()}
        return comply(self.collector.database, x or self.x, **settings)

    def killed(self, call: str, *, before: bool) -> None:
        """Comply until the process is killed at a call to X: before X hears of it, or after X has done it."""
        whole = getattr(self.x, call)

        def interrupted(lines: Iterable[bytes]) -> Iterator[bytes]:
            yield from islice(lines, 3)
            raise Killed

        def cut(*given: Any) -> Iterator[bytes]:
            answer = () if before else whole(*given)
            if call == "download":
                return interrupted(answer)
            raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(self.x, call, cut)
            with pytest.raises(Killed):
                self.comply()

    def finish(self, *states: str, jobs: int | None = None) -> None:
        """Comply, and see that what must go went, by jobs that ended like this."""
        assert self.comply() == ComplianceResult(1, len(self.every), len(WHOLE), 0)
        assert (self.ids(), self.states()) == (self.left, list(states))
        assert len(self.emulator.jobs) == (jobs or len(states))
        assert faults(self.collector.database, self.collector.order.billing) == []

    def known(self) -> list[int]:
        return sorted({*self._all(Tweet.id), *self._all(Version.id)})

    def ids(self) -> list[int]:
        return self._all(Tweet.id)

    def states(self) -> list[str]:
        return self._all(ComplianceJob.state, ComplianceJob.id)

    def _all(self, column: Any, order: Any = None) -> list[Any]:
        return [row[0] for row in rows(self.collector.database, select(column).order_by(column if order is None else order))]


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
    located = select(Tweet.id).where(Tweet.country.is_not(None)).order_by(Tweet.id)
    (one, *_), *others = rows(asking.collector.database, located)
    asking.emulator.remove(one, reason="scrub_geo")
    assert asking.comply()[2:4] == (0, 1)
    assert asking.ids() == asking.left
    assert rows(asking.collector.database, located) == others
    assert faults(asking.collector.database, asking.collector.order.billing) == []


def test_an_edited_tweet_goes_whichever_of_its_versions_x_names(asking: Round) -> None:
    last, first = rows(asking.collector.database, select(Version.id, Version.tweet_id).order_by(Version.id.desc()))[0]
    asking.emulator.remove(last)
    assert asking.comply().removed == 1
    assert first not in asking.ids()


@pytest.mark.parametrize("small", [erasure.SMALL, 1000])
def test_what_was_removed_is_in_no_file(asking: Round, monkeypatch: pytest.MonkeyPatch, small: int) -> None:
    monkeypatch.setattr(erasure, "SMALL", small)
    one, database = asking.left[30], asking.collector.database
    with database.reading() as session:
        (text,) = session.scalars(select(Tweet.text).where(Tweet.id == one))
        assert session.scalars(select(Tweet.id).where(Tweet.text == text)).all() == [one]
    asking.emulator.remove(one)
    assert asking.comply().removed == 1
    assert not [file.name for file in database.file.parent.iterdir() if text.encode() in file.read_bytes()]
    with database.reading() as session:
        assert erasure.pending_deletions(session) == 0


def test_nothing_is_asked_where_nothing_is_stored(collector: Collector, emulator: Emulator) -> None:
    with closing(AppOnly(collector.source.reach())) as x:
        assert Round(collector, x, emulator).comply() == ComplianceResult()
    assert emulator.requests == []


CALLS = [("create_job", True), ("create_job", False), ("job", True), ("upload", True), ("upload", False), ("download", False)]


@pytest.mark.parametrize(("call", "before"), CALLS)
def test_killed_at_a_call_it_goes_on(asking: Round, monkeypatch: pytest.MonkeyPatch, call: str, before: bool) -> None:
    monkeypatch.setattr(redactions, "BATCH", 2)
    asking.remove()
    asking.killed(call, before=before)
    asking.finish("done", jobs=2 if (call, before) == ("create_job", False) else 1)  # nobody knows of the first


@pytest.mark.parametrize("state", ["uploaded", "complete", "done"])
@pytest.mark.parametrize("before", [True, False])
def test_killed_at_each_step_on_record_it_goes_on_with_the_same_job(
    asking: Round, monkeypatch: pytest.MonkeyPatch, state: str, before: bool
) -> None:
    asking.remove()
    move = JobRecords.move

    def cut(records: JobRecords, record: Any, to: str) -> bool:
        if to == state and before:
            raise Killed
        over = move(records, record, to)
        if to == state:
            raise Killed
        return over

    monkeypatch.setattr(JobRecords, "move", cut)
    with pytest.raises(Killed):
        asking.comply()
    monkeypatch.setattr(JobRecords, "move", move)
    ended = state == "done" and not before
    assert asking.comply()[2:] == (0 if ended else len(WHOLE), 0, False)
    assert asking.ids() == asking.left
    assert len(asking.emulator.jobs) == 1 + ended


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
    assert asking.comply(waiting=WaitingJob(0.01, 0.01, 0.02)) == ComplianceResult(waiting=True)
    asking.emulator.clock.advance(7201)
    asking.finish("done")


SHORT_FAULTS = [("cut", "download"), ("reset", "upload"), ("server_503", "compliance"), ("job_in_progress", "compliance")]


@pytest.mark.parametrize(("fault", "endpoint"), SHORT_FAULTS)
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
def test_a_job_whose_upload_or_answer_ran_out_is_made_anew(asking: Round, call: str, seconds: int) -> None:
    asking.remove()
    asking.killed(call, before=True)
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


def test_more_ids_than_a_job_holds_are_asked_about_in_several(asking: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_IDS", 100)
    monkeypatch.setattr(records, "CHUNK", 37)
    asking.remove()
    count, whole = -(-len(asking.every) // 100), asking.x.upload

    def cut(url: str, given: Iterable[bytes]) -> None:
        if len(asking.emulator.jobs) == 2:
            raise Killed
        whole(url, given)

    monkeypatch.setattr(asking.x, "upload", cut)
    with pytest.raises(Killed):
        asking.comply()
    monkeypatch.setattr(asking.x, "upload", whole)
    assert asking.comply().jobs == count - 1
    assert asking.ids() == asking.left
    asked = [job.ids for job in asking.emulator.jobs]
    assert {len(job) for job in asked[:-1]} == {100}
    known = asking.known()
    assert asking.comply().jobs == -(-len(known) // 100)
    assert [one for job in asking.emulator.jobs[len(asked) :] for one in job.ids] == known


class Answering:
    """An X that is done at once and answers these lines."""

    def __init__(self, lines: Callable[[], Iterable[bytes]]) -> None:
        self.clock, self.lines, self.uploaded = XClock(), lines, False

    def create_job(self, name: str) -> ComplianceJobStatus:
        return self.job("1")

    def job(self, job_id: str) -> ComplianceJobStatus:
        return ComplianceJobStatus(job_id, "complete" if self.uploaded else "created", "up", "down")

    def upload(self, url: str, ids: Iterable[bytes]) -> None:
        self.uploaded = bool(list(ids))

    def download(self, url: str) -> Iterator[bytes]:
        yield from self.lines()


def line(one: int, **more: object) -> bytes:
    return json.dumps({"id": str(one), "action": "delete", "reason": "deleted", **more}).encode()


def test_lines_that_can_not_be_read_cost_no_other(asking: Round, caplog: pytest.LogCaptureFixture) -> None:
    one, two, three, four, *_ = asking.left
    bad = (b"", b"  ", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"id":"x","action":"delete"}', b'{"id":"1"}')
    unknown = (line(four, action="archive", reason="mystery"), line(four, action=None))
    scrub = line(four, action="scrub_geo", reason="scrub_geo")  # about the location, and not about the tweet
    others = (line(two, reason="a reason of next year"), line(three, reason=None))
    given = [*bad, line(one), scrub, *unknown, *others, line(one), *bad]
    assert asking.comply(Answering(lambda: given)).removed == 3
    assert asking.ids() == asking.left[3:]
    facts = [vars(record) for record in caplog.records if record.getMessage() == "compliance lines skipped"]
    said = {record["unreadable"]: record["lines"] for record in facts}
    assert said == {"line": 15, "action": 1}


def test_what_came_before_an_answer_was_cut_is_applied(asking: Round) -> None:
    def lines() -> Iterator[bytes]:
        yield from map(line, asking.left[:2])
        raise unwell("an answer that was cut")

    with pytest.raises(XFailure, match="was cut"):
        asking.comply(Answering(lines))
    assert asking.ids() == asking.left[2:]


def test_it_stops_while_an_answer_comes(asking: Round) -> None:
    stop = Event()

    def lines() -> Iterator[bytes]:
        yield line(asking.left[0])
        stop.set()
        yield from repeat(b"")

    assert asking.comply(Answering(lines), stop=stop) == ComplianceResult()
    assert (asking.ids(), asking.states()) == (asking.left[1:], ["complete"])


@contextmanager
def answering(*parts: bytes, declared: int | None = None, ended: bool = True) -> Iterator[str]:
    """Serve parts of an answer slowly, in chunks unless its length is declared."""

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

        def log_message(self, *_: object) -> None: ...

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
@pytest.mark.parametrize(("parts", "said"), [([b"\n"] * 40, "too slowly"), ([b"one\n"], "was cut")])
def test_an_answer_that_drips_or_lacks_its_end_is_given_up(
    monkeypatch: pytest.MonkeyPatch, declared: int | None, parts: list[bytes], said: str
) -> None:
    monkeypatch.setattr(app_only, "GRACE_S", 0.2)
    with answering(*parts, declared=declared, ended=False) as url, pytest.raises(XFailure, match=said):
        downloaded(url)
