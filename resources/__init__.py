"""HTTP: one file a noun, and what they share."""

from __future__ import annotations

from flask import Flask

from collector.jobs.scheduled import JobRunner
from collector.runs.collector import Collector
from resources.api import ProblemApi
from resources.authors import AuthorResource, AuthorsResource
from resources.collections import CollectionResource, CollectionsResource
from resources.database import DatabaseResource
from resources.errors import handle_errors
from resources.facets import FacetsResource
from resources.health import LivezResource, ReadyzResource
from resources.hours import HoursResource
from resources.metrics import MetricsResource
from resources.openapi import OpenApiResource
from resources.snapshots import Snapshots
from resources.spend import SpendResource
from resources.tags import RelatedResource, TagResource, TagsResource, TweetsPerTagResource
from resources.timeline import TimelineResource
from resources.tweets import TweetResource, TweetsResource
from resources.volume import VolumeResource
from telemetry.metrics import HttpMetrics

LARGEST_ID = 2**31 - 1
__all__ = ["Snapshots", "register"]

SNAPSHOTS = {
    TweetsResource: "/tweets",
    TweetResource: "/tweets/<tweet_id>",
    AuthorsResource: "/authors",
    FacetsResource: "/facets",
    TimelineResource: "/timeline",
    RelatedResource: "/tags/<tag>/related",
    HoursResource: "/tweets_per_hour",
    TweetsPerTagResource: "/tweets_per_tag",
}


def register(app: Flask, collector: Collector, jobs: JobRunner, metrics: HttpMetrics, snapshots: Snapshots) -> None:
    """Give the app all routes of the API."""
    handle_errors(app)
    api = ProblemApi(app)
    for resource, path in SNAPSHOTS.items():
        api.add_resource(resource, path, resource_class_args=(snapshots,))
    api.add_resource(AuthorResource, "/authors/<username>", resource_class_args=(collector,))
    api.add_resource(TagsResource, "/tags", resource_class_args=(collector,))
    api.add_resource(TagResource, "/tags/<tag>", resource_class_args=(collector,))
    api.add_resource(SpendResource, "/spend", resource_class_args=(collector,))
    api.add_resource(VolumeResource, "/volume", resource_class_args=(collector,))
    api.add_resource(CollectionsResource, "/collections", resource_class_args=(collector,))
    api.add_resource(DatabaseResource, "/database", resource_class_args=(collector,))
    api.add_resource(
        CollectionResource, f"/collections/<int(max={LARGEST_ID}):collection_id>", resource_class_args=(collector,)
    )
    _refuse_head(app, "/database")
    api.add_resource(LivezResource, "/livez")
    api.add_resource(OpenApiResource, "/openapi.json")
    api.add_resource(MetricsResource, "/metrics", resource_class_args=(collector, jobs, metrics))
    api.add_resource(ReadyzResource, "/readyz", resource_class_args=(collector,))


def _refuse_head(app: Flask, path: str) -> None:
    """Take HEAD off a route: it would fall through to GET, which here collects and pays."""
    for rule in app.url_map.iter_rules():
        if rule.rule == path and rule.methods:
            rule.methods.discard("HEAD")
