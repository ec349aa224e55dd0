"""A collection or backfill: its listings, the pages it buys, its record and its lease."""
