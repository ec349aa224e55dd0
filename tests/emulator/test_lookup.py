"""Posts by their ids, and how their engagement grows."""

from __future__ import annotations

from itertools import pairwise

from emulator import Emulator
from tests.emulator.client import LOOKUP, NOON, OAUTH1, USAGE, USUAL, Client, Json, Reply


def looked_up(client: Client, *post_ids: object, **params: str) -> Reply:
    return client.get(LOOKUP, ids=",".join(map(str, post_ids)), **{**USUAL, **params})


def error_types(reply: Reply) -> dict[str, str]:
    found: list[Json] = reply.body.get("errors", [])
    return {one["resource_id"]: one["type"].rsplit("/", 1)[-1] for one in found if one["resource_type"] == "tweet"}


def test_a_lookup_shows_what_search_showed_each_post_once_in_the_requested_order(client: Client) -> None:
    for query in ("#devops", "#zebrafish"):
        page = client.search(query, max_results=90, **USUAL)
        again = looked_up(client, *page.ids, page.ids[0])
        assert again.body["data"] == page.body["data"]
        assert again.body["includes"] == page.body["includes"]
        assert looked_up(client, *reversed(page.ids)).ids == page.ids[::-1]


def test_what_is_gone_is_an_error_beside_the_rest(emulator: Emulator, client: Client) -> None:
    deleted, protected, kept = client.search("#devops").ids[:3]
    emulator.remove(deleted)
    emulator.remove(protected, reason="protected")
    future = kept + (1 << 40)
    page = looked_up(client, 12, deleted, protected, kept, future)
    gone = dict.fromkeys((str(one) for one in (12, deleted, future)), "resource-not-found")
    assert page.ids == [kept]
    assert error_types(page) == {**gone, str(protected): "not-authorized-for-resource"}
    alone = looked_up(client, deleted)
    assert (alone.status, list(alone.body)) == (200, ["errors"])
    emulator.reinstate()
    assert looked_up(client, deleted).ids == [deleted]


def test_a_version_that_search_no_longer_shows_has_an_id_of_its_own(client: Client) -> None:
    edited = next(one for one in client.every("#devops OR #ai") if len(one["edit_history_tweet_ids"]) > 1)
    first = looked_up(client, edited["edit_history_tweet_ids"][0]).body["data"][0]
    assert first["edit_history_tweet_ids"] == edited["edit_history_tweet_ids"][:1]


def test_a_post_is_billed_once_a_utc_day_however_it_is_read(emulator: Emulator, client: Client) -> None:
    ids = client.search("#devops", **USUAL).ids
    before = emulator.ledger.total()
    looked_up(client, *ids)
    looked_up(client, 12)
    assert emulator.ledger.total()._replace(requests=0) == before._replace(
        posts_served=200, users_served=2 * before.users_served, requests=0
    )
    emulator.clock.advance(86_400)
    looked_up(client, *ids[:10])
    assert emulator.ledger.total().posts_billed == 110


def test_the_limits_are_3500_for_an_app_and_5000_for_a_user(client: Client) -> None:
    limits = [
        client.get(LOOKUP, ids=1, headers=headers).headers["x-rate-limit-limit"]
        for headers in ({"Authorization": "Bearer x"}, OAUTH1)
    ]
    assert limits == ["3500", "5000"]


def test_engagement_grows_with_age_on_a_curve_of_each_post_and_never_falls() -> None:
    hours = (0, 1, 5, 24, 72)
    told: list[list[list[dict[str, int]]]] = []
    for _ in range(2):
        with Emulator(seed=1, now=NOON) as emulator:
            client = Client(emulator.port)
            ids = client.search("#devops").ids
            pages = []
            for earlier, later in pairwise((0, *hours)):
                emulator.clock.advance((later - earlier) * 3600)
                pages.append([one["public_metrics"] for one in looked_up(client, *ids).body["data"]])
            told.append(pages)
    assert told[0] == told[1]
    for page, following in pairwise(told[0]):
        assert all(before[name] <= after[name] for before, after in zip(page, following, strict=True) for name in before)
        assert sum(one["like_count"] for one in page) < sum(one["like_count"] for one in following)
    early, last = ([one["impression_count"] for one in page] for page in (told[0][1], told[0][-1]))
    assert len({round(first / most, 1) for first, most in zip(early, last, strict=True) if most > 50}) > 3


def test_posts_that_seem_to_be_gone_or_withheld_are_not_sold(emulator: Emulator, client: Client) -> None:
    ids = client.search("#devops").ids[:10]
    emulator.ledger.reset()
    emulator.plan("posts_gone", endpoint="tweets")
    emulator.plan("posts_withheld", endpoint="tweets")
    gone, withheld = looked_up(client, *ids), looked_up(client, *ids)
    assert (gone.ids, error_types(gone)) == (ids[5:], dict.fromkeys(map(str, ids[:5]), "resource-not-found"))
    assert (withheld.ids, error_types(withheld)) == (ids[1:], {str(ids[0]): "not-authorized-for-resource"})
    assert emulator.ledger.total().posts_billed == 9


def test_xs_usage_may_count_posts_again_that_it_sold_on_the_same_day(emulator: Emulator, client: Client) -> None:
    ids = client.search("#devops").ids[:10]
    emulator.plan("counted_again", endpoint="tweets")
    before = int(client.get(USAGE).body["data"]["project_usage"])
    looked_up(client, *ids)
    assert int(client.get(USAGE).body["data"]["project_usage"]) == before + 10
