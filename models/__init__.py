"""ORM tables, grouped by subject: authors, tweets, tags, runs, the ledger, roll-ups, deletions, watches, state."""

from models.author import Author, AuthorLookup, AuthorPayload
from models.content import EarlierMeasurement, TweetLink, TweetMention
from models.deletion import AuthorTombstone, ComplianceJob, Tombstone
from models.ledger import Balance, Budget, Purchase, Reconciliation, Reservation, Spend
from models.rollup import LONGEST_DAY, FacetCount, FacetHour, Presence, Quarter, TagHashtag, TagHour, TagLang
from models.run import BackfillSpan, JobState, Listing, Run, RunTag
from models.state import TWEET_WORDS, DatabaseMark, Lease, StoredCounter, WriterMark
from models.tag import Hashtag, HourlyCount, Tag, TweetHashtag
from models.tweet import IdRange, Payload, Tweet, TweetTag, Version
from models.watch import Feed, Message, Notification, ToldTweet, Watch

__all__ = [
    "LONGEST_DAY",
    "TWEET_WORDS",
    "Author",
    "AuthorLookup",
    "AuthorPayload",
    "AuthorTombstone",
    "BackfillSpan",
    "Balance",
    "Budget",
    "ComplianceJob",
    "DatabaseMark",
    "EarlierMeasurement",
    "FacetCount",
    "FacetHour",
    "Feed",
    "Hashtag",
    "HourlyCount",
    "IdRange",
    "JobState",
    "Lease",
    "Listing",
    "Message",
    "Notification",
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
    "ToldTweet",
    "Tombstone",
    "Tweet",
    "TweetHashtag",
    "TweetLink",
    "TweetMention",
    "TweetTag",
    "Version",
    "Watch",
    "WriterMark",
]
