"""The token that continues a listing.

X's documentation: a token does not expire, and the same token gives the same page. So it carries the instant of
the listing's first request, and every page is answered as of then.
"""

from __future__ import annotations

import base64
import binascii
import struct
from typing import NamedTuple

from emulator.world.seeded_random import hash_number

_FORMAT = struct.Struct(">QQI")
_CHECK = struct.Struct(">I")


class TokenPosition(NamedTuple):
    """Where a listing goes on: before is an exclusive id, as_of_ms the instant of its first request."""

    before: int
    as_of_ms: int


def token(listing: str, position: TokenPosition) -> str:
    """Return the token of a position in a listing, which an endpoint and a query name."""
    packed = _FORMAT.pack(position.before, position.as_of_ms, _digest(listing))
    return base64.b32encode(packed + _CHECK.pack(_check(packed))).decode().rstrip("=").lower()


def position(listing: str, text: str) -> TokenPosition | None:
    """Return a token's position, or None if the token is not one of this listing."""
    try:
        packed = base64.b32decode(text.upper() + "=" * (-len(text) % 8))
        before, as_of_ms, digest = _FORMAT.unpack(packed[: _FORMAT.size])
        (check,) = _CHECK.unpack(packed[_FORMAT.size :])
    except (binascii.Error, ValueError, struct.error):
        return None
    known = digest == _digest(listing) and check == _check(packed[: _FORMAT.size])
    return TokenPosition(before, as_of_ms) if known else None


def length(position: TokenPosition | None, asked: int) -> int:
    """Return how many posts a page may hold: X gives one in eight later pages a few less than asked."""
    if position is None:
        return asked
    chance = hash_number(f"page {position.before}")
    return asked if chance % 8 else asked - 1 - chance // 8 % 4


def _digest(listing: str) -> int:
    return hash_number(f"listing {listing}") >> 480


def _check(packed: bytes) -> int:
    return hash_number(f"check {packed.hex()}") >> 480
