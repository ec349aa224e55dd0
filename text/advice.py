"""What to do about failures, for pages and messages."""

from __future__ import annotations

CONTINUES = "The next collection continues where this one stopped; no tweet is lost or bought twice."
NEW_KEYS = "Create new keys in X's developer portal, put them into .env.local and restart the service."
ADVICE = {
    "unauthorized": NEW_KEYS,
    "suspended": "X's developer portal says why, and how to appeal; or create an app there and put its keys into .env.local.",
    "moved": f"Set TWITTER_API_URL as the collection's error says, and restart the service. {CONTINUES}",
    "blocked": f"Ask X's support, or let the service reach the internet from another address. {CONTINUES}",
    "not-offered": "No part of the service is at fault. Delete by hand what you know to be deleted at X, or ask X for access.",
    "not-enrolled": "Attach the app to a project in X's developer portal, create new keys and restart the service.",
    "credits": f"Buy credits in X's developer portal. {CONTINUES}",
    "usage-cap": f"Wait for X's next billing period, or raise the cap at X. {CONTINUES}",
    "spend-cap": f"Raise the spending cap in X's developer portal, or wait until that day. {CONTINUES}",
    "budget": f"Raise MONTHLY_BUDGET_USD, or wait for the next billing month. {CONTINUES}",
    "reserved": "Wait a minute and collect again.",
    "rate-limit": f"Wait 15 minutes and collect again. {CONTINUES}",
    "daily-limit": f"Wait until then, or collect less often. {CONTINUES}",
    "unwell": f"X did not answer properly. Collect again in a few minutes. {CONTINUES}",
    "endless": "X sent the same posts again and again. What is left is a gap, which the next collection tries to fill.",
    "quote": "Run the same backfill again: it shows a new price and continues where this one stopped.",
    "refused": "Check the tag's rules: X rejected the query that they make.",
    "fields": "X has changed the fields of posts: update this service. Until then each collection buys one page.",
    "stale": "Check the tag's rules: X rejected the query that they make.",
    "interrupted": CONTINUES,
    "refresh-off": "Compare X's developer console with the spend. If reading again was free, switch it on again on the page "
    "Read tweets again, which Schedule links to, or by `python api.py --refresh-on`. If it was not, set REFRESH=off.",
    "crash": f"This is a bug; the log has the details. {CONTINUES}",
    "real-tweets": "Set the credentials of X, or set DATABASE_URL to another database.",
    "invented-tweets": "Set DATABASE_URL to another database, or delete the invented tweets with DELETE /database.",
}
"""What to do, by the kind of a failure."""


def advice(kind: str | None) -> str:
    """Return what to do about a failure of this kind; None is a failure from before kinds were recorded."""
    return ADVICE.get(kind or "", f"The log has more details. {CONTINUES}")
