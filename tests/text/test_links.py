"""Addresses in their one spelling, and what is no link."""

from __future__ import annotations

import pytest

from text.links import LONGEST_URL, canonical_url, domain_of

SPELLINGS = {
    "https://Status.Example.com/Up?Id=7": "https://status.example.com/Up?Id=7",
    "HTTP://www.example.com:80/a/": "http://example.com/a/",
    "https://www.example.com": "https://example.com",
    "https://example.com/": "https://example.com",
    "https://example.com/?a=1": "https://example.com/?a=1",
    "https://user:secret@example.com:8443/a": "https://example.com:8443/a",
    "https://example.com/a?utm_source=x&b=2&UTM_Medium=y&fbclid=1&c": "https://example.com/a?b=2&c",
    "https://example.com/a?gclid=1&mc_cid=2#part": "https://example.com/a",
    "https://bücher.example/süß?q=ü": "https://bücher.example/süß?q=ü",
    "https://x.com/somebody": "https://x.com/somebody",
    "https://x.com/i/broadcasts/1": "https://x.com/i/broadcasts/1",
    "https://example.com/a/status/1": "https://example.com/a/status/1",
}
NO_LINKS = (
    "https://x.com/somebody/status/17",
    "https://www.twitter.com/somebody/Status/17/photo/1",
    "https://mobile.twitter.com/i/web/status/17",
    "https://pic.x.com/abc",
    "https://pic.twitter.com/abc",
    "https://t.co/abc",
    "ftp://example.com/a",
    "javascript:alert(1)",
    "example.com/a",
    "https://",
    "https://[::1]/",
    "https://exa mple.com/",
    "https://example.com/a b",
    "https://example.com/\x00",
    "https://example.com:99999/",
    "https://..com/",
    f"https://example.com/{'ü' * (LONGEST_URL // 2)}",
)


@pytest.mark.parametrize(("given", "expected"), SPELLINGS.items())
def test_an_address_has_one_spelling(given: str, expected: str) -> None:
    assert canonical_url(given) == expected
    assert canonical_url(expected) == expected


@pytest.mark.parametrize("given", NO_LINKS)
def test_these_are_no_links(given: str) -> None:
    assert canonical_url(given) is None


def test_the_domain_is_the_host_without_its_port() -> None:
    assert domain_of("https://example.com:8443/a?b@c:d") == "example.com"
