"""The names by which the service is asked for. A page whose own name points at this machine (DNS rebinding) knows none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from werkzeug.exceptions import BadRequest, MisdirectedRequest

from settings import Settings

ALWAYS = ("localhost", "127.0.0.1", "[::1]")
EVERY_ADDRESS = ("0.0.0.0", "::", "[::]")  # noqa: S104 (compared with, not listened on)
HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::\d{0,5})?", re.IGNORECASE)


class Hosts:
    """Knows them: localhost, what HOST names and what ALLOWED_HOSTS lists."""

    def __init__(self, settings: Settings) -> None:
        own = settings.host.casefold()
        listening = () if own in EVERY_ADDRESS else (f"[{own.strip('[]')}]" if ":" in own else own,)
        self._names = frozenset((*ALWAYS, *listening, *(settings.allowed_hosts or ())))

    def check(self, environ: Mapping[str, Any]) -> None:
        """Raise BadRequest where HTTP/1.1 is spoken without a Host, MisdirectedRequest for one that is not known.

        What speaks HTTP/1.0 may have none: no browser does.
        """
        host = environ.get("HTTP_HOST")
        if not host:
            if environ.get("SERVER_PROTOCOL") in ("HTTP/1", "HTTP/1.0"):
                return
            raise BadRequest("the header Host is missing")
        match = HOST.fullmatch(host)
        if not match or match[1].lower() not in self._names:
            raise MisdirectedRequest("this Host is not known here: ALLOWED_HOSTS lists the names beside localhost")
