"""What an emulator is started with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class EmulatorSettings:
    """port 0 takes a free one. tweets: about how many there are in seven days. latency: seconds before each
    answer of the API. The limits are requests in 15 minutes; archive_limit is that of search/all and of
    counts/all. archive_pace: seconds between two requests to one of them, 0 for none. compliance_seconds: how
    long a compliance job takes after its upload. billing_day: the day of the month on which a billing month
    begins. balance: the dollars that the account paid in; charge_authors: whether its bill holds authors. now:
    where a held clock stands at the start, an aware datetime, or None for the system's time."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    tweets: int = 20_000
    latency: float = 0
    bearer_limit: int = 450
    user_limit: int = 300
    counts_limit: int = 300
    archive_limit: int = 300
    archive_pace: int = 1
    compliance_limit: int = 150
    compliance_seconds: float = 0
    usage_limit: int = 50
    billing_day: int = 1
    balance: int = 1000
    charge_authors: bool = True
    now: datetime | None = None
