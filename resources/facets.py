"""/facets: how many tweets have which language, country, tag or author."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from queries.facets import facets
from queries.filters import Filters
from resources.snapshots import SnapshotResource
from schemas.arguments import FacetArguments
from schemas.openapi.answers import answers, reads
from schemas.shapes.tweets import FACETS


class FacetsResource(SnapshotResource):
    """All values of one facet, and the share of the tweets that have none."""

    arguments = FacetArguments
    answers = answers(get=reads(FACETS, "The values"))

    def read(self, session: Session, *, by: str, filters: Filters) -> Any:
        """Count tweets by language, country, tag or author."""
        found = facets(session, by, filters)
        return {"facets": found.rows, "unknown_share": found.unknown_share}
