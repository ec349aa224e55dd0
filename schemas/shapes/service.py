"""Shapes of what the service says of itself: money, health, errors."""

from __future__ import annotations

from schemas.shapes.collections import COLLECTION, STATE
from schemas.shapes.parts import NamedSchema, Schema, count, day, flag, many, nullable, number, record, text, time, word

SPENT = {
    "posts": count("Tweets"),
    "users": count("Authors"),
    "calls": count("Priced calls"),
    "floor_usd": number("The price without authors", minimum=0),
    "ceiling_usd": number("The price with authors, for whom X probably charges", minimum=0),
}
COMPARED = record(
    "Compared",
    "X's own count of what it sold in the billing month, beside ours.",
    {
        "asked": time("When X was asked, UTC"),
        "posts": count("X's count"),
        "ledger_posts": count("Ours at that time"),
        "drift": {"type": "integer", "description": "By how many X's is greater"},
    },
)
EXPLAINED = record(
    "Explained",
    "The newest fall of the account's balance that says whether X charges for authors.",
    {
        "since": time("When X told the balance from which it fell, UTC"),
        "until": time("When X told the one to which it fell, UTC"),
        "fell_usd": number("By how much it fell", minimum=0),
        "explained_usd": number("How much of that the ledger explains", minimum=0),
        "said": text("The same in words"),
    },
)
BALANCE = record(
    "Balance",
    "What the account has left, where X tells it.",
    {"asked": time("When X was asked last, UTC"), "usd": number("The balance", minimum=0)},
)
SPEND = record(
    "Spend",
    "What X sold.",
    {
        "today": record("SpendOfDay", "By the UTC day.", {"date": day("The day"), **SPENT}),
        "month": record(
            "SpendOfMonth",
            "By the billing month.",
            {
                "start": day("Its first day"),
                "end": day("The first day of the next"),
                **SPENT,
                "unsettled_usd": number("What requests may have cost at most whose answers never came", minimum=0),
            },
        ),
        "budget_usd": nullable(number("What X may charge in a billing month at most; null is without bound", minimum=0)),
        "forecast_usd": number("The month's ceiling if it goes on as in the last seven days", minimum=0),
        "by_x": nullable(COMPARED),
        "authors": {
            "enum": ["charged", "free", None],
            "description": "Whether X charges for authors, by the account's balance; null where that is not settled",
        },
        "authors_by": nullable(EXPLAINED),
        "balance": nullable(BALANCE),
    },
)

ALIVE = record("Alive", "The process answers.", {"status": word("That it does", "alive")})
JOB = record(
    "Chore",
    "How a chore went last.",
    {
        "began": time("When it began, UTC"),
        "succeeded": nullable(time("When it last succeeded, UTC")),
        "error": nullable(text("Why it did not")),
    },
)
SCHEDULE = record(
    "Schedule",
    "How often it collects.",
    {"every_seconds": count(), "next": time("When it collects next, UTC"), "kept": flag("Whether its keeper is alive")},
)
LATEST = record(
    "LatestCollection",
    "The collection that started last.",
    {
        "id": {"type": "integer", "minimum": 1},
        "state": STATE,
        "started": time("When it began, UTC"),
        "error": nullable(text("Why it failed")),
    },
)
READY = record(
    "Ready",
    "The database is migrated and reads answer.",
    {
        "status": word("That it is", "ready"),
        "read_only": {"type": "boolean", "description": "Whether it has waited since its start for a primary of the database"},
        "x": word("Whom a collection would ask", "X", "emulator", "nobody"),
        "tweets": {"enum": ["real", "invented", None], "description": "What the stored tweets are; null where there are none"},
        "last_collection": nullable(LATEST),
        "schedule": nullable(SCHEDULE),
        "chores": {"type": "object", "additionalProperties": JOB},
        "refused_by_x": nullable(many({"type": "string"}), "Why X refuses everything; null where it does not"),
    },
)

PROBLEM = record(
    "Problem",
    "An error (RFC 9457).",
    {
        "type": text("What kind of problem it is", format="uri-reference"),
        "title": text("The status in words"),
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": text("What is wrong and what to do"),
        "instance": text("The path of the request"),
        "request_id": text("The id of the request, under which the log has it"),
        "message": text("The same as detail"),
        "errors": many(
            record(
                "Fault",
                "What is wrong with a parameter.",
                {"parameter": text("Its name"), "detail": text("What is wrong with it")},
            ),
            "What is wrong with each parameter, where the status is 400",
        ),
        "collection": nullable(COLLECTION, "The collection that failed, where one was waited for"),
    },
    optional=["errors", "collection"],
)
DOCUMENT = NamedSchema(
    "Document", {"type": "object", "description": "This document.", "required": ["openapi", "info", "paths"]}
)
PLAIN: Schema = {"type": "string"}
