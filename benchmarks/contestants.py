"""Who is measured: the service in its variants, the baseline, the limit and the peer, each started when it is first needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import requests

from benchmarks import data
from benchmarks.cluster import Cluster
from benchmarks.effort import Effort
from benchmarks.load import Refused
from benchmarks.peer import peer, question
from benchmarks.served import Served, hosted, served

TOP, HOURS, TAGS = "/tweets?order_by_followers_desc=5", "/tweets_per_hour", "/tweets_per_tag"
ANSWERS = {"/tweets": "/tweets", "/top": TOP, HOURS: HOURS, TAGS: TAGS}
UNCACHED = {"CACHE_MB": "0"}


class Contestants:
    """Servers that stand until the stack is closed, so that they can be measured in turn."""

    def __init__(self, effort: Effort, stack: ExitStack, *, folder: Path, kept: Path, cluster: Cluster | None = None) -> None:
        self.effort, self.cluster = effort, cluster
        self._stack, self._folder, self._kept = stack, folder, kept
        self._standing: dict[str, Served] = {}

    def file(self, count: int, name: str = "read") -> Path:
        """Return a copy of a database of so many tweets, of this name, which only the service (and who fills it) may change."""
        copy = self._folder / f"{name}-{count}.db"
        return copy if copy.exists() else data.copy(data.database(count, kept=self._kept), self._folder, copy.stem)

    def url(self, count: int, name: str = "read") -> str:
        """Return the URL of the service's own database of so many tweets: that copy, or the same on PostgreSQL."""
        file = self.file(count, name)
        return data.restored(self.cluster, file) if self.cluster else f"sqlite:///{file}"

    def ours(self, count: int, *, cached: bool = True, name: str = "read") -> Served:
        """Return the service on so many tweets, one worker, logs and metrics on."""
        cached, url = cached or self.effort.together, self.url(count, name)
        settings = data.OFF | ({} if cached else UNCACHED)
        return self._stood(f"ours {url} {cached}", lambda: served(url, **settings))

    def naive(self) -> Served:
        file = self.file(self.effort.small)
        return self._stood("naive", lambda: hosted("benchmarks.naive:create_app", NAIVE_DATABASE=str(file)))

    def bare(self) -> Served:
        """Return the limit, which answers with the bytes of the service on few tweets."""
        answers = self._folder / "answers.json"
        if not answers.exists():
            url = self.ours(self.effort.small).url
            answers.write_text(json.dumps({path: answer(url + asked).text for path, asked in ANSWERS.items()}))
        return self._stood("bare", lambda: hosted("benchmarks.bare:create_app", BARE_ANSWERS=str(answers)))

    def peer(self, path: str) -> str:
        """Return the URL at which the peer answers what comes nearest to this, on few tweets."""
        file = data.database(self.effort.small, kept=self._kept)
        return question(self._stood("peer", lambda: peer(file)), file, path)

    def _stood(self, name: str, start: Callable[[], AbstractContextManager[Served]]) -> Served:
        if name not in self._standing:
            self._standing[name] = self._stack.enter_context(start())
        return self._standing[name]


def answer(url: str, *, expected: int = 200, **more: Any) -> requests.Response:
    """Return the answer to one request; raises Refused unless it has the expected status."""
    found = requests.get(url, timeout=60, **more)
    if found.status_code != expected:
        raise Refused(f"answers {found.status_code}")
    return found
