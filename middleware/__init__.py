"""WSGI layers between the guard and the app: cached responses, limits on simultaneous work, time limits; compression."""
