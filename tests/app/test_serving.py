"""`python app.py` as an operator meets it: start, first collection, signals, ports, workers, streams."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
import requests

from app import create_app
from emulator import Emulator
from tests.fixtures.environment import ROOT, MakeSettings, environment
from tests.fixtures.processes import Server, free_port, serving
from tests.fixtures.waiting import wait_until

CREATED = "2026-11-17T12:34:56Z"
UNPACKED = {"Accept-Encoding": "identity"}  # else sixty thousand tweets fit what a socket takes in


def states(folder: Path) -> list[str]:
    """Return the states of all collections, by id."""
    with sqlite.connect(folder / "tweets.db") as database:
        found = [state for (state,) in database.execute("SELECT state FROM runs ORDER BY id")]
    database.close()
    return found


def fill(file: Path, count: int) -> None:
    """Add tweets to a migrated database, far faster than by import."""
    with sqlite.connect(file) as database:
        database.execute(
            "INSERT INTO runs (id, kind, state, started, tweets_added, posts, users) VALUES (1, 'import', 'done', '', 0, 0, 0)"
        )
        rows = (
            (number, number, f"invented {number} " + "x" * 200, "2026-11-17T12:34:56Z", 1) for number in range(1, count + 1)
        )
        database.executemany("INSERT INTO tweets (id, version, text, created, run_id) VALUES (?, ?, ?, ?, ?)", rows)
        database.execute("INSERT INTO marks VALUES ('source', 'x')")
    database.close()


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a door to its end."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), **settings}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=30, check=False)


def test_at_first_start_it_collects_beside_the_requests(tmp_path: Path, emulator: Emulator) -> None:
    emulator.latency = 0.5
    with serving(tmp_path, **environment(tmp_path, emulator) | {"COLLECT_ON_START": "1"}) as server:
        assert server.get("/readyz").status_code == 200
        done = server.until(lambda: (server.get("/readyz").json()["last_collection"] or {}).get("state") == "done")
        assert done
        stored = len(server.get("/tweets").json()["tweets"])
        assert stored > 200
    with serving(tmp_path, **environment(tmp_path, emulator) | {"COLLECT_ON_START": "1"}) as server:
        assert server.get("/readyz").json()["last_collection"]["id"] == 1
        assert len(server.get("/tweets").json()["tweets"]) == stored
    assert states(tmp_path) == ["done"]


def test_several_workers_collect_once_at_first_start(tmp_path: Path, emulator: Emulator) -> None:
    settings = environment(tmp_path, emulator) | {"COLLECT_ON_START": "1", "WORKERS": "4"}
    with serving(tmp_path, **settings) as server:
        server.until(lambda: (server.get("/readyz").json()["last_collection"] or {}).get("state") == "done")
        server.until(lambda: server.log.read_text().count("Booting worker") == 4)
        assert len(server.workers()) == 4
    assert states(tmp_path) == ["done"]
    assert len(emulator.requests) == 3


def test_what_a_run_can_cost_is_logged_before_it_starts(tmp_path: Path, emulator: Emulator) -> None:
    with serving(tmp_path, **environment(tmp_path, emulator) | {"COLLECT_ON_START": "1"}) as server:
        server.until(lambda: "collection ended" in server.log.read_text())
        text = server.log.read_text()
    assert '"ceiling_usd_at_most":4.5' in text
    assert text.index("ceiling_usd_at_most") < text.index("page stored")


def test_sigterm_finishes_what_is_in_flight(server: Server, emulator: Emulator, tmp_path: Path) -> None:
    emulator.latency = 0.8
    with server.in_background("/database") as answer:
        server.until(lambda: len(emulator.requests) or states(tmp_path))
        assert server.stop() == 0
        assert answer.result().status_code in (200, 503)
    assert states(tmp_path)[0] in ("done", "partial", "failed")


def test_sigterm_ends_a_long_collection_at_the_next_page(tmp_path: Path, emulator: Emulator) -> None:
    emulator.latency = 0.3
    settings = environment(tmp_path, emulator) | {"COLLECT_ON_START": "1", "TW_NUMBER": "5000"}
    with serving(tmp_path, **settings) as server:
        server.until(lambda: "page stored" in server.log.read_text())
        assert server.stop() == 0
    assert states(tmp_path) == ["failed"]


def test_a_streamed_answer_in_flight_is_finished_at_sigterm(tmp_path: Path, server: Server) -> None:
    fill(tmp_path / "tweets.db", 20_000)
    with requests.get(server.url + "/tweets", headers=UNPACKED, stream=True, timeout=30) as answer:
        chunks = answer.iter_content(65536)
        first = next(chunks)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        rest = b"".join(chunks)
    stopping.join()
    assert (first + rest).endswith(b"]}")
    assert (first + rest).count(b'"tweet":') == 20_000


def test_a_stream_that_breaks_does_not_look_whole(tmp_path: Path, server: Server) -> None:
    fill(tmp_path / "tweets.db", 60_000)
    with requests.get(server.url + "/tweets", headers=UNPACKED, stream=True, timeout=30) as answer:
        assert answer.status_code == 200
        chunks = answer.iter_content(1024)
        next(chunks)
        with sqlite.connect(tmp_path / "tweets.db") as other:
            for table in ("tweet_tags", "versions", "tweets"):
                other.execute(f"DROP TABLE {table}")
        other.close()
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            list(chunks)


def test_a_stream_whose_tweets_are_dropped_does_not_look_whole(tmp_path: Path, server: Server) -> None:
    fill(tmp_path / "tweets.db", 60_000)
    with requests.get(server.url + "/tweets", headers=UNPACKED, stream=True, timeout=30) as answer:
        chunks = answer.iter_content(1024)
        next(chunks)
        assert server.request("DELETE", "/database").status_code == 200
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            list(chunks)


def test_after_a_start_no_state_is_taken_for_one_of_before(tmp_path: Path, emulator: Emulator) -> None:
    settings, tags = environment(tmp_path, emulator), list[str]()
    for count in (1, 2):  # another file each time, in which as much has changed
        with serving(tmp_path, **settings) as server:
            fill(tmp_path / "tweets.db", count)
            answer = server.get("/tweets", headers={"If-None-Match": ", ".join(tags)})
            assert (answer.status_code, len(answer.json()["tweets"])) == (200, count)
            tags.append(answer.headers["ETag"])
            assert server.get("/tweets", headers={"If-None-Match": ", ".join(tags)}).status_code == 304
        for file in tmp_path.glob("tweets.db*"):
            file.unlink()


def test_a_client_that_goes_away_stops_the_work(tmp_path: Path, server: Server) -> None:
    fill(tmp_path / "tweets.db", 60_000)
    with requests.get(server.url + "/tweets", headers=UNPACKED, stream=True, timeout=30) as answer:
        next(answer.iter_content(1024))
    server.until(lambda: '"route":"/tweets"' in server.log.read_text())
    assert server.get("/livez").status_code == 200


def test_a_port_in_use_stops_it_with_one_line(server: Server, tmp_path: Path, emulator: Emulator) -> None:
    port = server.url.rpartition(":")[2]
    second = run(tmp_path, "app.py", PORT=port, **environment(tmp_path, emulator))
    assert second.returncode == 1
    assert port in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert server.get("/livez").status_code == 200


def test_a_worker_whose_parent_dies_exits(server: Server) -> None:
    workers = server.workers()
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    wait_until(lambda: not any(_runs(pid) for pid in workers))
    with pytest.raises(requests.ConnectionError):
        server.get("/livez")


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_a_worker_that_dies_is_replaced(server: Server) -> None:
    (worker,) = server.workers()
    os.kill(worker, signal.SIGKILL)
    server.until(lambda: server.workers() not in ([], [worker]))
    server.until(lambda: "Booting worker" in server.log.read_text())
    assert server.get("/livez").status_code == 200


def test_a_database_of_a_newer_version_is_refused_with_one_line(tmp_path: Path, emulator: Emulator, server: Server) -> None:
    server.stop()
    with sqlite.connect(tmp_path / "tweets.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    for door in ("app.py", "api.py"):
        ended = run(tmp_path, door, PORT=str(free_port()), **environment(tmp_path, emulator))
        assert ended.returncode in (1, 2)
        assert "newer version" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_twenty_apps_leave_no_thread_and_no_descriptor(make_settings: MakeSettings) -> None:
    def one() -> None:
        app = create_app(make_settings())
        collector = app.extensions["collector"]
        collector.prepare()
        collector.start().over.result(30)
        assert app.test_client().get("/tweets_per_hour").status_code == 200
        collector.close()

    one()
    threads, files = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        one()
    wait_until(lambda: threading.active_count() <= threads + 3)
    assert len(list(Path("/proc/self/fd").iterdir())) <= files + 3


def test_the_app_starts_nothing(make_settings: MakeSettings, emulator: Emulator, tmp_path: Path) -> None:
    before = threading.active_count()
    create_app(make_settings())
    assert threading.active_count() <= before
    assert emulator.requests == []
    assert not (tmp_path / "tweets.db").exists()


def test_the_command_line_collects_and_says_how_it_went(tmp_path: Path, emulator: Emulator) -> None:
    settings = environment(tmp_path, emulator)
    done = run(tmp_path, "api.py", **settings)
    assert done.returncode == 0
    assert "3 of 3 tags collected" in done.stderr
    emulator.plan("server_500", times=None, tag="#sre")
    partly = run(tmp_path, "api.py", **settings)
    assert partly.returncode == 1
    assert "#sre: X is unwell: status 500" in partly.stderr


def test_the_command_line_says_when_another_collection_runs(tmp_path: Path, emulator: Emulator) -> None:
    settings = environment(tmp_path, emulator) | {"X_TIMEOUT": "30s"}
    emulator.plan("slow", times=None, seconds=6)
    with serving(tmp_path, **settings) as server, server.in_background("/database") as first:
        server.until(lambda: emulator.requests or states(tmp_path))
        second = run(tmp_path, "api.py", **settings)
        assert second.returncode == 1
        assert "another collection runs" in second.stderr
        assert first.result().status_code == 200


def test_sigterm_closes_a_collection_though_x_never_answers(
    tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator.plan("hang", times=None, seconds=120)
    settings = environment(tmp_path, emulator) | {"X_TIMEOUT": "90s"}
    with serving(tmp_path, **settings) as server, server.in_background("/database") as answer:
        server.until(lambda: states(tmp_path))
        assert server.stop() == 0
        assert answer.result().status_code == 503
    assert states(tmp_path) == ["failed"]


def test_the_estimate_asks_x_nothing(tmp_path: Path, emulator: Emulator) -> None:
    told = run(tmp_path, "api.py", "--estimate", **environment(tmp_path, emulator))
    assert told.returncode == 0
    assert "$1.50" in told.stderr
    assert "$4.50" in told.stderr
    assert emulator.requests == []


def test_a_client_that_sends_half_a_request_holds_up_nobody(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as idle:
        idle.sendall(b"GET /tweets HTTP/1.1\r\n")
        started = datetime.now(UTC)
        assert server.get("/tweets_per_hour").status_code == 200
        assert (datetime.now(UTC) - started).total_seconds() < 5
