"""How responses are compressed and tagged, for the API, metrics, pages and files alike."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from hashlib import blake2b

from flask import Response, request

SMALL = 1000  # bytes: less is not worth compressing
LEVEL = 5
GZIP = 16 + zlib.MAX_WBITS  # zlib's number for the gzip format


def accepts_gzip() -> bool:
    """Return whether the client accepts gzip."""
    return request.accept_encodings.quality("gzip") > 0


def compress(body: bytes, *, level: int = LEVEL) -> bytes:
    """Return a body in the gzip format, without a time, so that it depends on the body alone."""
    return gzip.compress(body, level, mtime=0)


def compress_pieces(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the pieces in the gzip format, each flushed, so that none waits for the next."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
    for piece in pieces:
        yield compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH)
    yield compressor.flush()


def compress_response(response: Response, *, above: int = SMALL) -> Response:
    """Compress a body of more than so many bytes, if the client accepts gzip."""
    if accepts_gzip() and len(response.get_data()) > above:
        response.set_data(compress(response.get_data()))
        response.headers["Content-Encoding"] = "gzip"
    return response


def add_etag(response: Response, body: bytes) -> Response:
    """Set the weak ETag of an uncompressed body."""
    response.set_etag(blake2b(body, digest_size=12).hexdigest(), weak=True)
    return response
