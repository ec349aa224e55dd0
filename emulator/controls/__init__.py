"""The controls under /emulator/, by which tests set the emulator."""
