"""Which hashtags occur together, and who mentions whom."""

from __future__ import annotations

from typing import Any

from flask import request
from sqlalchemy.orm import Session

from queries.filters import Filters
from queries.network import NETWORKS, network
from resources.api import MEANS_JSON
from resources.snapshots import JSON, SnapshotBody, SnapshotResource
from schemas import gexf
from schemas.arguments import FilterArguments
from schemas.json_schema import answers, count, many, reads, record, text
from schemas.parameters import choice, page_limit
from schemas.serializers import encode

MOST_EDGES = 5000
FORMATS = {"json": MEANS_JSON, "gexf": (gexf.MEDIA_TYPE,)}

NODE = record(
    "NetworkNode",
    "A hashtag or an account of the network.",
    {
        "id": text("A hashtag with its #, or @ and a username in lower case", examples=["#devops"]),
        "tweets": count("The matching tweets that it is in; those of an account mention somebody, and it wrote or is in them"),
    },
)
EDGE = record(
    "NetworkEdge",
    "Two nodes that tweets connect; `source` is the one whose id comes first.",
    {
        "source": text("The id of a node", examples=["#devops"]),
        "target": text("The id of another node", examples=["#sre"]),
        "weight": count("The matching tweets that connect them"),
    },
)
NETWORK = record(
    "Network",
    "The heaviest edges, ties by source, then target; each pair once. Only their nodes, most tweets first, ties by id.",
    {"nodes": many(NODE), "edges": many(EDGE)},
)


class NetworkArguments(FilterArguments):
    """Parameters of GET /network."""

    by = choice(
        tuple(NETWORKS), "What tweets connect: their hashtags, or their authors and those mentioned", "tag", required=True
    )
    format = choice(tuple(FORMATS), "JSON, or GEXF for Gephi; it takes precedence over the header Accept", "json")
    limit = page_limit(MOST_EDGES)


class NetworkResource(SnapshotResource):
    """The network of hashtags that occur together, or of accounts that mention each other."""

    arguments = NetworkArguments
    accepts = tuple(media_type for media_types in FORMATS.values() for media_type in media_types)
    gives = tuple(media_types[0] for media_types in FORMATS.values())
    answers = answers(get=reads(NETWORK, "The network"))

    def format_name(self) -> str:
        """Return the format that `format` names, else the one that Accept prefers."""
        asked = request.args.get("format", "")
        preferred = request.accept_mimetypes.best_match(self.accepts, default=JSON)
        return asked if asked in FORMATS else next(name for name, types in FORMATS.items() if preferred in types)

    def read(self, session: Session, *, by: str, filters: Filters, limit: int = MOST_EDGES, **_format: str) -> Any:
        """Connect what occurs in the same tweets."""
        found = network(session, by, filters, limit=limit)
        if self.format_name() == "json":
            return SnapshotBody(encode(found))
        return SnapshotBody(gexf.gexf(found), gexf.MEDIA_TYPE)
