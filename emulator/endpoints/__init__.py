"""The endpoints of X's API: search, counts, usage, compliance."""
