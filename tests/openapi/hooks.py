"""What Schemathesis is told about this service: which hashtags to leave out, and that a collection needs one to collect."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import requests
import schemathesis

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from text.names import is_name

COLLECTING = {("GET", "/database"), ("POST", "/database"), ("POST", "/collections")}
LONGEST_TAG = 100
LONGEST_WAIT_S = 10


@schemathesis.hook
def filter_path_parameters(_context: Any, parameters: dict[str, Any] | None) -> bool:
    """Leave out hashtags for which the pattern is not exact: overlong ones, and those beyond ASCII that are none."""
    tag = unquote(str((parameters or {}).get("tag", "")))
    name = unicodedata.normalize("NFC", tag.strip(" \t").removeprefix("#"))
    return len(tag) <= LONGEST_TAG and (tag.isascii() or is_name(name))


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Track a tag before each collection, for the run may have untracked them all."""
    if (case.method.upper(), case.operation.path) in COLLECTING:
        url = f"{case.operation.base_url.rstrip('/')}/tags/devops"
        headers = json.loads(os.environ.get("SCHEMATHESIS_HEADERS", "{}"))
        requests.put(url, headers=headers, timeout=LONGEST_WAIT_S).raise_for_status()
