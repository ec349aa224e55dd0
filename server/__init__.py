"""Serving: gunicorn supervises the workers, waitress does their input and output."""
