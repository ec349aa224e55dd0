"""WSGI layers between the guard and the app, and how much is done at once."""
