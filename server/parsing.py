"""Requests as waitress reads them, with the time at which each began."""

from __future__ import annotations

import time
from typing import Any

from waitress.parser import HTTPRequestParser, ParsingError

LARGEST_HEADERS = 32 * 1024
LARGEST_BODY = 1024 * 1024


class Request(HTTPRequestParser):
    """A request that began to arrive at `began`, by the monotonic clock."""

    expect_continue: bool
    chunked: bool
    headers: dict[str, str]
    proxy_netloc: str

    def __init__(self, adjustments: Any) -> None:
        super().__init__(adjustments)
        self.began = time.monotonic()

    def received(self, data: bytes) -> int:
        """Take what belongs to this request, and return how much that is. Nobody is asked to go on with what is refused."""
        consumed: int = super().received(data)
        if self.error:
            self.expect_continue = False
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head. Raises ParsingError where it could be read in two ways (RFC 9112, 3.2.2 and 6.1)."""
        try:
            super().parse_header(header_plus)
        except ValueError as error:  # urllib's, of a URL with half an address in brackets
            raise ParsingError("the URL can't be read") from error
        if (self.chunked and "CONTENT_LENGTH" in self.headers) or "TRANSFER_ENCODING" in self.headers:
            raise ParsingError("the body has two lengths")
        if self.proxy_netloc:
            self.headers["HOST"] = self.proxy_netloc
