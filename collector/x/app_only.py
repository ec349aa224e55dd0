"""X's endpoints for apps, which need a Bearer token: counts, usage, the account's balance, and compliance jobs.

Sources: X's documentation of tweet counts, usage and batch compliance. A count is charged by the call.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from collector.x.client import (
    ARCHIVE_PACE,
    CONNECT_TIMEOUT_S,
    Access,
    Clients,
    CountRequest,
    answer_date,
    body_of,
    translate_failures,
)
from collector.x.clock import XClock
from collector.x.failures import COMPLIANCE, COUNTS, COUNTS_ALL, CREDITS, USAGE, unwell
from collector.x.parsing import Object, items, mapping, micro_dollars, moment, number, text

LONGEST_LINE = 1024 * 1024
LONGEST_PART = 10_000
TOO_LONG = b"too long"
CHUNK = 65536
GRACE_S, SLOWEST = 60.0, 16 * 1024  # bytes a second: the slowest download of a compliance file that is accepted after GRACE_S


class Counting(NamedTuple):
    """A request for counts: posts of a query from `start` to `end` (UTC), exclusive, in the full archive or recent ones."""

    query: str
    start: datetime
    end: datetime
    archive: bool = False
    next_token: str | None = None


class CountedPosts(NamedTuple):
    """Counts as (start, end, posts) in UTC, the Date of the answer, and the token of the next page if there is one."""

    counts: tuple[tuple[datetime, datetime, int], ...]
    observed: datetime
    next_token: str | None

    @property
    def total(self) -> int:
        return sum(count for _, _, count in self.counts)


class PostUsage(NamedTuple):
    """How many posts X says it sold to the project in this billing month, by the Date (UTC) of its answer.

    `cap_reset_day` tells when the month ends, as X gave it; None if it did not.
    """

    posts: int
    observed: datetime
    cap_reset_day: int | None = None


class Credits(NamedTuple):
    """The account's balance in micro-dollars, when the first of its free grants expires, and the Date of the answer (UTC)."""

    balance: int
    expires: datetime | None
    asked: datetime


class ComplianceJobStatus(NamedTuple):
    """A batch compliance job: created, in_progress, complete, failed or expired."""

    id: str
    status: str
    upload_url: str
    download_url: str


class AppOnly:
    """X's endpoints for apps; all methods raise XFailure. Safe to share between threads."""

    def __init__(self, access: Access, clock: XClock | None = None, count: CountRequest | None = None) -> None:
        self.clock, self.longest = clock or XClock(), access.longest
        self._access, self._clients = access, Clients(access, self.clock, count)

    def count(self, request: Counting, before_sending: Callable[[], None] = lambda: None) -> CountedPosts:
        """Return hourly counts, a call that X charges for. Those of the full archive come in pages, newest first.

        Raises XFailure, and what `before_sending` raises right before the request is sent.
        """
        client = self._clients.app_only()
        period = {"start_time": _rfc3339(request.start), "end_time": _rfc3339(request.end)}
        endpoint = COUNTS_ALL if request.archive else COUNTS
        with self._clients.count_request(endpoint), self._clients.before_sending(before_sending):
            if request.archive:
                token = {"next_token": request.next_token} if request.next_token else {}
                ARCHIVE_PACE.wait()
                response = client.get_all_tweets_count(request.query, granularity="hour", **period, **token)
            else:
                response = client.get_recent_tweets_count(request.query, granularity="hour", **period)
            return _parse_counts(response)

    def usage(self) -> PostUsage:
        """Return X's own count of what it sold, which is free."""
        client, fields = self._clients.app_only(), {"usage.fields": "cap_reset_day,project_usage"}
        with self._clients.count_request(USAGE):
            response = client.request("GET", "/2/usage/tweets", params=fields)
            data = mapping(body_of(response).get("data"))
            posts = number(data.get("project_usage"))
            if posts is None:
                raise unwell("a usage without project_usage")
        return PostUsage(posts, answer_date(response), number(data.get("cap_reset_day")))

    def credits(self) -> Credits:
        """Return what the account has left, which is free to ask; many accounts are refused it."""
        client = self._clients.app_only()
        with self._clients.count_request(CREDITS):
            response = client.request("GET", "/2/usage/credits")
            return _credits(body_of(response), asked=answer_date(response))

    def create_job(self, name: str) -> ComplianceJobStatus:
        """Create a compliance job over tweets."""
        client = self._clients.app_only()
        with self._clients.count_request(COMPLIANCE):
            return _job(body_of(client.create_compliance_job("tweets", name=name)))

    def job(self, job_id: str) -> ComplianceJobStatus:
        """Return a job's status."""
        client = self._clients.app_only()
        with self._clients.count_request(COMPLIANCE):
            return _job(body_of(client.get_compliance_job(job_id)))

    def upload(self, url: str, ids: Iterable[bytes]) -> None:
        """Upload ids, one a line. The URL is signed, so no credentials go with it."""
        with tempfile.TemporaryFile() as file:
            file.writelines(line + b"\n" for line in ids)
            file.seek(0)
            with translate_failures():
                headers, timeout = {"Content-Type": "text/plain"}, (CONNECT_TIMEOUT_S, self._access.timeout)
                answer = requests.put(self._check_url(url), data=file, headers=headers, timeout=timeout, allow_redirects=False)
        _check(answer)

    def download(self, url: str) -> Iterator[bytes]:
        """Yield the lines of a job's result as they arrive, with empty ones in between, so that the reader can stop."""
        timeout = (CONNECT_TIMEOUT_S, self._access.timeout)
        with (
            translate_failures(),
            requests.get(self._check_url(url), stream=True, timeout=timeout, allow_redirects=False) as answer,
        ):
            _check(answer)
            yield from _lines(answer)

    def close(self) -> None:
        """Close all connections."""
        self._clients.close()

    def _check_url(self, url: str) -> str:
        """Return a URL from X if it is HTTPS or on X's own host; raises XFailure."""
        try:
            own, given = urlsplit(self._access.url), urlsplit(url)
        except ValueError as error:
            raise unwell("a job with an odd URL") from error
        if given.scheme != "https" and (given.scheme, given.netloc) != (own.scheme, own.netloc):
            raise unwell("a job with an odd URL")
        return url


def _credits(body: Object, *, asked: datetime) -> Credits:
    data = mapping(body.get("data"))
    balance = micro_dollars(data.get("total_balance"))
    if balance is None:
        raise unwell("a balance that is no amount")
    grants = (moment(mapping(grant).get("expires_at")) for grant in items(data.get("free_grants")))
    return Credits(balance, min((expires for expires in grants if expires and expires > asked), default=None), asked)


def _parse_counts(response: requests.Response) -> CountedPosts:
    body = body_of(response)
    if "meta" not in body:
        raise unwell("a count without meta", sold=True)
    counts = [_hours(mapping(row)) for row in items(body.get("data"))]
    when = answer_date(response)
    return CountedPosts(tuple(counts), when, text(mapping(body["meta"]).get("next_token")))


def _hours(row: Object) -> tuple[datetime, datetime, int]:
    start, end = moment(row.get("start")), moment(row.get("end"))
    count = number(row.get("tweet_count") if "tweet_count" in row else row.get("post_count"))
    if start is None or end is None or count is None:
        raise unwell("a count without start, end or number", sold=True)
    return start, end, count


def _job(body: Object) -> ComplianceJobStatus:
    data = mapping(body.get("data"))
    parts = [text(data.get(name)) for name in ComplianceJobStatus._fields]
    if any(len(part or "") > LONGEST_PART for part in parts):
        raise unwell("a job with an odd id, status or URL")
    if None in parts or not re.fullmatch(r"\w{1,64}", parts[0] or "", re.ASCII):
        raise unwell("a job without id, status or URLs")
    return ComplianceJobStatus(*(part or "" for part in parts))


def _check(answer: requests.Response) -> None:
    if not 200 <= answer.status_code < 300:  # a redirect is not followed
        raise unwell(f"status {answer.status_code} for a file of a compliance job")


def _lines(answer: requests.Response) -> Iterator[bytes]:
    """Yield the lines of a file: TOO_LONG for a line that is too long, and an empty line after each chunk."""
    rest, cut = b"", False
    for chunk in _chunks(answer):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield TOO_LONG if cut else line
            cut = False
        if len(rest) > LONGEST_LINE:
            cut, rest = True, b""
        yield b""
    if rest or cut:
        yield TOO_LONG if cut else rest


def _chunks(answer: requests.Response) -> Iterator[bytes]:
    """Yield the bytes that have arrived, without waiting for more; raises XFailure if the file is cut or too slow."""
    waited, size = 0.0, 0
    while True:
        began = time.monotonic()
        try:
            chunk = answer.raw.read1(CHUNK, decode_content=True)
        except HTTPError as error:
            raise unwell("no answer in time" if isinstance(error, ReadTimeoutError) else "an answer that was cut") from error
        if not chunk:
            return
        waited, size = waited + time.monotonic() - began, size + len(chunk)
        if waited > GRACE_S + size / SLOWEST:
            raise unwell("a file of a compliance job that comes too slowly")
        yield chunk


def _rfc3339(when: datetime) -> str:
    return f"{when.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"
