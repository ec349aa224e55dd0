"""Tables, one file a noun."""

from models.author import Author
from models.chore import Chore
from models.compliance import ComplianceJob
from models.count import Count
from models.figure import Figure
from models.lease import Lease
from models.listing import Listing, Span
from models.mark import Mark
from models.payload import AuthorPayload, Payload
from models.reconciliation import Reconciliation
from models.rollup import Quarter, TagHour, TagLang
from models.run import Run, RunTag
from models.spend import Budget, Purchase, Reservation, Spend
from models.tag import Tag
from models.tombstone import AuthorTombstone, Tombstone
from models.tweet import Tweet, TweetTag, Version

__all__ = [
    "Author",
    "AuthorPayload",
    "AuthorTombstone",
    "Budget",
    "Chore",
    "ComplianceJob",
    "Count",
    "Figure",
    "Lease",
    "Listing",
    "Mark",
    "Payload",
    "Purchase",
    "Quarter",
    "Reconciliation",
    "Reservation",
    "Run",
    "RunTag",
    "Span",
    "Spend",
    "Tag",
    "TagHour",
    "TagLang",
    "Tombstone",
    "Tweet",
    "TweetTag",
    "Version",
]
