"""GET /2/tweets/search/recent and /all: a page of posts, newest first. It costs what its posts and authors cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from emulator.endpoints.listing import ListingRequest, SearchScope, TokenPosition, listing, next_token, page_size
from emulator.endpoints.parameters import SEARCH_PARAMETERS, Params, choice, integer, names, refuse_unknown
from emulator.endpoints.render import Renderer, SoldPage
from emulator.http.messages import EmulatorAnswer, Json, as_json, invalid, not_shown
from emulator.state import EmulatorState, RoutedCall
from emulator.world.tweets import InventedTweet, Post, Traits
from emulator.world.word_lists import Place
from emulator.world.world import World


class _Included(NamedTuple):
    tweets: list[Post]
    users: list[tuple[int, str]]
    places: list[Place]


def answer_search(state: EmulatorState, request: RoutedCall, *, scope: SearchScope) -> EmulatorAnswer:
    """Sell a page of posts."""
    params = request.call.params
    page = _page(state.world, params, request.now_ms, scope)
    change = request.fault.effect.page if request.fault else None
    if change and page.data:
        page = change(page)
    state.ledger.sell(request.now_ms, posts=page.posts, users=page.users, query=params["query"])
    return as_json(page.body)


def _page(world: World, params: Params, now_ms: int, scope: SearchScope) -> SoldPage:
    """Return the requested page. Raises Problem."""
    refuse_unknown(params, SEARCH_PARAMETERS)
    if "post.fields" in params and "tweet.fields" in params:
        raise invalid("tweet.fields and post.fields can not be used together", **{"post.fields": params["post.fields"]})
    requested, order = (
        integer(params, "max_results", 10, 10, scope.most),
        choice(params, "sort_order", ("recency", "relevancy")),
    )
    wanted = listing("search", params, now_ms, scope)
    size = page_size(wanted.position, requested)
    found = list(islice(world.posts(wanted.query, wanted.span), size + 1))
    if not found:
        return SoldPage({"result_count": 0}, None, {})
    meta = _meta(wanted, found[:size], more=len(found) > size)
    return _fill_page(world, params, now_ms, _sort_page(world, found[:size], order), meta)


def _meta(wanted: ListingRequest, posts: Sequence[Post], *, more: bool) -> Json:
    meta: Json = {"newest_id": str(posts[0].id), "oldest_id": str(posts[-1].id), "result_count": len(posts)}
    if more:
        meta["next_token"] = next_token(wanted.name, TokenPosition(posts[-1].id, wanted.span.as_of_ms))
    return meta


def _sort_page(world: World, posts: Sequence[Post], order: str) -> list[InventedTweet]:
    """Return the page's tweets; by relevancy, the most liked of the same page come first."""
    tweets = [world.tweet(post) for post in posts]
    return sorted(tweets, key=lambda tweet: -tweet.likes) if order == "relevancy" else tweets


def _fill_page(world: World, params: Params, now_ms: int, tweets: Sequence[InventedTweet], meta: Json) -> SoldPage:
    expansions = names(params, "expansions")
    post_vocabulary = "post.fields" in params
    renderer = Renderer(
        world,
        now_ms,
        names(params, "post.fields" if post_vocabulary else "tweet.fields"),
        names(params, "user.fields"),
        names(params, "place.fields"),
        post_vocabulary,
    )
    included = _includes(world, tweets, expansions)
    includes, errors = _expand(renderer, included)
    authors = [world.authors.author(who) for who, _ in included.users]
    return SoldPage(
        meta,
        [renderer.tweet(tweet) for tweet in tweets],
        includes,
        errors,
        (*(tweet.post.id for tweet in tweets), *(post.id for post in included.tweets)),
        tuple(person.id for person in authors if person.absence is None),
    )


def _includes(world: World, tweets: Sequence[InventedTweet], expansions: frozenset[str]) -> _Included:
    """Return what the expansions bring, each once, in the order of the tweets."""
    authors: dict[int, str] = {}
    referenced: dict[int, Post] = {}
    places: dict[str, Place] = {}
    for tweet in tweets:
        traits = tweet.traits
        if "referenced_tweets.id" in expansions or "referenced_tweets.id.author_id" in expansions:
            others = [world.referenced_post(other) for other in (traits.replied_to, traits.quoted) if other]
            referenced |= {other.id: other for other in others if other}
        if "edit_history_tweet_ids" in expansions:
            referenced |= _versions(tweet.post)
        if traits.place and "geo.place_id" in expansions:
            places[traits.place.id] = traits.place
        for who, parameter in _authors(traits, expansions):
            authors.setdefault(who, parameter)
    if "referenced_tweets.id.author_id" in expansions:
        for post in referenced.values():
            authors.setdefault(world.traits(post.root).author, "referenced_tweets.id.author_id")
    return _Included(list(referenced.values()), list(authors.items()), list(places.values()))


def _versions(post: Post) -> dict[int, Post]:
    earlier = post.history[:-1]
    return {version: post._replace(id=version, history=post.history[: nth + 1]) for nth, version in enumerate(earlier)}


def _authors(traits: Traits, expansions: frozenset[str]) -> Iterable[tuple[int, str]]:
    if "author_id" in expansions:
        yield traits.author, "author_id"
    for parameter in ("in_reply_to_user_id", "entities.mentions.username"):
        if traits.replied_author is not None and parameter in expansions:
            yield traits.replied_author, parameter


def _expand(renderer: Renderer, included: _Included) -> tuple[dict[str, list[Json]], tuple[Json, ...]]:
    users: list[Json] = []
    errors: list[Json] = []
    for who, parameter in included.users:
        author = renderer.world.authors.author(who)
        if author.absence is None:
            users.append(renderer.user(author))
        else:
            errors.append(not_shown("user", str(author.id), parameter, suspended=author.absence == "suspended"))
    tweets = [renderer.tweet(renderer.world.tweet(post)) for post in included.tweets]
    places = [renderer.place(place) for place in included.places]
    found = {"users": users, "posts" if renderer.post_vocabulary else "tweets": tweets, "places": places}
    return {name: part for name, part in found.items() if part}, tuple(errors)
