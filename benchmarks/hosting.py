"""Serve another WSGI app exactly as the service is served: `python benchmarks/hosting.py MODULE:FACTORY PORT`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from collector.work import Work  # noqa: E402 (found through the line above)
from server.listening import listen  # noqa: E402
from server.serving import serve  # noqa: E402
from settings import load  # noqa: E402


class Nothing:
    """What goes on beside an app that does nothing by itself."""

    def start(self) -> None:
        """Begin nothing."""

    def stop(self) -> None:
        """End nothing."""

    def close(self) -> None:
        """Hold nothing open."""


def main(app: str, port: str) -> int:
    """Serve until SIGTERM."""
    module, _, factory = app.partition(":")
    beside: Any = Nothing()

    def hosted() -> tuple[Any, Work]:
        return getattr(importlib.import_module(module), factory)(), Work(beside, None, beside)

    settings = load({"PORT": port, "COLLECT_ON_START": "0"})
    serve(settings, listen(settings), hosted)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
