"""The cache keeps within its bound, whatever is asked."""

from __future__ import annotations

from queries.figures import Stamp
from resources.cache import Answer, Cache, State

STATE = State(Stamp(1, 1))


def kept(cache: Cache, requests: list[str]) -> int:
    return sum(cache.get(request, STATE) is not None for request in requests)


def test_long_requests_with_short_answers_count_as_well() -> None:
    cache, requests = Cache(1), [f"{number}".ljust(8000, "&") for number in range(1000)]
    for request in requests:
        cache.keep(request, STATE, Answer(b"{}", ()))
    assert 50 < kept(cache, requests) <= 1024 * 1024 / 8000
    assert cache.get(requests[-1], STATE)


def test_what_is_kept_again_counts_once_and_another_state_forgets_all() -> None:
    cache, requests = Cache(1), [str(number) for number in range(50)]
    for request in requests * 100:
        cache.keep(request, STATE, Answer(b"x" * 10_000, ()))
    assert kept(cache, requests) == 50
    cache.keep("another", State(Stamp(1, 2)), Answer(b"x", ()))
    assert kept(cache, requests) == 0
