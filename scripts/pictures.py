"""Take the pictures of evidences/: needs the Debian packages chromium and prometheus.

For what tweets are written in, it also needs fonts-wqy-zenhei, fonts-unfonts-core, fonts-lohit-deva and fonts-noto-color-emoji:
without these, pictures have empty boxes in place of letters.

    python scripts/pictures.py [FOLDER]

Starts `python app.py` with an empty database, collects daily from the emulator of X, whose clock it moves, reads the tweets of
one day again on later ones, imports a burst of tweets, and opens each page in Chromium, where it waits for figures that come
once they are seen. FOLDER is evidences/ unless another is named.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin

import requests
from playwright.sync_api import Browser, sync_playwright
from requests.adapters import HTTPAdapter
from urllib3 import Retry

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from alchemy import open_database  # noqa: E402 (needs the path above)
from emulator import Emulator  # noqa: E402
from watches.definitions import WatchDefinition  # noqa: E402
from watches.findings import Finding  # noqa: E402
from watches.messages import render  # noqa: E402

QUERY = quote("sum by (url_rule) (rate(flask_http_request_duration_seconds_count[15s])) > 0")
GRAPH = f"/graph?g0.tab=0&g0.stacked=0&g0.range_input=1m&g0.expr={QUERY}"
LOAD = ("/tweets?limit=50", "/tweets?limit=50", "/timeline?bucket=day", "/facets?by=lang", "/tags", "/tags", "/tags")
SCRAPES = 60
DAYS = 15
READ_DAY, READ_AGAIN = 9, (7, 6, 4, 2)
SLOW_TAGS, SLOW_S = ("#opentracing", "#remediation", "#sre"), 20
BURST, BURST_S = 90, 2700
TEXTS = (
    "Traces from the gateway stopped a minute ago, anyone else?",
    "Same here: no traces, and the dashboards show gaps.",
    "Status page is green, our traces say otherwise.",
    "Traces are back. That was a long half hour.",
)
DESTINATIONS = "management=json://127.0.0.1:9;team=json://127.0.0.1:9"
WATCHES: dict[str, dict[str, Any]] = {
    "Mondays": {"kind": "digest", "filters": "", "to": ["management"], "every": "7d", "tz": "Europe/Berlin"},
    "Outages": {"kind": "spike", "filters": "tag=sre&q=outage", "to": ["team"], "quiet": "22:00-07:00"},
    "Silence": {"kind": "threshold", "filters": "tag=devops", "to": ["team"], "bucket": "day", "less_than": 10},
}
THIS_HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
EPOCH_MS = 1_288_834_974_657  # of X's ids
TIMEOUT_S = 120
JOBS_OFF = dict.fromkeys(("COUNT_EVERY", "RECONCILE_EVERY", "COMPLY_EVERY", "BACKUP_EVERY"), "off")

CLIENT = requests.Session()
CLIENT.mount("http://", HTTPAdapter(max_retries=Retry(60, backoff_factor=0.1, backoff_max=1, status_forcelist=[503])))

Settings = dict[str, str]


class Picture(NamedTuple):
    """A picture of the top of a page, at most `height` CSS pixels high, taken when the element `awaited` is there.

    The path may have the names of `found_places` in braces.
    """

    name: str
    path: str
    awaited: str
    height: int
    width: int = 1280
    dark: bool = False


def by_day_and_night(name: str, path: str, awaited: str, height: int) -> tuple[Picture, Picture]:
    """Return the pictures of a page on a wide window, and on a telephone in dark mode."""
    night = Picture(f"{name}-390-dark", path, awaited, PHONE_HEIGHT, width=390, dark=True)
    return Picture(name, path, awaited, height, width=1440), night


PHONE_HEIGHT = 1600
CHART = ".uplot canvas"
LOAD_ALL = """() => {
  const place = document.querySelector("[data-later]");
  (place ?? document.documentElement).scrollIntoView();
  return !place;
}"""
COLLECTING = Picture("collections", "/view/collections", ".state-running", 1400)
SIGN_IN = Picture("sign-in", "/", "form button", 700)
PROMETHEUS = Picture("prometheus", GRAPH, ".legend .line, canvas", 900)
OPEN = (
    Picture("overview", "/", CHART, 1500),
    Picture("overview-dark", "/", CHART, 1500, dark=True),
    Picture("overview-360", "/", CHART, 1600, width=360),
    Picture("tag", "/view/tags/devops", CHART, 1450),
    Picture("tweets", "/view/tweets?tag=devops&lang=en&min_followers=1000", "main h1", 1100),
    Picture("health", "/view/health", "main h1", 1200),
    Picture("docs", "/docs", ".opblock", 1300),
    *by_day_and_night("spike", "/view/spike?start={spike}", "#top", 1500),
    *by_day_and_night("compare", "/view/compare?tag=devops&tag=sre&tag=observability", CHART, 1500),
    *by_day_and_night("tweet", "/view/tweets/{tweet}", "#numbers", 1300),
    *by_day_and_night("refresh", "/view/refresh?since={since}&until={until}", "main dl", 900),
    *by_day_and_night("watch", "/view/watches?kind=spike&filters=q%3Dtraces", ".messages", 1300),
    Picture("watches", "/view/watches", "main table", 700),
    *by_day_and_night("engaged", "/view/figures/engaged", "#engaged table", 1100),
)
MAIL = (
    Picture("mail", "/mail.html", "h1", 2000, width=800),
    Picture("mail-390-dark", "/mail.html", "h1", PHONE_HEIGHT, width=390, dark=True),
)
DIGEST = WatchDefinition("digest", "", ("team",), tz="Europe/Berlin", every="7d")
PICTURES = (COLLECTING, SIGN_IN, PROMETHEUS, *OPEN, *MAIL)


def take(browser: Browser, picture: Picture, url: str, folder: Path) -> None:
    """Opens the page, scrolls until no figure is left to come, and writes the picture, no higher than the page."""
    page = browser.new_page(color_scheme="dark" if picture.dark else "light", reduced_motion="reduce")
    page.set_viewport_size({"width": picture.width, "height": picture.height})
    page.goto(url + picture.path)
    page.locator(picture.awaited).first.wait_for()
    page.wait_for_function(LOAD_ALL)
    page.wait_for_function("document.fonts.status === 'loaded' && [...document.images].every(image => image.complete)")
    height = page.evaluate("Math.ceil(document.documentElement.getBoundingClientRect().height)")
    page.set_viewport_size({"width": picture.width, "height": min(picture.height, height)})
    page.screenshot(path=folder / f"{picture.name}.png", animations="disabled", caret="hide")
    page.close()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Waits for a condition; raises TimeoutError."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {TIMEOUT_S} s: {what}")
        time.sleep(0.05)


def get(url: str, **parameters: str) -> Any:
    return CLIENT.get(url, params=parameters, timeout=TIMEOUT_S).json()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(*command: str, ready: str, env: Settings) -> Iterator[None]:
    """Runs a program until the block ends; the block begins when the URL `ready` answers."""
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    try:
        CLIENT.get(ready, timeout=TIMEOUT_S).raise_for_status()
        yield
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)


@contextmanager
def serving(settings: Settings, **more: str) -> Iterator[str]:
    """Runs the service with these settings, and gives its URL."""
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    with running(sys.executable, "app.py", ready=f"{url}/livez", env={**settings, "PORT": port, **more}):
        yield url


@contextmanager
def scraping(folder: Path, target: str) -> Iterator[str]:
    """Runs a Prometheus that scrapes the service every second, and gives its URL."""
    address = f"127.0.0.1:{free_port()}"
    job = {"job_name": "twitterapi", "scrape_interval": "1s", "scrape_timeout": "1s", "static_configs": [{"targets": [target]}]}
    (folder / "prometheus.json").write_text(json.dumps({"scrape_configs": [job]}))  # JSON is YAML
    options = [f"--config.file={folder}/prometheus.json", f"--storage.tsdb.path={folder}/tsdb", "--log.level=error"]
    options.append(f"--web.listen-address={address}")
    with running("prometheus", *options, ready=f"http://{address}/-/ready", env=dict(os.environ)):
        yield f"http://{address}"


def send_load(url: str, prometheus: str) -> None:
    """Sends requests until Prometheus has enough samples for a graph."""

    def is_enough() -> bool:
        for path in LOAD:
            get(url + path)
        found = get(f"{prometheus}/api/v1/query", query="count_over_time(up[10m])")["data"]["result"]
        return bool(found) and float(found[0]["value"][1]) >= SCRAPES

    wait_until(is_enough, f"{SCRAPES} scrapes")


def start_collection(url: str) -> str:
    """Starts a collection, and returns its URL."""
    answer = CLIENT.post(f"{url}/collections", timeout=TIMEOUT_S)
    answer.raise_for_status()
    return urljoin(url, answer.headers["Location"])


def finish(collection: str) -> None:
    wait_until(lambda: get(collection)["state"] != "running", "the collection ends")


def collect_weeks(x: Emulator, url: str, settings: Settings) -> None:
    """Collects once for each of the last days, as of then, and once as of now; reads one day's tweets again meanwhile."""
    for days in range(DAYS, 0, -1):
        x.clock.hold(THIS_HOUR - timedelta(days=days))
        finish(start_collection(url))
        if days in READ_AGAIN:
            read_again(settings)
    x.clock.reset()
    finish(start_collection(url))


def days_before(days: int) -> str:
    return (THIS_HOUR - timedelta(days=days)).isoformat().replace("+00:00", "Z")


def read_again(settings: Settings) -> None:
    """Reads the tweets of READ_DAY again, as of the emulator's time."""
    period = "--since", days_before(READ_DAY), "--until", days_before(READ_DAY - 1)
    command = [sys.executable, "api.py", "--refresh", *period, "--yes"]
    subprocess.run(command, cwd=ROOT, env=settings, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def growth(tweet: dict[str, Any]) -> float:
    """Returns how many times as many views a tweet had when it was last read as when it was first read."""
    views = [one["views"] for one in tweet["measurements"] if one["views"]]
    return float(views[-1] / views[0]) if views else 0


def found_places(url: str) -> dict[str, str]:
    """Returns what paths name: the newest spike, the one of some much-liked tweets that grew most, and a week."""
    spike = get(f"{url}/spikes")["spikes"][0]["start"]
    period = {"since": days_before(READ_DAY), "until": days_before(READ_DAY - 1)}
    tweets = get(f"{url}/tweets", lang="en", sort="-engagement", limit="8", **period)["tweets"]
    tweet = max((get(f"{url}/tweets/{one['id']}") for one in tweets), key=growth)
    return {"spike": spike, "tweet": tweet["id"], "since": days_before(8)[:10], "until": days_before(2)[:10]}


def make_watches(url: str) -> None:
    """Makes some watches, whose destinations don't exist; they tell only what happens from now on."""
    for name, watch in WATCHES.items():
        CLIENT.put(f"{url}/watches/{quote(name)}", json=watch, timeout=TIMEOUT_S).raise_for_status()


def import_burst(folder: Path, settings: Settings) -> None:
    """Imports many tweets of one hour two days ago, as X gives them, under a hashtag that is not tracked."""
    users = [{"id": str(number), "name": f"Person {number}", "username": f"person_{number}"} for number in range(1, 61)]
    page = {"data": [burst_tweet(number) for number in range(BURST)], "includes": {"users": users}}
    (folder / "burst.json").write_text(json.dumps(page))
    command = [sys.executable, "-m", "flask", "--app", "app", "tweets", "import", str(folder / "burst.json")]
    subprocess.run(command, cwd=ROOT, env=settings, check=True, stdout=subprocess.DEVNULL)


def burst_tweet(number: int) -> dict[str, Any]:
    """A tweet as X gives it; more of them at the beginning of the burst than at its end, and some authors with several."""
    created = THIS_HOUR.replace(hour=15) - timedelta(days=2) + timedelta(seconds=BURST_S * (number / BURST) ** 2)
    id_ = ((int(created.timestamp() * 1000) - EPOCH_MS) << 22) + number
    text = f"{TEXTS[number % len(TEXTS)]} #incident"
    tweet = {"id": str(id_), "text": text, "author_id": str(number * number % 61 % 60 + 1), "lang": "en"}
    likes = number * number % 331
    metrics = {"like_count": likes, "retweet_count": likes // 6, "reply_count": likes // 9, "quote_count": likes // 40}
    links = [{"url": "https://t.co/status", "expanded_url": "https://status.example.com/"}] if number % 3 == 0 else []
    entities = {"hashtags": [{"tag": "incident"}], "urls": links}
    return tweet | {"created_at": created.isoformat(), "public_metrics": metrics, "entities": entities}


def write_digest(folder: Path, database_url: str) -> None:
    """Writes the mail of a digest of the last seven days."""
    database = open_database(database_url, data_folder=folder)
    with database.reading() as session:
        finding, now = Finding("digest", THIS_HOUR - timedelta(days=7), THIS_HOUR), datetime.now(UTC)
        mail = render(session, "Mondays", DIGEST, finding, held_back=0, site="http://localhost:8080", now=now)
    database.close()
    (folder / "mail.html").write_text(mail.html if mail else "")


def take_all(browser: Browser, x: Emulator, data: Path, folder: Path) -> None:
    """Makes the history and takes each picture at its time."""
    own = {"DATABASE_URL": f"sqlite:///{data}/tweets.db", "DATA_FOLDER": str(data), "TWITTER_API_URL": x.url}
    usual = {"COLLECT_ON_START": "0", "MONTHLY_BUDGET_USD": "80", "LOG_LEVEL": "WARNING"}
    settings = {"PATH": os.environ["PATH"], "HOME": str(data), **own, **usual}
    with serving(settings, **JOBS_OFF) as url:
        collect_weeks(x, url, settings)
        for tag in SLOW_TAGS:
            x.plan("slow", tag=tag, seconds=SLOW_S)
        last = start_collection(url)
        wait_until(lambda: sum(tag["state"] != "done" for tag in get(last)["tags"]) == len(SLOW_TAGS), "slow tags are left")
        take(browser, COLLECTING, url, folder)
        finish(last)
    import_burst(data, settings)
    with serving(settings, NOTIFY_URLS=DESTINATIONS) as url, scraping(data, url.removeprefix("http://")) as prometheus:
        wait_until(lambda: all(job["succeeded"] for job in get(f"{url}/readyz")["chores"].values()), "jobs are done")
        places = found_places(url)
        make_watches(url)
        for picture in OPEN:
            take(browser, picture._replace(path=picture.path.format(**places)), url, folder)
        write_digest(data, own["DATABASE_URL"])
        for picture in MAIL:
            take(browser, picture, data.as_uri(), folder)
        send_load(url, prometheus)
        take(browser, PROMETHEUS, prometheus, folder)
    with serving(settings, **JOBS_OFF, API_TOKEN="a-token-for-the-picture") as url:
        take(browser, SIGN_IN, url, folder)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # stops what was started, too
    with TemporaryDirectory() as data, Emulator(seed=7, tweets=3000) as x, sync_playwright() as playwright:
        offline = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=offline)
        take_all(chromium, x, Path(data), Path(sys.argv[1]) if sys.argv[1:] else ROOT / "evidences")
