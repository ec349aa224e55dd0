"""HTTP: sockets, requests, answers, routes, credentials and rate limits."""
