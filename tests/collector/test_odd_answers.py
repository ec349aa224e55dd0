"""What only a broken or a hostile X says: it fails what was asked, and nothing else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from collector.x import clock
from collector.x.app_only import AppOnly
from collector.x.client import Access, Search, X
from collector.x.failures import XFailure
from tests.reliability.enemy import Enemy, Said, enemy


@pytest.fixture(scope="module")
def x() -> Iterator[Enemy]:
    with enemy() as one:
        yield one


@pytest.mark.parametrize("url", ["https://[x]/", "ftp://x/", "file:///etc/passwd", "http://other.example/", "https://\x00"])
def test_a_job_s_odd_url_is_not_opened(x: Enemy, url: str) -> None:
    with closing(AppOnly(Access(x.url, bearer_token="any", timeout=1))) as asked:
        with pytest.raises(XFailure):
            list(asked.download(url))
        with pytest.raises(XFailure):
            asked.upload(url, [b"1"])


@pytest.mark.parametrize("value", ["x" * 20_000, "", 5, None, ["x"], "a\n"])
def test_a_job_with_odd_parts_is_none(x: Enemy, value: object) -> None:
    x.says(Said(json.dumps({"data": {"id": "1", "status": "created", "upload_url": value, "download_url": value}}).encode()))
    with closing(AppOnly(Access(x.url, bearer_token="any", timeout=5))) as asked:
        try:
            made = asked.create_job("name")
        except XFailure:
            return
        assert made.upload_url == "a\n"
        with pytest.raises(XFailure):
            asked.upload(made.upload_url, [b"1"])


@pytest.mark.parametrize(
    "said", ["Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 +2359", "31 Dec 9999 23:59:59 -2359", "x"]
)
def test_a_date_at_which_there_were_no_tweets_is_none(said: str) -> None:
    assert clock.date(said) is None


def test_a_packed_answer_is_unpacked_no_further_than_an_answer_may_be(x: Enemy) -> None:
    x.says(Said(gzip.compress(b" " * (40 * 2**20), 1), headers={"Content-Encoding": "gzip"}))
    with closing(X(Access(x.url, bearer_token="any", timeout=5))) as client, pytest.raises(XFailure, match="more than 16 MB"):
        client.search(Search("#sre", 10))
