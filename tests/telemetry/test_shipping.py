"""Log records reach Logstash, and whatever Logstash does, it holds up nobody and takes no unbounded memory."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from emulator import Emulator
from telemetry import shipping
from telemetry.delivery import Delivery
from telemetry.shipping import MOST_QUEUED, LogstashHandler, ship
from tests.fixtures.environment import environment
from tests.fixtures.processes import serving
from tests.fixtures.service import in_process
from tests.fixtures.waiting import wait_until
from tests.telemetry.sink import Sink

log = logging.getLogger("shipping")


class Counts:
    """What the handler reported."""

    def __init__(self) -> None:
        self.sent, self.waiting = 0, 0
        self.dropped: Counter[str] = Counter()

    @property
    def delivery(self) -> Delivery:
        return Delivery(self._sent, self._dropped, self._queued)

    def _sent(self, count: int) -> None:
        self.sent += count

    def _dropped(self, reason: str, count: int) -> None:
        self.dropped[reason] += count

    def _queued(self, count: int) -> None:
        self.waiting = count


@pytest.fixture
def sink() -> Iterator[Sink]:
    ready = Sink()
    ready.start()
    yield ready
    ready.close()


@pytest.fixture
def counts() -> Counts:
    return Counts()


@pytest.fixture
def handler(sink: Sink, counts: Counts) -> Iterator[LogstashHandler]:
    """A handler on the root logger that ships to the sink."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    handler = ship("127.0.0.1", sink.port, counts.delivery)
    yield handler
    root.removeHandler(handler)
    handler.close()
    root.setLevel(level)


def send(first: int, count: int, *, a_second: float | None = None) -> None:
    """Log numbered records, at a rate or as fast as it goes."""
    for number in range(first, first + count):
        log.info("numbered", extra={"number": number})
        if a_second:
            time.sleep(1 / a_second)


def test_records_arrive_as_json_lines_in_their_order(handler: LogstashHandler, sink: Sink, counts: Counts) -> None:
    send(0, 2_500)
    wait_until(lambda: len(sink.lines) == 2_500)
    assert sink.numbers() == list(range(2_500))
    wait_until(lambda: counts.sent == 2_500 and counts.waiting == 0)
    assert isinstance(sink.records()[0]["host"], dict)
    assert counts.dropped == {}


@pytest.mark.parametrize("outage", [0.5, pytest.param(10, marks=pytest.mark.slow)])
def test_an_outage_loses_nothing_and_doubles_nothing(
    handler: LogstashHandler, sink: Sink, counts: Counts, outage: float
) -> None:
    total = 100 + int(100 * outage)
    send(0, 100)
    wait_until(lambda: len(sink.lines) == 100)
    sink.refuse()
    send(100, total - 100, a_second=100)
    sink.start()
    wait_until(lambda: len(sink.lines) >= total)
    assert sorted(sink.numbers()) == list(range(total))
    assert counts.dropped == {}


def test_a_logstash_that_is_absent_at_the_start_gets_all_later(handler: LogstashHandler, sink: Sink) -> None:
    sink.stop()
    send(0, 300)
    sink.start()
    wait_until(lambda: len(sink.lines) == 300)
    assert sorted(sink.numbers()) == list(range(300))


def test_a_logstash_that_stalls_costs_bounded_memory_and_counts_what_is_dropped(
    handler: LogstashHandler, sink: Sink, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_QUEUED <= 10_000
    monkeypatch.setattr(shipping, "MOST_QUEUED", 1_000)
    sink.stalled.set()
    send(0, 4_000)  # whoever logs is not held up: nothing is read before the last one
    assert handler.queued <= 1_000
    assert counts.dropped["queue-full"] > 0
    sink.stalled.clear()
    wait_until(lambda: handler.queued == 0)
    wait_until(lambda: len(set(sink.numbers())) + counts.dropped["queue-full"] == 4_000)


def test_while_it_stalls_no_further_connection_takes_records_that_nobody_reads(
    handler: LogstashHandler, sink: Sink, counts: Counts
) -> None:
    sink.stalled.set()
    send(0, 300, a_second=200)  # for longer than what is sent is waited for
    assert sink.opened == 1
    sink.stalled.clear()
    wait_until(lambda: len(sink.lines) == 300)
    assert sink.numbers() == list(range(300))
    wait_until(lambda: counts.sent == 300)
    assert sink.opened == 1


def test_what_is_queued_is_sent_at_the_end(sink: Sink, counts: Counts) -> None:
    handler = ship("127.0.0.1", sink.port, counts.delivery)
    logging.getLogger("shipping").setLevel(logging.INFO)
    send(0, 50)
    logging.getLogger().removeHandler(handler)
    handler.close()
    wait_until(lambda: len(sink.lines) == 50)
    assert counts.dropped["shutdown"] == 0


def test_the_end_is_bounded_and_counts_what_nobody_took(
    sink: Sink, counts: Counts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shipping.CLOSE_WITHIN_S <= 5
    monkeypatch.setattr(shipping, "CLOSE_WITHIN_S", 0.3)
    sink.stop()
    handler = ship("127.0.0.1", sink.port, counts.delivery)
    logging.getLogger("shipping").setLevel(logging.INFO)
    send(0, 50)
    logging.getLogger().removeHandler(handler)
    handler.close()
    assert counts.dropped["shutdown"] == 50
    assert "50 log records dropped" in capsys.readouterr().err


def test_what_is_dropped_is_said_on_stderr(
    handler: LogstashHandler, sink: Sink, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shipping, "SAID_EVERY_S", 0)
    monkeypatch.setattr(shipping, "MOST_QUEUED", 10)
    sink.stop()
    send(0, 60)
    wait_until(lambda: "log records dropped" in capsys.readouterr().err)


def _log_in_child(port: int) -> None:
    logging.getLogger("shipping").info("numbered", extra={"number": 2})
    logging.shutdown()


@pytest.mark.process
def test_a_forked_process_ships_by_itself_and_repeats_nothing(handler: LogstashHandler, sink: Sink) -> None:
    send(1, 1)
    wait_until(lambda: len(sink.lines) == 1)
    child = multiprocessing.get_context("fork").Process(target=_log_in_child, args=(sink.port,))
    child.start()
    child.join(60)
    wait_until(lambda: len(sink.lines) == 2)
    assert sorted(sink.numbers()) == [1, 2]


def logstash_of(sink: Sink) -> dict[str, str]:
    return {"LOGSTASH_HOST": "127.0.0.1", "LOGSTASH_PORT": str(sink.port)}


@pytest.mark.process
def test_the_served_app_ships_what_it_prints_and_the_rest_at_sigterm(tmp_path: Path, emulator: Emulator, sink: Sink) -> None:
    with serving(tmp_path, **environment(tmp_path, emulator), **logstash_of(sink), WORKERS="2") as server:
        for number in range(20):
            server.get("/livez", headers={"X-Request-Id": f"known-{number}"})
        server.get("/database")
        assert server.stop() == 0
    ids = {record.get("http", {}).get("request", {}).get("id") for record in sink.records()}
    assert {f"known-{number}" for number in range(20)} <= ids
    assert "database has been restored" in {record["message"] for record in sink.records()}


@pytest.mark.parametrize("state", ["absent", "stalled"])
def test_requests_are_answered_whatever_logstash_does(
    tmp_path: Path, emulator: Emulator, sink: Sink, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(shipping, "CLOSE_WITHIN_S", 0.1)
    if state == "absent":
        sink.stop()
    else:
        sink.stalled.set()
    with in_process(tmp_path, **environment(tmp_path, emulator), **logstash_of(sink)) as service:
        (handler,) = [one for one in logging.getLogger().handlers if isinstance(one, LogstashHandler)]
        with closing(handler):
            for _ in range(50):
                assert service.get("/tweets_per_hour").status_code == 200
            assert handler.queued
