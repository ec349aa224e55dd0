"""What answers depend on: the settings, the clock, the world and the account's ledger, balance and compliance jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from emulator.clock import Clock
from emulator.faults.plan import PlannedFault
from emulator.http.messages import Call
from emulator.jobs import UploadJobs
from emulator.ledger import Ledger
from emulator.world.world import PostOddities, RemovedPosts, World


@dataclass
class EmulatorSettings:
    """port 0 takes a free one. tweets: about how many there are in seven days. latency: seconds before each
    answer of the API. The limits are requests in 15 minutes; archive_limit is that of search/all and of
    counts/all, lookup_limit that of tweets by id. daily_limit: requests in 24 hours to each endpoint, 0 for no such
    limit. archive_pace: seconds between two requests to search/all or counts/all, 0 for none. compliance_seconds: how
    long a compliance job takes after its upload. billing_day: the day of the month on which a billing month
    begins. odd_percent: the chance with which each oddity of X strikes a request. balance: the dollars that the
    account paid in; charge_authors: whether its bill includes authors. retweets: posts of 100 that are retweets;
    late: posts of 1,000 that become searchable up to two hours late. incidents: whether many write of an outage once in
    four days. now: where the held clock starts, an aware
    datetime, or None for the system's time.

    reset_as_day: whether usage tells the day of the month on which the cap is reset, as users of X's API report, in place of
    the days that are left, as X documents.

    latency, compliance_seconds, billing_day, reset_as_day and charge_authors may change while the emulator runs."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    tweets: int = 20_000
    latency: float = 0
    bearer_limit: int = 450
    user_limit: int = 300
    counts_limit: int = 300
    archive_limit: int = 300
    lookup_limit: int = 3500
    daily_limit: int = 0
    archive_pace: int = 1
    compliance_limit: int = 150
    users_limit: int = 300
    compliance_seconds: float = 0
    usage_limit: int = 50
    billing_day: int = 1
    odd_percent: float = 0
    balance: int = 1000
    charge_authors: bool = True
    reset_as_day: bool = False
    retweets: int = 0
    late: int = 0
    incidents: bool = False
    now: datetime | None = None


class Grant(NamedTuple):
    """Free credits in thousandths of a dollar; expires_ms: milliseconds since 1970."""

    amount: int
    expires_ms: int


class EmulatorState:
    """Endpoints read it, the ledger and the jobs grow with what they answer, and controls change it.

    usage_drift: posts that X's usage of today counts more than were sold, fewer if negative. balance_moved: what was put
    into the account besides the first balance, less what other apps took, in thousandths of a dollar.
    """

    def __init__(self, settings: EmulatorSettings) -> None:
        self.settings = settings
        self.clock = Clock(settings.now)
        self.removals = RemovedPosts()
        self.world = World(
            settings.seed,
            tweets=settings.tweets,
            removals=self.removals,
            oddities=PostOddities(settings.retweets, settings.late),
            incidents=settings.incidents,
        )
        self.ledger = Ledger()
        self.jobs = UploadJobs()
        self.usage_drift = 0
        self.balance_moved = 0
        self.grants: tuple[Grant, ...] = ()


class RoutedCall(NamedTuple):
    """A call to an endpoint. item: the end of the path, such as a job's id, else empty; fault: the one that applies."""

    call: Call
    now_ms: int
    item: str
    fault: PlannedFault | None
