"""Failures of the database that are not bugs of ours. Their texts contain no SQL, paths or addresses."""

from __future__ import annotations


class DatabaseUnavailable(Exception):
    """The database is busy, full, unreachable or damaged; its text says which.

    `why` is the message of the server or the driver, or the file. It may name hosts, users and paths: for operators only.
    """

    kind = "database"
    why: str = ""

    @property
    def in_full(self) -> str:
        """The text with the reason, for operators."""
        return f"{self} ({self.why})" if self.why else str(self)


class DatabaseBusy(DatabaseUnavailable):
    """Another connection holds the lock, or all connections are in use."""


class DatabaseAway(DatabaseUnavailable):
    """No primary answers, or the connection broke: whether the last transaction was committed is unknown."""


class DatabaseRefused(DatabaseUnavailable):
    """The database refuses the service because of a setting: a retry fails until somebody changes it."""


class QueryTooLong(DatabaseUnavailable):
    """A query exceeded its time limit."""


class DatabaseNotMigrated(DatabaseUnavailable):
    """The database has no tables yet."""


class DatabaseDamaged(DatabaseUnavailable):
    """The file or the server's data is not a database, or is corrupt."""


class DiskFailed(DatabaseUnavailable):
    """A write or a sync failed. This Database refuses further writes until it has verified what is on the disk."""


class DatabaseRevision(Exception):
    """The database was written by a newer version of this program, or has the old schema from before revision 0012."""
