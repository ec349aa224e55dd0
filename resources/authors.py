"""/authors/{username}: deletions of authors with all their tweets."""

from __future__ import annotations

import logging
from typing import Any

from werkzeug.exceptions import NotFound

from collector.collector import Collector
from collector.tweets import erasure
from collector.tweets.deletions import bury_author, username_of
from resources.api import MonitorResource

log = logging.getLogger(__name__)


class AuthorResource(MonitorResource):
    """Everybody stored under a username. DELETE removes them and all their tweets for good."""

    def __init__(self, collector: Collector) -> None:
        self._database = collector.database

    def delete(self, username: str) -> Any:
        named = username_of(username)
        if named is None:
            raise NotFound("there is no author with this username")
        deleted = bury_author(self._database, named)
        erasure.settle(self._database)
        log.info("author deleted", extra={"tweets": deleted})
        return {"deleted": deleted}
