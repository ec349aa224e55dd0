"""The users of a service, who collect, delete and read: whatever they were told has to be so ever after."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, pairwise
from typing import Any, NamedTuple

import requests

from emulator import Emulator

FURTHER_S = 1_200  # X's time from one collection to the next: about forty posts of all tags
LONGEST_ANSWER_S, LONGEST_COLLECTION_S = 30, 120
ALL = "/tweets?fields=id&format=ndjson"


class Known(NamedTuple):
    """What had been said when a request was sent: tweets, and those that are gone."""

    shown: frozenset[int]
    gone: frozenset[int]


class Ledger:
    """Told of every request and answer by all threads, outside of the service; `wrong` is what can't be."""

    def __init__(self) -> None:
        self._change = threading.Lock()
        self._shown, self._gone, self._deleting = set[int](), set[int](), set[int]()
        self.wrong: list[str] = []
        self.seen: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {"writes": [], "reads": []}  # of answers, in monotonic seconds

    def known(self) -> Known:
        with self._change:
            return Known(frozenset(self._shown), frozenset(self._gone))

    def some_shown(self) -> list[int]:
        """Return the tweets that nobody has begun to delete."""
        with self._change:
            return sorted(self._shown - self._deleting)

    def say(self, fault: str) -> None:
        with self._change:
            self.wrong.append(f"{time.strftime('%H:%M:%S')} {fault}")

    def saw(self, before: Known, asked: frozenset[int], ids: Iterable[int], where: str) -> None:
        """Judge which of the tweets that were asked for an answer has, and remember it."""
        listed = list(ids)
        found = set(listed)
        if len(listed) != len(found):
            self.say(f"{where}: {len(listed) - len(found)} tweets twice")
        if back := found & before.gone:
            self.say(f"{where}: {len(back)} deleted tweets are back, such as {min(back)}")
        with self._change:
            missing = before.shown & asked - found
            self._shown |= found
            self._gone |= missing & self._deleting
            lost = missing - self._deleting
        if lost:
            self.say(f"{where}: {len(lost)} tweets lost that were shown, such as {min(lost)}")

    def deletes(self, tweet: int, *, done: bool) -> None:
        with self._change:
            (self._gone if done else self._deleting).add(tweet)

    def gap(self, kind: str, since: float, until: float) -> float:
        """Return the longest time without an answer between two times, in seconds."""
        times = [since, *(at for at in sorted(self.times[kind]) if since < at < until), until]
        return max(later - earlier for earlier, later in pairwise(times))


class Traffic:
    """Threads that ask instances of the service in turn, between `start` and `stop`; `quiet` holds them for a while."""

    def __init__(self, urls: Sequence[str], emulator: Emulator, ledger: Ledger) -> None:
        self._urls, self._emulator, self._ledger = urls, emulator, ledger
        self._dice, self._turn = random.Random(1), count()
        self._going, self._over = threading.Event(), threading.Event()
        steps = ((self._collect, 0.5), (self._delete, 0.4), (self._read_all, 0.2), (self._read_one, 0.1), (self._read_one, 0.1))
        self._locks = [threading.Lock() for _ in steps]
        self._threads = [
            threading.Thread(target=self._repeat, args=(*step, lock), daemon=True)
            for step, lock in zip(steps, self._locks, strict=True)
        ]

    def start(self) -> None:
        self._going.set()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(LONGEST_COLLECTION_S)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Let what was begun be answered, and nothing more be asked until the block ends."""
        self._going.clear()
        held = [lock for lock in self._locks if lock.acquire(timeout=LONGEST_COLLECTION_S)]
        try:
            assert held == self._locks, "a request or a collection does not come to an end"
            yield
        finally:
            for lock in held:
                lock.release()
            self._going.set()

    def _repeat(self, step: Callable[[], None], pause: float, lock: threading.Lock) -> None:
        while not self._over.wait(pause):
            self._going.wait()
            with lock:
                try:
                    if self._going.is_set():
                        step()
                except Exception as error:  # noqa: BLE001 (a thread's outermost loop: the ledger has it)
                    self._ledger.say(f"{step.__name__}: {type(error).__name__}: {error}")

    def ask(self, method: str, path: str, **more: Any) -> requests.Response | None:
        """Return an answer that was given; None where the service said that it can't now, or broke a stream off."""
        url, began, seen = self._urls[next(self._turn) % len(self._urls)], time.monotonic(), self._ledger.seen
        try:
            answer = requests.request(method, url + path, timeout=2 * LONGEST_ANSWER_S, **more)
        except requests.RequestException as error:
            if isinstance(error, requests.exceptions.ChunkedEncodingError):
                seen["streams broken off"] += 1
            else:
                self._ledger.say(f"{method} {path}: no answer: {error}")
            return None
        if (took := time.monotonic() - began) > LONGEST_ANSWER_S:
            self._ledger.say(f"{method} {path}: took {took:.1f} s")
        if answer.status_code >= 500:
            if answer.status_code == 503 and "Retry-After" in answer.headers:
                seen[f"503 to {method}"] += 1
            else:
                self._ledger.say(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
            return None
        seen[method] += 1
        self._ledger.times["reads" if method == "GET" else "writes"].append(time.monotonic())
        return answer

    def _collect(self) -> None:
        self._emulator.clock.advance(FURTHER_S)
        self._emulator.reset_limits()
        begun = self.ask("POST", "/collections")
        if begun is None or begun.status_code != 202:
            return
        path, state, began = begun.headers["Location"], "running", time.monotonic()
        while state == "running":
            assert time.monotonic() < began + LONGEST_COLLECTION_S, "a collection does not end"
            time.sleep(0.3)
            if (answer := self.ask("GET", path)) is not None:
                assert answer.ok, f"{path} is lost"
                state = answer.json()["state"]
        self._ledger.seen[f"collections {state}"] += 1

    def _delete(self) -> None:
        """Delete a tweet, and ask until there is an answer: that may be done twice."""
        if tweets := self._ledger.some_shown():
            tweet, answer = self._dice.choice(tweets), None
            self._ledger.deletes(tweet, done=False)
            while (answer := self.ask("DELETE", f"/tweets/{tweet}")) is None:
                if self._over.wait(0.2):
                    return
            assert answer.status_code == 204, answer.text
            self._ledger.deletes(tweet, done=True)

    def _read_all(self) -> None:
        before = self._ledger.known()
        if (answer := self.ask("GET", ALL)) is not None:
            ids = [int(line.split(b'"')[3]) for line in answer.content.splitlines()]
            self._ledger.saw(before, before.shown, ids, ALL)

    def _read_one(self) -> None:
        before = self._ledger.known()
        if wanted := sorted(before.shown | before.gone):
            tweet = self._dice.choice(wanted)
            if (answer := self.ask("GET", f"/tweets/{tweet}")) is not None:
                self._ledger.saw(before, frozenset([tweet]), [tweet] if answer.ok else [], "GET /tweets/<id>")
