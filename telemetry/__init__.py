"""Metrics, access log, request context, log shipping."""
