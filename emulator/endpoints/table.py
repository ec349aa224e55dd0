"""Every endpoint of the API. `endpoints` is the table to which a new one is added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from emulator.endpoints.account import answer_credits, answer_token, answer_usage
from emulator.endpoints.compliance import create_job, download_results, get_job, list_jobs, upload_ids
from emulator.endpoints.listing import ARCHIVE, RECENT
from emulator.endpoints.lookup import answer_lookup
from emulator.endpoints.search import answer_counts, answer_search
from emulator.endpoints.users import answer_users
from emulator.http.messages import Call, EmulatorAnswer, Problem
from emulator.state import EmulatorSettings, EmulatorState, RoutedCall

_LOOKUP_USER_LIMIT = 5000


class Quota(NamedTuple):
    """Requests in 15 minutes with a Bearer token and with a user's context, None if X refuses that.

    pace: so many seconds lie between two requests, 0 for none.
    """

    bearer: int
    user: int | None = None
    pace: int = 0


class Endpoint(NamedTuple):
    """name: by which faults are planned; several rows may share it. path: ends in / where one more segment names an item.

    answer: raises Problem for what isn't 200. quota: None where no credentials are needed.
    """

    name: str
    does: str
    method: str
    path: str
    answer: Callable[[EmulatorState, RoutedCall], EmulatorAnswer]
    quota: Quota | None = None

    def item(self, path: str) -> str | None:
        """Return the item that a path names, empty if the endpoint has none, None if the path is another's."""
        if not self.path.endswith("/"):
            return "" if path == self.path else None
        item = path.removeprefix(self.path)
        return item if path.startswith(self.path) and item and "/" not in item else None


def endpoints(settings: EmulatorSettings) -> tuple[Endpoint, ...]:
    """Return the table."""
    search, counts = Quota(settings.bearer_limit, settings.user_limit), Quota(settings.counts_limit)
    archive = Quota(settings.archive_limit, pace=settings.archive_pace)
    users = Quota(settings.users_limit, settings.users_limit)
    jobs, usage = Quota(settings.compliance_limit), Quota(settings.usage_limit)
    search_recent, search_all = (partial(answer_search, scope=scope) for scope in (RECENT, ARCHIVE))
    counts_recent, counts_all = (partial(answer_counts, scope=scope) for scope in (RECENT, ARCHIVE))
    lookup = Quota(settings.lookup_limit, user=_LOOKUP_USER_LIMIT)
    job_path = "/2/compliance/jobs"
    return (
        Endpoint("search", "posts of the last seven days", "GET", "/2/tweets/search/recent", search_recent, search),
        Endpoint("search_all", "posts of the archive", "GET", "/2/tweets/search/all", search_all, archive),
        Endpoint("counts", "counts of the last seven days", "GET", "/2/tweets/counts/recent", counts_recent, counts),
        Endpoint("counts_all", "counts of the archive", "GET", "/2/tweets/counts/all", counts_all, archive),
        Endpoint("users", "users by their ids", "GET", "/2/users", answer_users, users),
        Endpoint("tweets", "posts by their ids", "GET", "/2/tweets", answer_lookup, lookup),
        Endpoint("usage", "the posts that X says it billed", "GET", "/2/usage/tweets", answer_usage, usage),
        Endpoint("credits", "the balance", "GET", "/2/usage/credits", answer_credits, usage),
        Endpoint("compliance", "creates a job", "POST", job_path, create_job, jobs),
        Endpoint("compliance", "the jobs", "GET", job_path, list_jobs, jobs),
        Endpoint("compliance", "a job", "GET", f"{job_path}/", get_job, jobs),
        Endpoint("upload", "takes the ids of a job", "PUT", "/compliance/upload/", upload_ids),
        Endpoint("download", "the results of a job", "GET", "/compliance/download/", download_results),
        Endpoint("token", "an app's Bearer token", "POST", "/oauth2/token", answer_token),
    )


def match_endpoint(table: Sequence[Endpoint], call: Call) -> tuple[Endpoint, str]:
    """Return the endpoint of a call and the item that its path names. Raises Problem 404 or 405."""
    matches = [(endpoint, item) for endpoint in table if (item := endpoint.item(call.path)) is not None]
    if not matches:
        raise Problem(404)
    for endpoint, item in matches:
        if endpoint.method == call.method:
            return endpoint, item
    raise Problem(405, headers=(("Allow", ", ".join(sorted(endpoint.method for endpoint, _ in matches))),))
