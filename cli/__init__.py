"""Command lines: `flask --app app …` and `python api.py …`."""
