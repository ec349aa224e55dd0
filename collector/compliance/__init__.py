"""Compliance: asks X in batch jobs which stored tweets must be deleted, and deletes them."""
