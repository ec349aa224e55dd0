"""What can be wrong with a database outside of our own code. The texts say what, without SQL, paths and addresses."""

from __future__ import annotations


class DatabaseUnavailable(Exception):
    """The database is busy, full, away or damaged; its text says which, without SQL and paths.

    `why` is what the server or the driver said, or which file it is, for the operator only: it may name hosts, users and paths.
    """

    kind = "database"
    why: str = ""

    @property
    def in_full(self) -> str:
        """The text with the reason, for the operator."""
        return f"{self} ({self.why})" if self.why else str(self)


class DatabaseBusy(DatabaseUnavailable):
    """Somebody else holds what is needed."""


class DatabaseAway(DatabaseUnavailable):
    """Nobody answers who may write, or the connection broke: whether the last transaction was committed is not known."""


class DatabaseRefused(DatabaseUnavailable):
    """The database refuses this program as the two are set up: trying again doesn't help before somebody has changed that."""


class QueryTooLong(DatabaseUnavailable):
    """A question took longer than it may."""


class DatabaseNotMigrated(DatabaseUnavailable):
    """The database has no tables yet."""


class DatabaseDamaged(DatabaseUnavailable):
    """What stands where the database should is none, or is broken."""


class DiskFailed(DatabaseUnavailable):
    """A write or a sync failed. Nothing more is written through this Database until what is on the disk was verified."""


class DatabaseRevision(Exception):
    """The database was written by a newer version of this program, or has the old schema from before revision 0012."""
