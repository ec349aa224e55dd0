"""Compliance: what X says must go, asked in batch jobs and applied."""
