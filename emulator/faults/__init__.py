"""Faults: which kinds there are, and which are planned."""
