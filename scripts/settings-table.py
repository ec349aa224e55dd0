"""Write the table of docs/settings.md from settings.py, between its two markers.

python scripts/settings-table.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from settings import declared_settings  # noqa: E402 (needs the path above)

BEGIN, END = "<!-- settings -->", "<!-- /settings -->"
HEAD = ("Setting", "Default", "Meaning", "Secret", "Expected")


def table() -> str:
    """The table in Markdown, a row a setting, in the order of declaration."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for name, declared in declared_settings():
        default = "" if declared.default is None else f"`{declared.default}`"
        secret = "yes" if declared.is_secret else ""
        rows.append((f"`{name}`", default, declared.meaning, secret, declared.reader.expected))
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def with_table(text: str) -> str:
    """The text with the table between its markers; raises ValueError where it lacks them."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    file = ROOT / "docs" / "settings.md"
    file.write_text(with_table(file.read_text(encoding="utf-8")), encoding="utf-8")
