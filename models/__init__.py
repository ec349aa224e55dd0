"""Tables, one file a noun."""

from models.author import Author
from models.figure import Figure
from models.lease import Lease
from models.listing import Listing
from models.mark import Mark
from models.rollup import Quarter, TagLang
from models.run import Run, RunTag
from models.spend import Budget, Purchase, Reservation, Spend
from models.tag import Tag
from models.tombstone import Tombstone
from models.tweet import Tweet, TweetTag, Version

__all__ = [
    "Author",
    "Budget",
    "Figure",
    "Lease",
    "Listing",
    "Mark",
    "Purchase",
    "Quarter",
    "Reservation",
    "Run",
    "RunTag",
    "Spend",
    "Tag",
    "TagLang",
    "Tombstone",
    "Tweet",
    "TweetTag",
    "Version",
]
