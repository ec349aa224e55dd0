"""`DELETE /database`: deletes all tweets after making a backup of them, of which the newest are kept."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime

from sqlalchemy import delete, update

from alchemy import Database
from collector import counters
from collector.backups import sums
from collector.backups.backups import BackupRefused, backup, refuse_while_collecting
from collector.backups.files import backup_folder, make_backup_folder
from collector.sources import MARK
from collector.tweets import derived, erasure
from models import Author, AuthorPayload, BackfillSpan, DatabaseMark, Listing, Payload, Tag, Tweet, TweetTag, Version

MOST_KEPT = 3


def drop(database: Database) -> str:
    """Delete all tweets and return the name of the backup; raises CollectionRunning, BackupRefused.

    One transaction keeps every other writer waiting from the backup to the end, so that the backup has all that is deleted.
    """
    with database.writing() as session:
        refuse_while_collecting(session)
        name = _make_backup(database)
        derived.clear(session)
        for table in (TweetTag, Version, Payload, Tweet, AuthorPayload, Author, Listing, BackfillSpan):
            session.execute(delete(table))
        session.execute(delete(DatabaseMark).where(DatabaseMark.name == MARK))
        session.execute(update(Tag).values(from_id=None, since_id=None))
        erasure.record_deletion(session)
        counters.bump_generation(session)
    _remove_older_backups(database)
    erasure.erase(database)
    return name


def _make_backup(database: Database) -> str:
    try:
        folder = make_backup_folder(database)
    except OSError as error:
        raise BackupRefused(f"the folder of backups can't be made: {os.strerror(error.errno or 0)}") from error
    target = folder / f"{database.name}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.db"
    backup(database, target)
    return target.name


def _remove_older_backups(database: Database) -> None:
    name = re.compile(re.escape(database.name) + r"-\d{8}T\d{12}Z\.db")
    for old in sorted(file for file in backup_folder(database).iterdir() if name.fullmatch(file.name))[:-MOST_KEPT]:
        sums.remove_with_sum(old)
