"""The REST API: one module per noun, and what they share."""

from __future__ import annotations

from flask import Flask

from collector.jobs.scheduled import JobRunner
from collector.runs.collector import Collector
from resources.api import ProblemApi, handle_errors
from resources.authors import AuthorResource, AuthorsResource
from resources.backfills import BackfillsResource
from resources.collections import CollectionResource, CollectionsResource
from resources.database import DatabaseResource
from resources.facets import FacetsResource
from resources.feeds import FeedResource, FeedsResource, SpikeFeedResource, TweetFeedResource
from resources.health import LivezResource, ReadyzResource
from resources.links import LinksResource
from resources.metrics import MetricsResource
from resources.network import NetworkResource
from resources.notifications import NotificationsResource, WatchTestResource
from resources.openapi import OpenApiResource
from resources.previews import PreviewResource
from resources.schedule import ScheduleResource
from resources.snapshots import Snapshots
from resources.spend import SpendResource
from resources.spikes import SpikesResource
from resources.tags import RelatedResource, TagResource, TagsResource, TweetsPerTagResource
from resources.terms import TermsResource
from resources.timeline import HoursResource, TimelineResource
from resources.tweets import TweetResource, TweetsResource
from resources.views import ViewResource, ViewsResource
from resources.volume import VolumeResource
from resources.watches import WatchesResource, WatchResource
from schemas.openapi import LARGEST_ID
from settings import Settings
from telemetry.metrics import HttpMetrics
from watches.destinations import Destinations
from watches.jobs import render_for
from watches.trying import WatchTrials

__all__ = ["Snapshots", "register"]

SNAPSHOTS = {
    TweetsResource: "/tweets",
    TweetResource: "/tweets/<tweet_id>",
    AuthorsResource: "/authors",
    FacetsResource: "/facets",
    TimelineResource: "/timeline",
    SpikesResource: "/spikes",
    RelatedResource: "/tags/<tag>/related",
    TermsResource: "/terms",
    LinksResource: "/links",
    NetworkResource: "/network",
    HoursResource: "/tweets_per_hour",
    TweetsPerTagResource: "/tweets_per_tag",
}
OF_COLLECTOR = {
    AuthorResource: "/authors/<username>",
    TagsResource: "/tags",
    TagResource: "/tags/<tag>",
    SpendResource: "/spend",
    VolumeResource: "/volume",
    CollectionsResource: "/collections",
    CollectionResource: f"/collections/<int(max={LARGEST_ID}):collection_id>",
    BackfillsResource: "/backfills",
    ScheduleResource: "/schedule",
    ViewsResource: "/views",
    ViewResource: "/views/<path:view>",
    WatchesResource: "/watches",
    NotificationsResource: "/notifications",
    FeedsResource: "/feeds",
    FeedResource: f"/feeds/<int(max={LARGEST_ID}):feed_id>",
    DatabaseResource: "/database",
}


OF_DESTINATIONS = {
    WatchResource: "/watches/<watch>",
}
ATOM = {
    TweetFeedResource: "/tweets.atom",
    SpikeFeedResource: "/spikes.atom",
}


def register(
    app: Flask,
    collector: Collector,
    jobs: JobRunner,
    metrics: HttpMetrics,
    snapshots: Snapshots,
    destinations: Destinations,
    trials: WatchTrials,
    settings: Settings,
) -> None:
    """Add all routes of the API to the app."""
    handle_errors(app)
    api = ProblemApi(app)
    for routes, argument in ((SNAPSHOTS, snapshots), (OF_COLLECTOR, collector)):
        for resource, path in routes.items():
            api.add_resource(resource, path, resource_class_args=(argument,))
    for own, path in OF_DESTINATIONS.items():
        api.add_resource(own, path, resource_class_args=(collector, destinations))
    shown = snapshots, render_for(collector, site=settings.site)
    api.add_resource(PreviewResource, "/watches/<watch>/preview", resource_class_args=shown)
    api.add_resource(WatchTestResource, "/watches/<watch>/test", resource_class_args=(collector, trials))
    for feed, path in ATOM.items():
        api.add_resource(feed, path, resource_class_args=(snapshots, settings.public_url))
    api.add_resource(LivezResource, "/livez")
    api.add_resource(ReadyzResource, "/readyz", resource_class_args=(collector, destinations, settings.setup_state))
    api.add_resource(OpenApiResource, "/openapi.json")
    api.add_resource(MetricsResource, "/metrics", resource_class_args=(collector, jobs, metrics, destinations))
    for rule in app.url_map.iter_rules():
        if rule.rule == "/database" and rule.methods:
            rule.methods.discard("HEAD")  # it would fall through to GET, which collects and pays
