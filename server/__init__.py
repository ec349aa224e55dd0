"""Serving: Granian reads and writes, and keeps its workers."""
