"""Errors that every operation can answer with, so that no resource has to name them."""

from __future__ import annotations

from schemas.openapi.answers import DocumentedAnswer

COMMON = {
    "BadRequest": DocumentedAnswer(
        400, "An unknown parameter, a value that is not accepted, or an unexpected body: `errors` names each"
    ),
    "Forbidden": DocumentedAnswer(403, "The token may not do this, or a page of another site has asked for it"),
    "NotAcceptable": DocumentedAnswer(406, "None of the media types that the header Accept names is given"),
    "TooSlow": DocumentedAnswer(408, "The request took too long to come whole"),
    "TooLarge": DocumentedAnswer(413, "The body is too large"),
    "LongUrl": DocumentedAnswer(414, "The query string is too long"),
    "UnknownHost": DocumentedAnswer(421, "The header Host names none of the service's names"),
    "LongHeaders": DocumentedAnswer(431, "The headers are too long"),
    "Unexpected": DocumentedAnswer(500, "An error that nobody expected; the log has it"),
    "Unavailable": DocumentedAnswer(503, "The database is busy, full or away, or X can't be asked", headers=("Retry-After",)),
}
GUARDED = {"Unauthorized": DocumentedAnswer(401, "No token, or a wrong one", headers=("WWW-Authenticate",))}
MISSING = {"NotFound": DocumentedAnswer(404, "There is nothing at this path")}
ALL = COMMON | GUARDED | MISSING
