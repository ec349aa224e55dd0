"""People ask to be told from what they see: the form of a watch, its list, its page, and who may change them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy.orm import Session

from emulator import Emulator
from queries.watches import stored_watch
from tests.fixtures.archives import Json
from tests.fixtures.browser import accessibility, tab, untidy
from tests.fixtures.documents import BROWSER, Element, opened, read, sent
from tests.fixtures.documents import filled as filled_in
from tests.fixtures.environment import environment
from tests.fixtures.receiver import receiving
from tests.fixtures.service import Service, in_process
from tests.fixtures.views import Serve, planted
from watches.findings import Finding
from watches.outbox import claim, record, record_failure, record_sent

WATCHES = "/view/watches"
NOTIFY_URLS = "me=json://127.0.0.1:9/me;team=json://127.0.0.1:9/team"
HOUR = timedelta(hours=1)
ASKED = "Tell me about this"
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture(scope="module")
def watching(serve: Serve) -> Service:
    return serve(*planted(), NOTIFY_URLS=NOTIFY_URLS)


def watches(service: Service) -> dict[str, Json]:
    return {one["name"]: one for one in service.get("/watches").json()["watches"]}


def link(page: Element, words: str) -> str:
    [found] = [one["href"] for one in page.all("a", href=True) if one.words == words]
    return found


def form(page: Element) -> Element:
    return page.one("form", method="post", class_="filters watch")


def save(service: Service, path: str, **values: str) -> Json:
    """Fill in the form that a path opens, save it, and return the watch."""
    answer = sent(service, form(opened(service, path)), **values)
    assert answer.status_code == 303, read(answer.text).one("main").words
    name = values.get("name") or form(opened(service, path)).one("input", name="name")["value"]
    assert answer.headers["Location"] == f"{WATCHES}/{quote(name, safe='')}"
    return watches(service)[name]


def chips(page: Element) -> list[str]:
    return [one.words.removesuffix(" ×") for one in page.all("span", class_="chip")]


@pytest.mark.parametrize(
    ("path", "filters"),
    [
        ("/?q=odd&period=30d", "q=odd"),
        ("/view/tags/devops?lang=en", "tag=devops&lang=en"),
        ("/view/tweets?any_tag=sre&any_tag=devops&since=2026-11-20&sort=-likes", "any_tag=sre&any_tag=devops"),
        ("/view/compare?tag=sre&tag=devops&q=even", "any_tag=sre&any_tag=devops&q=even"),
        ("/view/authors/ada_3", "author=ada_3"),
        ("/view/spike?start=2026-11-22T08:00:00Z&tag=sre", "tag=sre"),
        ("/view/figures/engaged?has=link", "has=link"),
    ],
)
def test_what_a_page_shows_is_watched_with_its_filters_but_not_its_time(watching: Service, path: str, filters: str) -> None:
    asked = link(opened(watching, path), ASKED)
    assert parse_qs(urlsplit(asked).query)["filters"] == [filters]
    name = f"From {path[:40]}".replace("/", " ").replace("?", " ")
    watch = save(watching, asked, name=name, to="team")
    kind = "new" if path.startswith("/view/tweets") else "spike"
    assert (watch["kind"], watch["filters"], watch["to"]) == (kind, filters, ["team"])


def test_the_form_says_in_words_what_is_watched_and_suggests_a_name_and_the_zone_of_the_page(watching: Service) -> None:
    page = opened(watching, link(opened(watching, '/view/tags/devops?q=odd+-"a+b"&tz=Asia/Tokyo'), ASKED))
    assert chips(page) == ["tag devops", "contains: odd, not: “a b”"]
    given = dict(filled_in(form(page)))
    assert given["name"] == "Spikes of #devops odd without a b"
    assert given["zone"] == "Asia/Tokyo"
    digest = opened(watching, link(page, "Digest"))
    assert dict(filled_in(form(digest)))["name"] == "Digest of #devops odd without a b"
    assert chips(digest) == chips(page)
    [without, _] = [one["href"] for one in page.one("p", class_="chips").all("a")]
    assert chips(opened(watching, without)) == ["contains: odd, not: “a b”"]


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        ("spike", {"bucket": "day"}, {"bucket": "day"}),
        ("threshold", {"number": "100"}, {"bucket": "hour", "more_than": 100, "less_than": None}),
        ("threshold", {"than": "less", "number": "5", "bucket": "day"}, {"bucket": "day", "more_than": None, "less_than": 5}),
        ("new", {"max_tweets": "3", "most_a_day": "7"}, {"max_tweets": 3, "most_a_day": 7}),
        ("digest", {"weekday": "fri", "at": "09:30"}, {"every": "7d", "weekday": "fri", "at": "09:30"}),
        ("digest", {"every": "1d"}, {"every": "1d", "weekday": None, "at": "08:00"}),
        (
            "new",
            {"quiet_from": "22:00", "quiet_to": "07:00", "zone": "Europe/Berlin"},
            {"quiet": "22:00-07:00", "tz": "Europe/Berlin"},
        ),
    ],
)
def test_each_kind_has_its_own_fields(watching: Service, kind: str, values: dict[str, str], expected: Json) -> None:
    watch = save(watching, f"{WATCHES}?kind={kind}", name="one of a kind", to="me", **values)
    assert (watch["kind"], watch["filters"], watch["to"]) == (kind, "", ["me"])
    assert {key: watch[key] for key in expected} == expected
    assert watching.request("DELETE", "/watches/one%20of%20a%20kind").status_code == 204


@pytest.mark.parametrize(
    ("kind", "values", "wrong"),
    [
        ("spike", {}, "to"),
        ("threshold", {"to": "me"}, "number"),
        ("threshold", {"to": "me", "number": "many"}, "number"),
        ("new", {"to": "me", "max_tweets": "51"}, "max_tweets"),
        ("new", {"to": "me", "most_a_day": ""}, ""),
        ("new", {"to": "me", "most_a_day": "0"}, "most_a_day"),
        ("digest", {"to": "me", "at": "soon"}, "at"),
        ("digest", {"to": "me", "quiet_from": "07:00", "quiet_to": "09:00"}, "quiet_from"),
        ("spike", {"to": "me", "quiet_from": "22:00"}, "quiet_from"),
        ("spike", {"to": "me", "zone": "Mars"}, "zone"),
        ("spike", {"to": "me", "name": "a/b"}, "name"),
        ("spike", {"to": "me", "name": ""}, "name"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_which_keeps_what_was_typed(
    watching: Service, kind: str, values: dict[str, str], wrong: str
) -> None:
    before = watches(watching)
    answer = sent(watching, form(opened(watching, f"{WATCHES}?kind={kind}&filters=tag%3Dsre")), **{"name": "odd", **values})
    if not wrong:
        assert watches(watching)["odd"]["most_a_day"] == 20
        watching.request("DELETE", "/watches/odd")
        return
    assert answer.status_code == 400
    page = read(answer.text)
    marked = [one for one in page.all(aria_invalid="true") if one.attributes.get("name", "to") == wrong]
    assert marked
    assert page.one("span", id=f"{wrong}-fault").words.endswith(".")
    assert marked[0].attributes.get("aria-describedby") == f"{wrong}-fault"
    again = dict(filled_in(form(page)))
    assert {name: again[name] for name in values if name != "to"} == {name: one for name, one in values.items() if name != "to"}
    assert watches(watching) == before


def test_a_watch_is_listed_in_words_changed_paused_deleted_and_saved_again(watching: Service) -> None:
    name = "Fri & co"
    made = save(watching, f"{WATCHES}?kind=digest&filters=any_tag%3Dsre%26any_tag%3Ddevops", name=name, to="me", weekday="fri")
    [row] = [one for one in opened(watching, WATCHES).one("main").one("tbody").all("tr") if name in one.words]
    assert "Every Friday at 08:00, the week before: #sre or #devops" in row.words
    assert "No message sent yet" in row.words
    assert save(watching, link(row, f"Change {name}"), at="10:15") == {**made, "at": "10:15"}
    page = opened(watching, f"{WATCHES}/{quote(name)}")
    assert "At most 20 messages a day, by the time of UTC." in page.one("main").words
    pause = page.one("form", action=f"{WATCHES}/{quote(name)}/pause")
    assert sent(watching, pause).status_code == 303
    assert save(watching, link(opened(watching, WATCHES), f"Change {name}"), to="team")["paused"] is True
    page = opened(watching, f"{WATCHES}/{quote(name)}")
    assert "Paused" in page.one("main").words
    assert sent(watching, page.one("form", action=f"{WATCHES}/{quote(name)}/pause")).status_code == 303
    assert watches(watching)[name]["paused"] is False
    gone = sent(watching, page.one("form", action=f"{WATCHES}/{quote(name)}/delete"))
    assert name not in watches(watching)
    again = save(watching, gone.headers["Location"])
    assert again == {**made, "at": "10:15", "to": ["me", "team"]}


def test_each_screen_has_one_clock(watching: Service) -> None:
    name = "In Tokyo"
    save(watching, f"{WATCHES}?kind=digest&zone=Asia/Tokyo", name=name, to="me", weekday="mon")
    listed = {tz: opened(watching, f"{WATCHES}?tz={tz}").one("tbody").words for tz in ("UTC", "Asia/Tokyo")}
    assert "Every Monday at 08:00 (Asia/Tokyo), the week before" in listed["UTC"]
    assert "Every Monday at 08:00, the week before" in listed["Asia/Tokyo"]
    for path in (f"{WATCHES}/{quote(name)}?tz=UTC", f"{WATCHES}?watch={quote(name)}&tz=UTC"):
        page = opened(watching, path)
        assert "Times are in Asia/Tokyo." in page.one("footer").words
        starts = [one.one("span").words for one in page.one("ol", class_="messages").all("summary")]
        assert {one.rpartition(", ")[2] for one in starts} == {"08:00"}
    watching.request("DELETE", f"/watches/{quote(name)}")


def test_a_name_that_is_taken_changes_no_watch(watching: Service) -> None:
    made = save(watching, f"{WATCHES}?kind=new", name="taken", to="me")
    answer = sent(watching, form(opened(watching, f"{WATCHES}?kind=spike")), name="taken", to="team")
    assert answer.status_code == 400
    assert "There is a watch with this name" in read(answer.text).one("span", id="name-fault").words
    assert watches(watching)["taken"] == made


def test_a_watch_that_is_not_there_is_404(watching: Service) -> None:
    for path in (f"{WATCHES}/nobody", f"{WATCHES}?watch=nobody"):
        assert watching.get(path, headers={"Accept": "text/html"}).status_code == 404
    for action in ("pause", "delete", "test"):
        assert watching.request("POST", f"{WATCHES}/nobody/{action}").status_code == 404


@pytest.mark.parametrize("filters", ["since=2026-11-01", "colour=red", "tag=", "min_followers=-1"])
def test_filters_that_no_watch_has_are_refused(watching: Service, filters: str) -> None:
    page = opened(watching, f"{WATCHES}?filters={quote(filters)}&kind=new", status=400)
    assert link(page, "Show the page without it") == f"{WATCHES}?kind=new"
    assert watching.request("POST", WATCHES, data={"kind": "spike", "filters": filters, "name": "x"}).status_code == 400


def test_without_destinations_the_pages_say_how_to_set_one(serve: Serve) -> None:
    service = serve()
    for path in (WATCHES, f"{WATCHES}?kind=spike"):
        said = opened(service, path).one("main").words
        assert "No destination is set" in said
        assert "NOTIFY_URLS=me=json://localhost:9000 make run" in said


def test_names_and_filters_are_text(watching: Service) -> None:
    save(watching, f"{WATCHES}?kind=spike&filters={quote('q=' + quote('<b>x</b>'))}", name=HOSTILE.replace("/", ""), to="me")
    for path in (WATCHES, f"{WATCHES}/{quote(HOSTILE.replace('/', ''), safe='')}"):
        answer = watching.get(path, headers={"Accept": "text/html"})
        assert "<script>alert" not in answer.text
        assert "<b>x</b>" not in answer.text


def record_messages(service: Service, name: str, now: datetime) -> None:
    """Let a watch have found a spike at each of three hours."""

    def change(session: Session) -> None:
        watch = stored_watch(session, name)
        assert watch
        hours = [now - timedelta(hours=at) for at in (3, 2, 1)]
        record(session, watch, [Finding("spike", one, one + HOUR) for one in hours], held_back=0, now=now)

    service.collector.database.write(change)


@pytest.fixture
def on_each_database(tmp_path: Path, pretend_x: Emulator, database_backend: str) -> Iterator[Service]:
    """The service with an empty database."""
    with in_process(tmp_path, **environment(tmp_path, pretend_x), NOTIFY_URLS=NOTIFY_URLS) as running:
        yield running


@pytest.mark.dialects
def test_a_watch_says_what_was_sent_what_waits_and_what_can_t_be_reached(on_each_database: Service) -> None:
    watching = on_each_database
    name, now = "fares", datetime(2026, 11, 24, 10, tzinfo=UTC)
    save(watching, f"{WATCHES}?kind=spike", name=name, to="me")
    record_messages(watching, name, now)
    assert "3 messages wait No message sent yet" in opened(watching, f"{WATCHES}/{name}").one("main").words
    first = watching.collector.database.write(lambda session: claim(session, "me", now))
    assert first
    watching.collector.database.write(lambda session: record_sent(session, first, now))
    second = watching.collector.database.write(lambda session: claim(session, "me", now))
    assert second
    watching.collector.database.write(lambda session: record_failure(session, second, "it refuses connections", now))
    page = opened(watching, f"{WATCHES}/{name}").one("main")
    assert "me can't be reached" in page.words
    assert "2 messages wait" in page.words
    assert "Last message sent Tue 24 Nov 2026, 10:00" in page.words
    states = [[cell.words for cell in row.all("th", "td")] for row in page.one("table").one("tbody").all("tr")]
    assert states == [
        ["Tue 24 Nov 2026, 09:00", "me", "waiting"],
        ["Tue 24 Nov 2026, 08:00", "me", "waiting, 1 try: it refuses connections"],
        ["Tue 24 Nov 2026, 07:00", "me", "sent Tue 24 Nov 2026, 10:00"],
    ]


@pytest.mark.dialects
def test_what_a_pause_left_unsent_is_no_failure_of_its_destination(on_each_database: Service) -> None:
    watching, name = on_each_database, "paused"
    save(watching, f"{WATCHES}?kind=spike", name=name, to="me")
    record_messages(watching, name, datetime(2026, 11, 24, 10, tzinfo=UTC))
    sent(watching, opened(watching, WATCHES).one("form", action=f"{WATCHES}/{name}/pause"))
    page = opened(watching, f"{WATCHES}/{name}").one("main")
    assert "Paused The newest message was not sent: the watch was paused No message sent yet" in page.words
    assert "can't be reached" not in page.words
    states = [row.all("td")[-1].words for row in page.one("table").one("tbody").all("tr")]
    assert states == ["not sent: the watch was paused"] * 3


def test_a_test_says_who_got_it_and_who_did_not_and_why(serve: Serve) -> None:
    with receiving() as receiver:
        receiver.answers["team"] = 500
        service = serve(NOTIFY_URLS=f"me={receiver.url('me')};team={receiver.url('team')}")
        put = {"kind": "new", "filters": "", "to": ["me", "team"]}
        assert service.request("PUT", "/watches/tried", json=put).status_code == 201
        answer = sent(service, opened(service, WATCHES).one("form", action=f"{WATCHES}/tried/test"))
        said = read(answer.text).one("main").words
        assert (answer.status_code, "A test was sent to me." in said) == (200, True)
        assert "team did not get the test: it answered 500" in said
        assert str(receiver.port) not in said
        assert {one.path for one in receiver.seen} == {"/me", "/team"}


def test_the_preview_before_saving_and_on_the_watch_s_page_is_the_api_s(serve: Serve) -> None:
    filled = serve(NOTIFY_URLS=NOTIFY_URLS)
    assert filled.request("POST", "/database").status_code == 200
    page = opened(filled, f"{WATCHES}?kind=new&filters=tag%3Dsre&max_tweets=7&name=seven")
    put = {"kind": "new", "filters": "tag=sre", "max_tweets": 7, "to": ["me"]}
    assert filled.request("PUT", "/watches/seven", json=put).status_code == 201
    messages = filled.get("/watches/seven/preview").json()["messages"]
    assert messages
    for shown in (page, opened(filled, f"{WATCHES}/seven")):
        told = shown.one("ol", class_="messages").all("li")
        assert [one.one("bdi").words for one in told] == [one["title"] for one in reversed(messages)]
        assert [one.one("p").text for one in told] == [one["text"] for one in reversed(messages)]
        assert f"would have sent {len(messages)} message" in shown.one("main").words


def test_a_long_preview_says_that_it_shows_the_newest_only(serve: Serve) -> None:
    service = serve(NOTIFY_URLS=NOTIFY_URLS)
    assert service.request("POST", "/database").status_code == 200
    page = opened(service, f"{WATCHES}?kind=new&max_tweets=1&most_a_day=1000")
    assert "at least 20 messages, by what is stored now. These are the newest." in page.one("main").words
    assert len(page.one("ol", class_="messages").all("li")) == 20
    assert "Spikes can be told" not in page.one("main").words
    for bucket, enough in (("hour", "a day of hours is"), ("day", "24 days are")):
        said = opened(service, f"{WATCHES}?kind=spike&bucket={bucket}").one("main").words
        assert re.search(rf"Spikes can be told from \S+ \d+ \S+ \d+, \d\d:00 on, when {enough} collected\.", said)


def test_preview_shows_what_is_typed_and_saves_nothing(watching: Service) -> None:
    before = watches(watching)
    form_ = form(opened(watching, f"{WATCHES}?kind=threshold"))
    [button] = [one for one in form_.all("button") if one.attributes.get("formmethod") == "get"]
    assert "formnovalidate" in button.attributes
    assert "Fill in the form" in opened(watching, f"{WATCHES}?kind=threshold").one("main").words
    typed = filled_in(form_, number="30", name="typed")
    page = read(watching.get(WATCHES, params=typed, headers=BROWSER).text)
    assert "In the last 14 days it would have sent" in page.one("main").words
    assert dict(filled_in(form(page)))["number"] == "30"
    answer = watching.get(WATCHES, params=filled_in(form_, number="abc", zone="Nowhere", quiet_to="07:00"), headers=BROWSER)
    page = read(answer.text)
    assert (answer.status_code, page.one("p", role="alert").words) == (400, "Correct the marked fields.")
    assert [one["id"] for one in page.all("span", class_="fault")] == ["number-fault", "quiet_from-fault", "zone-fault"]
    assert watches(watching) == before


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False])
def test_somebody_asks_to_be_told_of_what_they_see_and_tries_it(serve: Serve, chromium: Browser, *, scripts: bool) -> None:
    with receiving() as receiver, tab(chromium, java_script_enabled=scripts, timezone_id="Asia/Tokyo") as page:
        service = serve(*planted(), NOTIFY_URLS=f"me={receiver.url('me')};team={receiver.url('team')}")
        page.goto(f"{service.url}/view/tags/sre?q=odd&tz=Asia/Tokyo")
        page.get_by_role("link", name=ASKED).click()
        page.get_by_role("link", name="Threshold").click()
        page.get_by_label("Tweets", exact=True).fill("30")
        page.get_by_role("checkbox", name="team").check()
        page.get_by_role("button", name="Preview").click()
        expect(page.locator("#preview + p")).to_contain_text("In the last 14 days it would have sent")
        expect(page.get_by_role("checkbox", name="team")).to_be_checked()
        page.get_by_role("button", name="Save watch").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Number of #sre odd")
        page.get_by_role("button", name="Test").click()
        expect(page.get_by_role("status")).to_have_text("A test was sent to team.")
        [got] = receiver.seen
        assert (got.path, got.body["title"].startswith("Test: ")) == ("/team", True)
        assert service.get("/watches").json()["watches"][0]["tz"] == "Asia/Tokyo"
        if scripts:
            assert accessibility(page) == []
            assert untidy(page) == []
