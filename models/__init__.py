"""Tables, one file a noun."""

from models.author import Author
from models.balance import Balance
from models.chore import JobState
from models.compliance import ComplianceJob
from models.count import HourlyCount
from models.figure import StoredCounter
from models.hashtag import Hashtag, TweetHashtag
from models.lease import Lease
from models.listing import BackfillSpan, Listing
from models.mark import DatabaseMark
from models.payload import AuthorPayload, Payload
from models.reconciliation import Reconciliation
from models.rollup import LONGEST_DAY, FacetCount, FacetHour, Presence, Quarter, TagHashtag, TagHour, TagLang
from models.run import Run, RunTag
from models.spend import Budget, Purchase, Reservation, Spend
from models.tag import Tag
from models.tombstone import AuthorTombstone, Tombstone
from models.tweet import IdRange, Tweet, TweetTag, Version
from models.word import TWEET_WORDS
from models.writer import WriterMark

__all__ = [
    "LONGEST_DAY",
    "TWEET_WORDS",
    "Author",
    "AuthorPayload",
    "AuthorTombstone",
    "BackfillSpan",
    "Balance",
    "Budget",
    "ComplianceJob",
    "DatabaseMark",
    "FacetCount",
    "FacetHour",
    "Hashtag",
    "HourlyCount",
    "IdRange",
    "JobState",
    "Lease",
    "Listing",
    "Payload",
    "Presence",
    "Purchase",
    "Quarter",
    "Reconciliation",
    "Reservation",
    "Run",
    "RunTag",
    "Spend",
    "StoredCounter",
    "Tag",
    "TagHashtag",
    "TagHour",
    "TagLang",
    "Tombstone",
    "Tweet",
    "TweetHashtag",
    "TweetTag",
    "Version",
    "WriterMark",
]
