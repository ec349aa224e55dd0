"""Backups: copies of the database, taken online, and the way back."""
