"""What the emulator sold: the ledger and its controls."""
