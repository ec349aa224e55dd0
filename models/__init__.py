"""Tables, one file a noun."""

from models.author import Author
from models.figure import Figure
from models.lease import Lease
from models.mark import Mark
from models.run import Run, RunTag
from models.tag import Tag
from models.tweet import Tweet, TweetTag, Version

__all__ = ["Author", "Figure", "Lease", "Mark", "Run", "RunTag", "Tag", "Tweet", "TweetTag", "Version"]
