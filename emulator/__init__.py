"""A pretend X (Twitter) API v2 over HTTP, with an invented world behind it and a ledger of what it sold.

It imports nothing but the standard library and itself, so that it can judge the program without sharing its
mistakes. `python -m emulator` serves it; in a test, `with Emulator(seed=1) as emulator:` does. It answers search and
counts (recent and all), lookups of posts, compliance jobs with their uploads and downloads, usage and credits, and
/oauth2/token; GET /emulator lists the controls over HTTP.
"""

from emulator.emulator import Emulator

__all__ = ["Emulator"]
