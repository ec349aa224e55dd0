"""Scheduled jobs, and the schedule of collections."""
