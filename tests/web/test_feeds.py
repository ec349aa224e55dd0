"""“Feed” on pages: the feed itself without tokens, else an address with a key, which is shown once and can be revoked."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.fixtures.documents import BROWSER, Element, filled, opened, read, sent
from tests.fixtures.service import Service
from tests.fixtures.views import Serve, planted

TOKEN, READ_TOKEN = "write-7c1f0ad24b9e58d3", "read-91b0c3e47fa2d685"
FEEDS = "/view/feeds"
TWEETS = "/view/tweets?tag=sre&lang=en&period=30d&sort=-likes"


@pytest.fixture(scope="module")
def guarded(serve: Serve) -> Service:
    """The service with tokens."""
    return serve(*planted(), API_TOKEN=TOKEN, API_READ_TOKEN=READ_TOKEN)


def session(guarded: Service, token: str) -> dict[str, str]:
    """Sign in, and return the header that keeps the session."""
    form = opened(guarded, f"/sign-in?next={FEEDS}").one("form")
    answer = guarded.request("POST", f"/{form['action']}", data=filled(form, token=token), allow_redirects=False)
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def feed_link(page: Element) -> str:
    [found] = [one["href"] for one in page.one("main").all("a", href=True) if one.words.startswith("Feed of")]
    return found


@pytest.mark.parametrize(
    ("path", "feed"),
    [
        (TWEETS, "/tweets.atom?tag=sre&lang=en"),
        ("/view/tags/sre?q=odd&tz=Asia/Tokyo", "/spikes.atom?tag=sre&q=odd&tz=Asia%2FTokyo"),
        ("/view/compare?tag=sre&tag=devops", "/spikes.atom?any_tag=sre&any_tag=devops"),
        ("/view/spike?start=2026-11-22T08:00:00Z", "/spikes.atom"),
    ],
)
def test_without_tokens_it_is_the_feed_of_what_the_page_shows_whenever_that_was_posted(
    planted_service: Service, path: str, feed: str
) -> None:
    page = opened(planted_service, path)
    assert feed_link(page) == feed
    [alternate] = page.all("link", rel="alternate")
    assert (alternate["type"], alternate["href"]) == ("application/atom+xml", feed)
    assert planted_service.get(feed).headers["Content-Type"].startswith("application/atom+xml")


def test_with_tokens_an_address_with_a_key_is_shown_once_and_opens_until_it_is_revoked(guarded: Service) -> None:
    own = session(guarded, TOKEN)
    page = opened(guarded, TWEETS, own)
    assert page.all("link", rel="alternate") == []
    asked = opened(guarded, feed_link(page), own)
    assert "tweets, language en, tag sre" in asked.one("main").words
    made = sent(guarded, asked.one("form", action=FEEDS), own)
    assert (made.status_code, made.headers["Cache-Control"]) == (303, "no-store")
    key = made.headers["Set-Cookie"]
    assert "; HttpOnly; Path=/view/feeds; SameSite=Strict" in key
    with_key = {"Cookie": f"{own['Cookie']}; {key.partition(';')[0]}"}
    shown = guarded.get(made.headers["Location"], headers={**BROWSER, **with_key})
    assert (shown.status_code, shown.headers["Cache-Control"]) == (200, "no-store")
    assert "Max-Age=0" in shown.headers["Set-Cookie"]
    assert "data-zone" not in read(shown.text).one("html").attributes, "a script would load the page again for another zone"
    address = read(shown.text).one("a", class_="address")["href"]
    again = opened(guarded, made.headers["Location"], own).one("main")
    assert "key=" not in again.text
    assert [row.words.endswith("Revoke feed 1") for row in again.one("tbody").all("tr")] == [True]
    assert "The address of a feed is shown only once" in again.words
    parts = urlsplit(address)
    assert parts.netloc == "localhost"
    feed = guarded.get(f"{parts.path}?{parts.query}")
    assert (feed.status_code, feed.headers["Content-Type"].partition(";")[0]) == (200, "application/atom+xml")
    listed = opened(guarded, FEEDS, own)
    assert "key=" not in listed.one("main").text
    assert "tweets, language en, tag sre" in listed.one("main").words
    assert sent(guarded, listed.one("form", action=f"{FEEDS}/revoke"), own).status_code == 303
    assert guarded.get(f"{parts.path}?{parts.query}").status_code == 401
    assert "No feeds with a key" in opened(guarded, FEEDS, own).one("main").words


def test_feeds_of_one_path_are_told_apart_the_newest_first(guarded: Service) -> None:
    own = session(guarded, TOKEN)
    for _ in range(2):
        made = sent(guarded, opened(guarded, f"{FEEDS}?path=/tweets.atom", own).one("form", action=FEEDS), own)
    [newest, oldest] = opened(guarded, made.headers["Location"], own).one("tbody").all("tr")
    ids = [int(row.all("td")[0].words) for row in (newest, oldest)]
    assert ids == sorted(ids, reverse=True)
    assert made.headers["Location"] == f"{FEEDS}?made={ids[0]}"
    assert [one.one("th").words for one in (newest, oldest)] == ["tweets new", "tweets"]
    for row in (newest, oldest):
        sent(guarded, row.one("form"), own)


def test_who_may_only_read_makes_no_feed(guarded: Service) -> None:
    own = session(guarded, READ_TOKEN)
    asked = opened(guarded, feed_link(opened(guarded, TWEETS, own)), own)
    assert "signed in for reading only" in asked.one("main").words
    assert asked.one("main").all("form") == []
    assert guarded.request("POST", FEEDS, data={"path": "/tweets.atom"}, headers=own).status_code == 403


@pytest.mark.parametrize("path", ["", "/tweets", "/tweets.atom?colour=red", "//elsewhere.example/tweets.atom"])
def test_a_path_that_is_no_feed_s_is_refused(planted_service: Service, path: str) -> None:
    assert planted_service.get(FEEDS, params={"path": path or " "}).status_code == 400
    assert planted_service.request("POST", FEEDS, data={"path": path}).status_code == 400
