"""What is known of a request while it is served: its id, its trace, and the one event that reports it."""
