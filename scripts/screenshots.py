"""Write evidences/: pictures of the running service, taken by Chromium, and the table of them.

    python scripts/screenshots.py [FOLDER]

FOLDER is evidences/ unless another is named. Without Prometheus its picture stays as it is; without Chromium nothing is
written, and the exit code is 1.
"""

from __future__ import annotations

import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from emulator import Emulator  # noqa: E402 (the script's own folder comes first in the path, the project's is needed)
from scripts.pictures import camera, history, scraping  # noqa: E402
from scripts.pictures.catalogue import GUARDED, OPEN, PASSING, PICTURES, PROMETHEUS, table  # noqa: E402
from scripts.pictures.running import Settings, chores_done, free_port, service, until  # noqa: E402

USUAL = {"COLLECT_ON_START": "0", "MONTHLY_BUDGET_USD": "80", "LOG_LEVEL": "WARNING"}
CHORES = ("COUNT_EVERY", "RECONCILE_EVERY", "COMPLY_EVERY", "BACKUP_EVERY")
NO_CHORES = dict.fromkeys(CHORES, "off")


class Scene(NamedTuple):
    """What pictures are taken with: a browser, the X that is collected from, the folder of the database, and theirs."""

    browser: Browser
    x: Emulator
    data: Path
    folder: Path

    def take(self, url: str, of: str) -> None:
        """Take all pictures of a service."""
        for picture in PICTURES:
            if picture.service == of:
                camera.take(self.browser, picture, url + picture.path, self.folder / picture.file)

    def settings(self, **more: str) -> Settings:
        """Return what a service is started with."""
        database = {"DATABASE_URL": f"sqlite:///{self.data / 'tweets.db'}", "DATA_FOLDER": str(self.data)}
        return {**database, "TWITTER_API_URL": self.x.url, "PORT": str(free_port()), **USUAL, **more}


def collecting(scene: Scene) -> None:
    """Make the history; its last collection is pictured while it runs."""
    settings = scene.settings(**NO_CHORES)
    with service(scene.data, settings) as url:
        history.collect_weeks(scene.x, url)
        last = history.begin_slowly(scene.x, url)
        scene.take(url, PASSING)
        history.end(last)
    history.import_burst(scene.data, settings)


def showing(scene: Scene) -> None:
    """Take the pictures of what was collected; beside it Prometheus scrapes, if it is installed."""
    settings = scene.settings()
    with ExitStack() as running:
        url = running.enter_context(service(scene.data, settings))
        until(lambda: chores_done(url), "the chores are done")
        scene.take(url, OPEN)
        if scraping.PROGRAM is None:
            print(f"no picture of Prometheus: it is missing, apt-get install {scraping.PACKAGE}", file=sys.stderr)
            return
        target = f"127.0.0.1:{settings['PORT']}"
        prometheus = running.enter_context(scraping.prometheus(scene.data / "prometheus", target))
        scraping.load_until_scraped(url, prometheus)
        scene.take(prometheus, PROMETHEUS)


def guarded(scene: Scene) -> None:
    """Take the picture of a service that asks who is there."""
    with service(scene.data, scene.settings(API_TOKEN="a-token-for-the-picture", **NO_CHORES)) as url:
        scene.take(url, GUARDED)


def main(arguments: list[str]) -> int:
    """Write everything, and return the exit code."""
    if camera.CHROMIUM is None:
        print(f"no pictures: Chromium is missing, apt-get install {camera.PACKAGE}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # else what was started would run on
    folder = Path(arguments[0]) if arguments else ROOT / "evidences"
    folder.mkdir(exist_ok=True)
    with TemporaryDirectory() as data, history.world() as x, camera.chromium() as browser:
        scene = Scene(browser, x, Path(data), folder)
        for part in (collecting, showing, guarded):
            part(scene)
    (folder / "README.md").write_text(table(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
