"""How long the pages take on a million tweets, and how many bytes the overview loads in all.

    .venv/bin/python benchmarks/page.py [--tweets 1000000] [--rounds 9]

The views are of the last seven days that have tweets. Times are those of a client on loopback, from the request to the last
byte; the first one is of a process that has answered nothing before. An empty Flask route stands beside them.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import requests

from benchmarks import data, invented
from benchmarks.served import hosted, served

MOST_MS, MOST_BYTES = 200, 120 * 1024
END = invented.BEGIN + invented.SPAN - timedelta(days=1)
PERIOD = f"since={END - timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}&until={END:%Y-%m-%dT%H:%M:%SZ}"
VIEWS = {
    "overview, 7 days": f"/?{PERIOD}",
    "overview, all there is": "/?period=all",
    "a tag's page, 7 days": f"/view/tags/devops?{PERIOD}",
    "search, all there is": "/view/tweets?period=all",
    "search for a word and a tag": f"/view/tweets?period=all&tag=sre&q={invented.COMMON_WORD}",
    "collections": "/view/collections",
    "health": "/view/health",
}
QUIET = dict.fromkeys(("COUNT_EVERY", "RECONCILE_EVERY", "COMPLY_EVERY", "BACKUP_EVERY"), "off")


def milliseconds(url: str) -> float:
    """Return how long one request takes."""
    began = time.perf_counter()
    requests.get(url, timeout=60).raise_for_status()
    return (time.perf_counter() - began) * 1000


def loaded(url: str) -> int:
    """Return how many bytes a page and all that it loads are on the way."""
    page = requests.get(url, timeout=60)
    paths = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text))
    answers = [page, *(requests.get(f"{url.split('/?')[0]}{path}", timeout=60) for path in paths)]
    return sum(int(answer.headers["Content-Length"]) for answer in answers)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tweets", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        file = data.copy(data.database(asked.tweets), Path(folder), "page")
        with served(file, TWITTER_API_URL="http://127.0.0.1:9", **QUIET) as service:
            first = milliseconds(f"{service.url}{VIEWS['overview, 7 days']}")
            print(f"overview, the first request of all: {first:.0f} ms (bar {MOST_MS})")
            for name, path in VIEWS.items():
                took = [milliseconds(service.url + path) for _ in range(asked.rounds)]
                print(f"{name}: {statistics.median(took):.0f} ms ({min(took):.0f} to {max(took):.0f})")
            print(f"bytes of the overview in all: {loaded(service.url + VIEWS['overview, 7 days']):,} (bar {MOST_BYTES:,})")
        answers = Path(folder) / "answers.json"
        answers.write_text('{"/": "{}"}')
        with hosted("benchmarks.bare:create_app", BARE_ANSWERS=str(answers)) as bare:
            took = [milliseconds(bare.url) for _ in range(asked.rounds)]
            print(f"an empty Flask route: {statistics.median(took):.1f} ms ({min(took):.1f} to {max(took):.1f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
