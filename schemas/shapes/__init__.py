"""The shapes of what the API gives and takes, as JSON Schema: one for each noun that formats.rows writes.

A shape names the keys that are always there. Keys may be added, so no shape of an answer is closed.
"""
