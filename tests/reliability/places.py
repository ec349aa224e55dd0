"""Where the servers of a cluster are: on loopback, or each in a network namespace of its own, which can be cut off."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tests.fixtures.processes import free_port

PORT = 5432


class Place(NamedTuple):
    """An address, the start of a command that is to run there, and the link to it, if it can be cut."""

    host: str
    port: int
    command: Sequence[str] = ()
    link: str = ""

    def cut(self) -> None:
        """Let nothing through any more, in either direction."""
        _ip("link", "set", self.link, "down")

    def mend(self) -> None:
        _ip("link", "set", self.link, "up")


def on_loopback(count: int = 3) -> list[Place]:
    return [Place("127.0.0.1", free_port()) for _ in range(count)]


def namespaces_possible() -> bool:
    """Tell whether this process may make network namespaces."""
    return os.geteuid() == 0 and shutil.which("ip") is not None


@contextmanager
def in_namespaces(count: int = 3) -> Iterator[list[Place]]:
    """Give places that a bridge connects with each other and with this process; all is gone at the end."""
    own, subnet = f"hm{os.getpid() % 1_000_000}", f"10.213.{os.getpid() % 250}"
    spaces = [f"{own}n{number}" for number in range(count)]
    links = [f"{own}v{number}" for number in range(count)]
    try:
        _ip("link", "add", own, "type", "bridge")
        _ip("addr", "add", f"{subnet}.1/24", "dev", own)
        _ip("link", "set", own, "up")
        for number, (space, link) in enumerate(zip(spaces, links, strict=True)):
            inner = f"{own}i{number}"
            _ip("netns", "add", space)
            _ip("link", "add", link, "type", "veth", "peer", "name", inner)
            _ip("link", "set", inner, "netns", space)
            _ip("link", "set", link, "master", own, "up")
            _ip("-n", space, "addr", "add", f"{subnet}.{number + 11}/24", "dev", inner)
            _ip("-n", space, "link", "set", inner, "up")
            _ip("-n", space, "link", "set", "lo", "up")
        yield [
            Place(f"{subnet}.{number + 11}", PORT, ("ip", "netns", "exec", space), link)
            for number, (space, link) in enumerate(zip(spaces, links, strict=True))
        ]
    finally:
        for link in (*links, own):
            _ip("link", "del", link, check=False)
        for space in spaces:
            _ip("netns", "del", space, check=False)


def _ip(*arguments: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"
