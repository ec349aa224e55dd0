"""The users of a service, some requests a second: they collect, track, delete and read, and say what they were told."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import requests

from emulator import Emulator
from tests.reliability.outside import LONGEST_ANSWER_S, Known, Ledger

NUMBERED = "failover"
FIRST_NUMBER = 10
FURTHER_S = 1_200  # X's time from one collection to the next: about forty posts of all tags
LONGEST_COLLECTION_S = 120
ALL, PER_TAG, LANGUAGES, TAGS = "/tweets?fields=id&format=ndjson", "/tweets_per_tag", "/facets?by=lang", "/tags"


class Traffic:
    """Threads that ask instances of the service in turn, between `start` and `stop`; `quiet` holds them for a while."""

    def __init__(self, urls: Sequence[str], emulator: Emulator, ledger: Ledger, *, seed: int = 1) -> None:
        self._urls, self._emulator, self._ledger = urls, emulator, ledger
        self._dice, self._turn, self._numbers = random.Random(seed), count(), count(FIRST_NUMBER)
        self._going, self._over = threading.Event(), threading.Event()
        self._reads = (self._all, self._languages, self._one, self._per_tag, self._tags, self._number)
        changes = ((self._collect, 0.5), (self._set_number, 0.3), (self._delete, 1.5), (self._track, 2.0))
        steps = (*changes, *[(self._read, 0.2)] * 3)
        self._locks = [threading.Lock() for _ in steps]
        self._threads = [
            threading.Thread(target=self._repeat, args=(step, pause, lock), name=step.__name__, daemon=True)
            for (step, pause), lock in zip(steps, self._locks, strict=True)
        ]

    def start(self) -> None:
        self._going.set()
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        self._going.set()
        for thread in self._threads:
            thread.join(LONGEST_COLLECTION_S)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Let what was begun be answered, and nothing more be asked until the block ends."""
        self._going.clear()
        held = [lock.acquire(timeout=LONGEST_COLLECTION_S) for lock in self._locks]
        try:
            assert all(held), "a request or a collection does not come to an end"
            yield
        finally:
            for lock, had in zip(self._locks, held, strict=True):
                if had:
                    lock.release()
            self._going.set()

    def _repeat(self, step: Callable[[], None], pause: float, lock: threading.Lock) -> None:
        while not self._over.is_set():
            self._going.wait()
            with lock:
                if not self._going.is_set():
                    continue
                try:
                    step()
                except TimeoutError:
                    return
                except Exception as error:  # noqa: BLE001 (a thread's outermost loop: the ledger has it)
                    self._ledger.say(f"{step.__name__}: {type(error).__name__}: {error}")
            self._over.wait(pause)

    def ask(self, method: str, path: str, **more: Any) -> requests.Response | None:
        """Return an answer that was given; None where the service said that it can't now, or broke a stream off."""
        url, began = self._urls[next(self._turn) % len(self._urls)], time.monotonic()
        try:
            answer = requests.request(method, url + path, timeout=2 * LONGEST_ANSWER_S, **more)
        except requests.exceptions.ChunkedEncodingError:
            self._ledger.seen["streams broken off"] += 1
            return None
        except requests.RequestException as error:
            self._ledger.say(f"{method} {path}: no answer: {error}")
            return None
        took = time.monotonic() - began
        if took > LONGEST_ANSWER_S:
            self._ledger.say(f"{method} {path}: took {took:.1f} s")
        if answer.status_code == 503 and "Retry-After" in answer.headers:
            self._ledger.seen[f"503 to {method}"] += 1
            return None
        if answer.status_code >= 500:
            self._ledger.say(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
            return None
        self._ledger.seen[method] += 1
        (self._ledger.reads if method == "GET" else self._ledger.writes).add()
        return answer

    def _answered(self, method: str, path: str) -> requests.Response:
        """Ask until there is an answer; what is asked for may be done twice."""
        while not self._over.wait(0.2):
            if (answer := self.ask(method, path)) is not None:
                return answer
        raise TimeoutError("the end")

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
            answer = self.ask("GET", path)
            if answer is not None:
                state = answer.json()["state"] if answer.ok else "lost"
        self._ledger.seen[f"collections {state}"] += 1
        if state == "lost":
            self._ledger.say(f"{path} is lost")

    def _set_number(self) -> None:
        number, before = next(self._numbers), self._ledger.known()
        self._ledger.tries(number)
        answer = self.ask("PUT", f"/tags/{NUMBERED}", json={"tw_number": number})
        if answer is not None:
            assert answer.ok, answer.text
            self._ledger.saw_number(before, answer.json()["terms"]["tw_number"], "PUT")

    def _track(self) -> None:
        """Track a tag for a moment."""
        tag = f"#failover{next(self._numbers)}"
        for method, ends in (("PUT", True), ("DELETE", False)):
            self._ledger.tracked(tag, is_so=None)
            answer = self._answered(method, f"/tags/{tag[1:]}")
            if not answer.ok and not (method == "DELETE" and answer.status_code == 404):
                self._ledger.say(f"{method} {tag}: {answer.status_code} {answer.text}")
            self._ledger.tracked(tag, is_so=ends)

    def _delete(self) -> None:
        if tweets := self._ledger.some_shown():
            tweet = self._dice.choice(tweets)
            self._ledger.deletes(tweet)
            answer = self._answered("DELETE", f"/tweets/{tweet}")
            assert answer.status_code == 204, answer.text
            self._ledger.deleted(tweet)

    def _read(self) -> None:
        self._reads[self._dice.randrange(len(self._reads))](self._ledger.known())

    def _all(self, before: Known) -> None:
        if (answer := self.ask("GET", ALL)) is not None:
            self._ledger.saw_all(before, [int(line.split(b'"')[3]) for line in answer.content.splitlines()], ALL)

    def _one(self, before: Known) -> None:
        if wanted := sorted(before.shown | before.gone):
            tweet = self._dice.choice(wanted)
            answer = self.ask("GET", f"/tweets/{tweet}")
            if answer is not None:
                self._ledger.saw_one(before, tweet, there=answer.status_code == 200)

    def _languages(self, before: Known) -> None:
        if answer := self.ask("GET", LANGUAGES):
            found = answer.json()
            known = sum(facet["tweets"] for facet in found["facets"])
            self._ledger.counted(before, known / (1 - (found["unknown_share"] or 0)), LANGUAGES)

    def _per_tag(self, before: Known) -> None:
        if answer := self.ask("GET", PER_TAG):
            lists = answer.json()["tweets_per_tags"]
            self._ledger.counted(before, sum(row["tweets"] for rows in lists for row in rows), PER_TAG)

    def _tags(self, before: Known) -> None:
        if answer := self.ask("GET", TAGS):
            self._ledger.saw_tags(before, [tag["tag"] for tag in answer.json()["tags"]], TAGS)

    def _number(self, before: Known) -> None:
        answer = self.ask("GET", f"/tags/{NUMBERED}")
        if answer is not None and (answer.ok or before.number):
            number = answer.json()["terms"]["tw_number"] if answer.ok else 0
            self._ledger.saw_number(before, number, "GET")
