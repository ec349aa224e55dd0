"""The invented world: authors, tweets and places."""
