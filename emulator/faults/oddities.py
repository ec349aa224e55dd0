"""What X does now and then, if the emulator is to be as odd. ODDITIES is the table to which a new oddity is added.

Whether one strikes depends on the seed, the request and how often the same request came, not on the order of other requests.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from emulator.faults.kinds import FAULT_KINDS
from emulator.faults.plan import PlannedFault
from emulator.world.seeded_random import SeededRandom

_SEARCH = ("search", "search_all")
_COUNTS = ("counts", "counts_all")


class Oddity(NamedTuple):
    """A kind of fault and the endpoints at which it is seen."""

    kind: str
    endpoints: tuple[str, ...]


ODDITIES = (
    Oddity("no_data_key", _SEARCH),
    Oddity("partial_errors", _SEARCH),
    Oddity("missing_users", _SEARCH),
    Oddity("odd_created_at", _SEARCH),
    Oddity("duplicate_post", _SEARCH),
    Oddity("empty_page", _SEARCH),
    Oddity("empty_object", _SEARCH),
    Oddity("errors_only", _SEARCH),
    Oddity("endless_listing", _SEARCH),
    Oddity("no_lang", _SEARCH),
    Oddity("unknown_values", _SEARCH),
    Oddity("no_tweet_fields", _SEARCH),
    Oddity("counts_no_data", _COUNTS),
    Oddity("counts_early", _COUNTS),
    Oddity("counts_early_token", _COUNTS),
    Oddity("posts_withheld", ("tweets",)),
    Oddity("cloudflare_1015", (*_SEARCH, *_COUNTS)),
    Oddity("cloudflare_403", (*_SEARCH, *_COUNTS)),
    Oddity("broken_json", (*_SEARCH, *_COUNTS)),
    Oddity("html_200", (*_SEARCH, *_COUNTS)),
    Oddity("list_200", (*_SEARCH, *_COUNTS)),
    Oddity("rate_limit_no_header", (*_SEARCH, *_COUNTS)),
    Oddity("rate_limit_code_88", (*_SEARCH, *_COUNTS)),
    Oddity("server_503", (*_SEARCH, *_COUNTS, "usage", "credits")),
    Oddity("not_found", ("credits",)),
    Oddity("not_enrolled", ("compliance",)),
)


class Oddities:
    """Draws the oddity of a request; `chance` is that of each kind. Safe to use from several threads."""

    def __init__(self, seed: int, *, chance: float) -> None:
        self._seed, self._chance = seed, chance
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()

    def draw(self, endpoint: str, method: str, params: Mapping[str, str]) -> PlannedFault | None:
        """Return the fault of a request, the first in the order of the table, or None."""
        request = f"{method} {endpoint} {sorted(params.items())}"
        with self._lock:
            self._requests[request] += 1
            nth = self._requests[request]
        for kind, endpoints in ODDITIES:
            if (
                endpoint in endpoints
                and FAULT_KINDS[kind].method in (None, method)
                and self._strikes(f"{kind} {request} {nth}")
            ):
                with self._lock:
                    self.struck[kind] += 1
                return PlannedFault(kind, endpoint=endpoint)
        return None

    def _strikes(self, what: str) -> bool:
        return SeededRandom(f"{self._seed} oddity {what}").fraction() < self._chance
