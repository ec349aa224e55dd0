"""What stands out in the matching tweets: words and pairs of words."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from queries.filters import Filters
from queries.terms import FEWEST, WHOLE, frequent_terms
from resources.snapshots import SnapshotResource
from schemas.arguments import FilterArguments
from schemas.json_schema import SHARE, answers, count, many, nullable, number, reads, record, text
from schemas.parameters import page_limit

MOST_TERMS, TERMS_SHOWN = 200, 50

TERM = record(
    "RankedTerm",
    f"A word, or two neighbouring words with a space between, in at least {FEWEST} of the examined tweets.",
    {
        "term": text("The term, letter case folded", examples=["status page"]),
        "tweets": count("The examined tweets that have it"),
        "share": number("Their share of the examined tweets", **SHARE),
        "lift": nullable(
            number("This share divided by that of the tweets compared with; null if none of these has it", minimum=0)
        ),
        "score": nullable(
            number("The log-likelihood ratio, negative if it is rarer here; null if there are no tweets to compare with")
        ),
    },
)
TERMS = record(
    "RankedTerms",
    "The terms that stand out in the matching tweets against the stored tweets of the same tags that don't match, best score "
    "first, ties by term.",
    {
        "terms": many(TERM),
        "sampled": count(f"How many matching tweets were examined: a sample if there are more than {WHOLE.above}"),
        "of": count("How many match"),
    },
)


class TermsArguments(FilterArguments):
    """Parameters of GET /terms."""

    limit = page_limit(MOST_TERMS)


class TermsResource(SnapshotResource):
    """The terms of the matching tweets, compared with the rest."""

    arguments = TermsArguments
    answers = answers(get=reads(TERMS, "The terms"))

    def read(self, session: Session, *, filters: Filters, limit: int = TERMS_SHOWN) -> Any:
        """List the words and pairs of words that stand out."""
        found = frequent_terms(session, filters, limit=limit)
        return {"terms": found.rows, "sampled": found.sampled, "of": found.of}
