"""/tags: which hashtags are collected, on which terms; and the original's /tweets_per_tag."""

from __future__ import annotations

import logging
from typing import Any

from flask import request
from werkzeug.exceptions import NotFound

from collector import lease, tags
from collector.collector import Collector
from collector.tags import TagRefused
from formats import rows
from formats.problems import Fault
from formats.terms import TermsRefused, terms
from queries.tags import per_tag, tracked_tags
from resources.api import BadInput, MonitorResource, no_content

log = logging.getLogger(__name__)


class TweetsPerTagResource(MonitorResource):
    """The tweets of each tag by language: one list a tag that has tweets."""

    def __init__(self, collector: Collector) -> None:
        self._database = collector.database

    def get(self) -> Any:
        with self._database.reading() as session:
            return rows.tags(per_tag(session))


class TagsResource(MonitorResource):
    """The tracked tags, by name."""

    def __init__(self, collector: Collector) -> None:
        self._database = collector.database

    def get(self) -> Any:
        with self._database.reading() as session:
            return {"tags": [rows.tracked_tag(tag) for tag in tracked_tags(session)]}


class TagResource(MonitorResource):
    """One tag, with or without its #. PUT tracks it and may set its terms; DELETE stops collecting it, its tweets stay."""

    def __init__(self, collector: Collector) -> None:
        self._database = collector.database

    def get(self, tag: str) -> Any:
        with self._database.reading() as session:
            found = tracked_tags(session, key=tags.key(_hashtag(tag)))
        if not found:
            raise NotFound("this tag is not tracked")
        return rows.tracked_tag(found[0])

    def put(self, tag: str) -> Any:
        name = _hashtag(tag)
        try:
            given = terms(request.get_data())
        except TermsRefused as error:
            raise BadInput(error.faults) from error
        with self._database.writing() as session:
            lease.refuse_while_restoring(session)
            begins = tags.track(session, name, given)
            shown = rows.tracked_tag(tracked_tags(session, key=tags.key(name))[0])
        log.info("tag tracked", extra={"tag": shown["tag"]})
        return shown, 201 if begins else 200

    def delete(self, tag: str) -> Any:
        with self._database.writing() as session:
            lease.refuse_while_restoring(session)
            if not tags.untrack(session, _hashtag(tag)):
                raise NotFound("this tag is not tracked")
        log.info("tag untracked", extra={"tag": tag})
        return no_content()


def _hashtag(tag: str) -> str:
    try:
        return tags.hashtag(tag)
    except TagRefused as error:
        raise BadInput([Fault("tag", str(error))]) from error
