"""Backfills: what a past period costs, and its purchase from X's full archive."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from flask import request

from collector.ledger.calls import CallsLeaseTaken
from collector.ledger.ledger import BudgetSpent
from collector.ledger.offers import BackfillOffer, PriceAbove, backfill_offer, buy_backfill, buy_missing_counts
from collector.runs.backfill import BackfillPeriod, PollUnfinished
from collector.x.failures import Stopped, XFailure
from queries.tags import tracked_id
from resources.api import CollectorResource, problem_response
from resources.collections import collection_json
from schemas.backfills import NEW_BACKFILL, BackfillRequest, parse_backfill
from schemas.json_schema import HASHTAG, DocumentedAnswer, DocumentedBody, answers, count, many, number, record
from schemas.problems import BadInput, ParameterError
from schemas.serializers import COLLECTION, MICRO, USD, usd

UNCOUNTED = record(
    "Uncounted",
    "Hours of a tag that X has not counted, so that their tweets are estimated.",
    {"tag": HASHTAG, "hours": {"type": "integer", "minimum": 1}},
)
QUOTE = record(
    "BackfillQuote",
    "What a backfill costs.",
    {
        "tweets": count("Tweets to buy, by X's counts"),
        "usd": USD,
        "uncounted": many(UNCOUNTED, "By tag, without those of which X counted every hour"),
        "count_usd": number("What X charges at most for counting those hours", minimum=0),
    },
)
EXAMPLE = {"since": "2025-12-29T00:00:00Z", "until": "2025-12-30T00:00:00Z", "tags": ["#devops"]}
REFUSED = DocumentedAnswer(
    409,
    "The price, which is in the answer, is above `max_usd`; or a collection runs; or a tag must be collected first",
    headers=("Location",),
)


class BackfillsResource(CollectorResource):
    """Nothing is bought without `max_usd`, and never more than 10 % and one page beyond the number of tweets of the price.

    A price is exact where X has counted every hour; `count` has it count the others.
    """

    answers = answers(
        post=[
            DocumentedAnswer(200, "The price; nothing was bought, except counts if `count` asks for them", QUOTE),
            DocumentedAnswer(202, "The backfill has started", COLLECTION, ("Location",)),
            REFUSED,
        ]
    )
    bodies = MappingProxyType(
        {"post": DocumentedBody("The period", NEW_BACKFILL, EXAMPLE, is_required=True, is_cross_checked=True)}
    )

    def post(self) -> Any:
        """Show the price of a backfill, or start it for at most an amount."""
        wanted = parse_backfill(request.get_data())
        try:
            return self._answer(wanted)
        except PriceAbove as error:
            return problem_response(409, str(error), more=quote_json(error.offer))
        except (PollUnfinished, CallsLeaseTaken, BudgetSpent) as error:
            return problem_response(409, str(error))
        except (XFailure, Stopped) as error:
            return problem_response(503, str(error) or "the counting was interrupted: try again")

    def _answer(self, wanted: BackfillRequest) -> Any:
        period, most, counts = wanted
        self._refuse_untracked(period)
        if most is not None and not counts:
            started = buy_backfill(self._collector, period, most=most)
            return collection_json(self._collector, started.run_id), 202, {"Location": f"/collections/{started.run_id}"}
        if most is not None:
            buy_missing_counts(self._collector, period, most=most)
        with self._database.reading() as session:
            return quote_json(backfill_offer(self._collector, session, period))

    def _refuse_untracked(self, period: BackfillPeriod) -> None:
        with self._database.reading() as session:
            unknown = [tag for tag in sorted(period.tags or ()) if tracked_id(session, key=tag) is None]
        if unknown:
            raise BadInput([ParameterError("tags", f"not tracked: {', '.join(unknown)}")])


def quote_json(offer: BackfillOffer) -> dict[str, Any]:
    """Return an offer as the API shows it."""
    return {
        "tweets": offer.posts,
        "usd": usd(offer.cost),
        "uncounted": [{"tag": quote.tag, "hours": quote.uncounted} for quote in offer.tags if quote.uncounted],
        "count_usd": offer.counting / MICRO,
    }
