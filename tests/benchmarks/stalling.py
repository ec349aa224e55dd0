"""A server that stands still once, for a given time, after its first answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = b"HTTP/1.1 %d Whatever\r\nContent-Length: 2\r\n\r\nok"
AFTER = 20


@contextmanager
def stalling(seconds: float) -> Iterator[str]:
    """Serve on a free port; all answers wait while it stands still. /missing is answered by 404."""
    still, begun, left = threading.Lock(), threading.Event(), iter(range(AFTER))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if next(left, None) is None and not begun.is_set():
                begun.set()
                with still:
                    time.sleep(seconds)
            with still:
                self.wfile.write(BODY % (404 if self.path == "/missing" else 200))

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
