"""A server that is too old is refused in one line; it is told by what it says when a connection begins."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from alchemy import DatabaseRefused, open_database
from database.connections import SSL_REQUEST
from tests.fixtures.waiting import LONGEST_WAIT_S

SAID = {"server_encoding": "UTF8", "client_encoding": "UTF8", "in_hot_standby": "off", "default_transaction_read_only": "off"}


@contextmanager
def a_server(version: str) -> Iterator[int]:
    """Give the port of a server that lets anybody in, says its version, and answers nothing."""

    def answer() -> None:
        client, _ = listener.accept()
        with client:
            while (begun := client.recv(1000)).startswith(SSL_REQUEST):
                client.sendall(b"N")
            assert b"\0user\0app\0" in begun
            client.sendall(_message(b"R", struct.pack("!i", 0)))
            for name, value in {"server_version": version, **SAID}.items():
                client.sendall(_message(b"S", f"{name}\0{value}\0".encode()))
            client.sendall(_message(b"K", struct.pack("!ii", 7, 7)) + _message(b"Z", b"I"))
            client.recv(1000)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(LONGEST_WAIT_S)


def _message(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("!i", len(content) + 4) + content


@pytest.mark.parametrize(("version", "shown"), [("14.11 (Debian 14.11-1)", "14.11"), ("9.6.24", "9.6.24")])
def test_a_server_that_is_too_old_is_refused(version: str, shown: str) -> None:
    said = rf"\Athe database's server is PostgreSQL {shown}: 15 or newer is needed\Z"
    with (
        a_server(version) as port,
        closing(open_database(f"postgresql+psycopg://app@127.0.0.1:{port}/app")) as database,
        pytest.raises(DatabaseRefused, match=said),
    ):
        database.upgrade()
