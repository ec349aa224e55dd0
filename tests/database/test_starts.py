"""The service starts without a primary, serves reads, and goes on by itself once there is one."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from alchemy import open_database
from emulator import Emulator
from tests.fixtures.environment import environment
from tests.fixtures.processes import serving
from tests.fixtures.waiting import wait_until
from tests.reliability.cluster import Servers, on_loopback

pytestmark = [pytest.mark.postgresql, pytest.mark.process]


def test_a_start_without_a_primary_serves_reads_and_goes_on_once_there_is_one(tmp_path: Path, emulator: Emulator) -> None:
    with Servers.running(on_loopback(3)) as servers:
        with closing(open_database(servers.url)) as database:
            database.upgrade()
        wait_until(servers.all_follow)
        servers.primary.kill()
        own = {"DATABASE_URL": servers.url, "DATABASE_REPLICA_URL": servers.replica_url, "TAGS": "#once"}
        with serving(tmp_path, **environment(tmp_path, emulator) | own) as service:
            assert service.get("/readyz").json()["read_only"] is True
            assert service.get("/tweets").json() == {"tweets": []}
            assert "No primary of the database" in service.get("/view/health").text
            assert service.request("POST", "/collections").status_code == 503
            servers.promote(servers.farthest())
            wait_until(lambda: not service.get("/readyz").json()["read_only"])
            assert "#once" in service.get("/tags").text
            wait_until(lambda: service.request("POST", "/collections").status_code == 202)
