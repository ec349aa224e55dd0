"""JSON schemas of collections and their gaps."""

from __future__ import annotations

from schemas.json_schema import HASHTAG, count, flag, identifier, many, nullable, number, record, text, time, word

ENDS = {
    "since_id": identifier("The id after which it begins"),
    "until_id": identifier("The id before which it ends"),
    "expired": flag("Whether X's recent search doesn't reach it any more"),
}
GAP = record("Gap", "A stretch of a tag's tweets that was not collected.", ENDS)
TAG_GAP = record("TagGap", "A gap, and its tag.", {"tag": HASHTAG, **ENDS})
OUTCOME = record(
    "TagOutcome",
    "What became of a tag in a collection.",
    {
        "tag": HASHTAG,
        "state": word("How it stands", "waiting", "running", "done", "failed"),
        "added": count("Tweets that were not stored before"),
        "reason": nullable(text("Why it failed; null where it is done")),
    },
)
PRICE = record(
    "Price",
    "What was bought and its price. X may or may not charge for authors, so there is a floor and a ceiling.",
    {
        "posts": count("Tweets"),
        "users": count("Authors"),
        "floor_usd": number("The price of the tweets", minimum=0),
        "ceiling_usd": number("The price with authors, for whom X probably charges", minimum=0),
    },
)
STATE = word("How it stands", "running", "done", "partial", "failed")
COLLECTION = record(
    "Collection",
    "One run over the tracked tags.",
    {
        "id": {"type": "integer", "minimum": 1},
        "state": STATE,
        "started": time("When it began, UTC"),
        "ended": nullable(time("When it ended, UTC")),
        "tweets_added": count("Tweets that were not stored before"),
        "tags": many(OUTCOME, "What became of each tag, by name"),
        "spend": PRICE,
        "gaps": many(TAG_GAP, "The gaps that it left or read last"),
        "error": nullable(text("Why it failed")),
    },
)
