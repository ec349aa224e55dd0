"""The cache keeps within its bound, whatever is asked."""

from __future__ import annotations

from security.answers import ALWAYS, Cache, CachedAnswer


def answer(body: bytes) -> CachedAnswer:
    return CachedAnswer("/tweets", ALWAYS, [], body, None)


def kept(cache: Cache, requests: list[str]) -> int:
    return sum(cache.get(request) is not None for request in requests)


def test_long_requests_with_short_answers_count_as_well() -> None:
    cache, requests = Cache(1), [f"{number}".ljust(8000, "&") for number in range(1000)]
    for request in requests:
        cache.keep(request, answer(b"{}"))
    assert 50 < kept(cache, requests) <= 1024 * 1024 / 8000
    assert cache.get(requests[-1])


def test_what_is_kept_again_counts_once_and_what_is_too_large_is_not_kept() -> None:
    cache, requests = Cache(1), [str(number) for number in range(50)]
    for request in requests * 100:
        cache.keep(request, answer(b"x" * 10_000))
    assert kept(cache, requests) == 50
    cache.keep("0", answer(b"x" * 300_000))
    assert cache.get("0") != answer(b"x" * 300_000)
