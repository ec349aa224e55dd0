"""HTTP: the server, messages, credentials and rate limits."""
