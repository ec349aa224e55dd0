"""Refreshing: stored tweets are read again by their ids, for their newer numbers and texts, and for what is gone."""
