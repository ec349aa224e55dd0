"""Words: which tweets have which, so that texts are searched without reading them."""

from __future__ import annotations

from database.words import WordIndex

TWEET_WORDS = WordIndex("tweet_words")
"""The words of each tweet's text, as `text.words.indexed` finds them, by the tweet's id."""
