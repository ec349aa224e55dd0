"""X: its recent search through Tweepy, what its answers mean, its failures and its time."""
