"""GET /2/tweets/counts/recent: how many posts a search would find, by stretches of time, oldest first."""

from __future__ import annotations

from collections import Counter

from emulator import snowflake
from emulator.fields import COUNTS_PARAMETERS
from emulator.parameters import Params, choice, listing, refuse_unknown
from emulator.render import Json
from emulator.world import World

_STEPS_MS = {"hour": 3_600_000, "minute": 60_000, "day": 86_400_000}


def counts(world: World, params: Params, now_ms: int) -> Json:
    """Return X's body. Raises Problem. The first and last stretch are cut to the period asked for."""
    refuse_unknown(params, COUNTS_PARAMETERS)
    step = _STEPS_MS[choice(params, "granularity", tuple(_STEPS_MS))]
    wanted = listing(params, now_ms)
    found = Counter(snowflake.milliseconds(post.id) // step for post in world.posts(wanted.query, wanted.span))
    start = snowflake.milliseconds(wanted.span.after + 1)
    end = min(snowflake.milliseconds(wanted.span.before - 1) + 1, now_ms)
    data = [
        {
            "end": snowflake.rfc3339(min((at + 1) * step, end)),
            "start": snowflake.rfc3339(max(at * step, start)),
            "tweet_count": found[at],
        }
        for at in range(start // step, (max(end, start + 1) - 1) // step + 1)
    ]
    return {"data": data, "meta": {"total_tweet_count": found.total()}}
