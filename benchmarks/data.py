"""Databases of invented tweets, made once by the import and kept outside of the repository, so that a rerun is quick.

A kept file's name says the schema's revision and a digest of what fills it; one that is out of date is made anew.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pysqlite3.dbapi2 as sqlite

from benchmarks import invented
from benchmarks.cluster import Cluster
from benchmarks.served import ROOT

KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hashtag-monitor"
FILLED_BY = (
    "migrations/versions/*.py",
    "models/*.py",
    "text/*.py",
    "collector/tweets/*.py",
    "collector/imports.py",
    "benchmarks/invented.py",
)
OFF = dict.fromkeys(("COUNT_EVERY", "RECONCILE_EVERY", "COMPLY_EVERY", "BACKUP_EVERY"), "off")


def database(count: int, *, kept: Path = KEPT) -> Path:
    """Return a database of so many invented tweets, which nobody may write to."""
    file = kept / f"{count}-tweets-{_revision()}-{_digest()}.db"
    if not file.exists():
        kept.mkdir(parents=True, exist_ok=True)
        for outdated in kept.glob(f"{count}-tweets-*"):
            outdated.unlink()
        with TemporaryDirectory(dir=kept) as folder:
            _made(count, Path(folder)).rename(file)
    return file


def copy(file: Path, folder: Path, name: str) -> Path:
    """Return a copy of a database, which a service may write to."""
    target = folder / f"{name}.db"
    shutil.copyfile(file, target)
    return target


def restored(cluster: Cluster, file: Path) -> str:
    """Return the URL of a database with what a file has, which is restored into it when it is first asked for."""
    name = file.stem
    url = cluster.url(name)
    if cluster.make(name):
        command = [sys.executable, "-m", "flask", "--app", "app", "database", "restore", str(file)]
        own = {"DATABASE_URL": url, "TWITTER_API_URL": "http://127.0.0.1:9"}
        subprocess.run(command, cwd=ROOT, env=os.environ | own | OFF, check=True)
        with cluster.connection(name) as connection:
            connection.execute("VACUUM ANALYZE")
    return url


def _made(count: int, folder: Path) -> Path:
    """Import so many tweets into a new database, and move what is in its log into the file."""
    source, made = folder / "tweets.ndjson", folder / "tweets.db"
    with source.open("wb") as out:
        out.writelines(orjson.dumps(row) + b"\n" for row in invented.tweets(count))
    own = {"DATABASE_URL": f"sqlite:///{made}", "TWITTER_API_URL": "http://127.0.0.1:9", "TAGS": ",".join(invented.TAGS)}
    command = [sys.executable, "-m", "flask", "--app", "app", "tweets", "import", str(source)]
    subprocess.run(command, cwd=ROOT, env=os.environ | own | OFF, check=True)
    with closing(sqlite.connect(made)) as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    return made


def _revision() -> str:
    """Return the newest revision, by the names of the migrations."""
    return max(path.stem for path in (ROOT / "migrations/versions").glob("*.py")).split("_")[0]


def _digest() -> str:
    content = blake2b(digest_size=4)
    for source in sorted(path for name in FILLED_BY for path in ROOT.glob(name)):
        content.update(source.read_bytes())
    return content.hexdigest()
