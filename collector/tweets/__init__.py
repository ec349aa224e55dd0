"""Tweets: stored once, whatever was found twice, edited or deleted, with their roll-ups."""
