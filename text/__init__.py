"""Words, hashtags and usernames in texts, and redaction of secrets."""
