"""What a page weighs: everything that it loads is small, compressed and kept."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from emulator import Emulator
from tests.fixtures.documents import opened
from tests.fixtures.environment import environment
from tests.fixtures.service import Service, in_process
from tests.fixtures.views import loaded

MOST = 120_000
PACKED, PLAIN = {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "identity"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, pretend_x: Emulator) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("budget")
    with in_process(folder, **environment(folder, pretend_x)) as running:
        assert running.request("POST", "/database").status_code == 200
        yield running


def files(service: Service, path: str) -> set[str]:
    """Return the paths of the files that a page loads."""
    return loaded(opened(service, path), path)


def weight(service: Service, paths: list[str], headers: dict[str, str]) -> int:
    """Return how many bytes come over the wire for the bodies."""
    answers = [service.get(path, headers=headers, stream=True) for path in paths]
    assert {answer.status_code for answer in answers} == {200}
    return sum(len(answer.raw.read(decode_content=False)) for answer in answers)


@pytest.mark.parametrize("path", ["/", "/view/tweets", "/view/tags/devops", "/view/collections/new", "/view/health"])
def test_all_that_a_page_loads_is_within_the_budget(service: Service, path: str) -> None:
    own = files(service, path)
    assert any(file.endswith(".css") for file in own)
    assert weight(service, [path, *own], PACKED) <= MOST


def test_without_compression_it_would_not_be(service: Service) -> None:
    paths = ["/", *files(service, "/")]
    assert MOST < weight(service, paths, PLAIN) > 3 * weight(service, paths, PACKED)


def test_what_pages_load_is_packed_and_kept(service: Service) -> None:
    for path in files(service, "/"):
        packed, plain = (service.get(path, headers=headers, stream=True) for headers in (PACKED, PLAIN))
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.raw.read(decode_content=False)) == plain.content
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert packed.headers["Cache-Control"].startswith("public")
        again = service.get(path, headers=PACKED | {"If-None-Match": packed.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


def test_a_page_that_has_not_changed_is_not_sent_again(service: Service) -> None:
    first = service.get("/view/tags", headers=PACKED)
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert service.get("/view/tags", headers=PACKED | {"If-None-Match": first.headers["ETag"]}).status_code == 304
    service.request("PUT", "/tags/new")
    assert service.get("/view/tags", headers=PACKED | {"If-None-Match": first.headers["ETag"]}).status_code == 200
