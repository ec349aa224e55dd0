"""The bodies of requests: by their length or in chunks (RFC 9112, 7.1), up to a bound."""

from __future__ import annotations

from email.message import Message
from io import BufferedIOBase

from emulator.http import problems
from emulator.http.answer import Problem

_LONGEST = 1_000_000
_LONGEST_UPLOAD = 64_000_000  # a million ids are 20 MB
_UPLOADS = "/compliance/upload/"


def read(stream: BufferedIOBase, headers: Message, path: str) -> bytes:
    """Return the body of a request. Raises Problem 413, or 400 for a length or chunk that makes no sense."""
    longest = _LONGEST_UPLOAD if path.startswith(_UPLOADS) else _LONGEST
    if headers.get("Transfer-Encoding", "").casefold() == "chunked":
        return _chunks(stream, longest)
    size = _size(headers.get("Content-Length", "0"), 10)
    return _whole(stream, _check_size(size, longest))


def _chunks(stream: BufferedIOBase, longest: int) -> bytes:
    body = bytearray()
    while size := _size(stream.readline(100).decode("latin-1").partition(";")[0].strip(), 16):
        body += _whole(stream, _check_size(len(body) + size, longest) - len(body))
        stream.readline(100)
    while stream.readline(1_000).strip():  # trailers
        pass
    return bytes(body)


def _whole(stream: BufferedIOBase, size: int) -> bytes:
    body = stream.read(size)
    if len(body) < size:
        raise ConnectionAbortedError("the caller hung up in the middle of a body")
    return body


def _size(text: str, base: int) -> int:
    try:
        size = int(text, base)
    except ValueError:
        size = -1
    if size < 0:
        raise Problem(400, problems.plain(400, "Bad Request", "the length of the body makes no sense"))
    return size


def _check_size(size: int, longest: int) -> int:
    if size > longest:
        raise Problem(413, problems.plain(413, "Request Entity Too Large"))
    return size
