"""Tables, one file a noun."""

from models.author import Author
from models.balance import Balance
from models.chore import Chore
from models.compliance import ComplianceJob
from models.count import Count
from models.figure import Figure
from models.hashtag import Hashtag, TweetHashtag
from models.lease import Lease
from models.listing import Listing, Span
from models.mark import Mark
from models.payload import AuthorPayload, Payload
from models.reconciliation import Reconciliation
from models.rollup import LONGEST_DAY, FacetCount, FacetHour, Presence, Quarter, TagHashtag, TagHour, TagLang
from models.run import Run, RunTag
from models.spend import Budget, Purchase, Reservation, Spend
from models.tag import Tag
from models.tombstone import AuthorTombstone, Tombstone
from models.tweet import IdRange, Tweet, TweetTag, Version
from models.word import TWEET_WORDS
from models.writer import Writer

__all__ = [
    "LONGEST_DAY",
    "TWEET_WORDS",
    "Author",
    "AuthorPayload",
    "AuthorTombstone",
    "Balance",
    "Budget",
    "Chore",
    "ComplianceJob",
    "Count",
    "FacetCount",
    "FacetHour",
    "Figure",
    "Hashtag",
    "IdRange",
    "Lease",
    "Listing",
    "Mark",
    "Payload",
    "Presence",
    "Purchase",
    "Quarter",
    "Reconciliation",
    "Reservation",
    "Run",
    "RunTag",
    "Span",
    "Spend",
    "Tag",
    "TagHashtag",
    "TagHour",
    "TagLang",
    "Tombstone",
    "Tweet",
    "TweetHashtag",
    "TweetTag",
    "Version",
    "Writer",
]
