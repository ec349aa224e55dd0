"""The database programs that the service runs on, and how each of them reads, writes, fails and migrates."""
