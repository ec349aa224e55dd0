"""/facets: how many tweets have which language, country, tag or author."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from formats import rows
from formats.arguments import FacetArguments
from formats.openapi.answers import answered, reads
from formats.shapes.tweets import FACETS
from queries.facets import facets
from queries.filters import Filters
from resources.snapshots import SnapshotResource


class FacetsResource(SnapshotResource):
    """All values of one facet, and the share of the tweets that have none."""

    arguments = FacetArguments
    answers = answered(get=reads(FACETS, "The values"))

    def read(self, session: Session, *, by: str, filters: Filters) -> Any:
        """Count tweets by language, country, tag or author."""
        return rows.facets(facets(session, by, filters))
