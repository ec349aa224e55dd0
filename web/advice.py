"""What to do about what went wrong, for each reason that a collection, a chore or X gives."""

from __future__ import annotations

from queries.collections import INTERRUPTED

GOES_ON = "The next collection goes on where this one stopped; no tweet is lost, and none is bought twice."
ADVICE = {
    "X refuses the credentials": "Make new keys in X's developer portal, put them into .env.local and start the service again.",
    "X gives no Bearer token": "Make new keys in X's developer portal, put them into .env.local and start the service again.",
    "X refuses the app": "Attach the app to a project in X's developer portal, make new keys and start the service again.",
    "billing blocked until credits": f"Buy credits in X's developer portal. {GOES_ON}",
    "billing blocked until X's next": f"Wait for X's next billing period, or raise the cap at X. {GOES_ON}",
    "billing blocked": f"Raise the spending cap in X's developer portal, or wait for that day. {GOES_ON}",
    "the budget of": f"Raise MONTHLY_BUDGET_USD, or wait for the next billing month. {GOES_ON}",
    "what others have reserved": "Wait a minute and collect again.",
    "X's rate limit": f"Wait a quarter of an hour, and collect again. {GOES_ON}",
    "X is unwell": f"X did not answer as it should. Collect again in a few minutes. {GOES_ON}",
    "X refuses the request": "Look at the tag's terms: X did not accept what they ask for.",
    INTERRUPTED: GOES_ON,
    "the collector failed": f"That is a defect: the log has the details under the number of the collection. {GOES_ON}",
    "the stored tweets are real": "Set the credentials of X, or DATABASE_URL to another database.",
    "the stored tweets are invented": "Set DATABASE_URL to another database, or drop these with DELETE /database.",
    "it was broken off": "Its process died or was stopped; it is tried again within the hour.",
}
OTHERWISE = f"The log says more. {GOES_ON}"


def advice(reason: str | None) -> str:
    """Return what to do about a reason; nothing where there is none."""
    if not reason:
        return ""
    return next((words for begins, words in ADVICE.items() if reason.startswith(begins)), OTHERWISE)
