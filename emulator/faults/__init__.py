"""Faults that replace or spoil answers."""
