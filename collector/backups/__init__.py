"""Backups: copies of the database, made while it is in use, and their restoration."""
