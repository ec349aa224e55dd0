"""Write README.md's table of settings from settings.py, between its two markers.

    python scripts/settings-table.py [FILE]

FILE is README.md unless another is named. Without the markers nothing is written, and the exit code is 1.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from settings import declared  # noqa: E402 (the script's own folder comes first in the path, the project's is needed)

BEGIN, END = "<!-- settings -->", "<!-- /settings -->"
HEAD = ("Setting", "Default", "Meaning", "Secret", "Expected")


def table() -> str:
    """Return the table in Markdown, a row a setting, in the order of declaration."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for name, facts in declared():
        default = "" if facts["default"] is None else f"`{facts['default']}`"
        secret = "yes" if facts["secret"] else ""
        rows.append((f"`{name}`", default, facts["meaning"], secret, facts["reader"].expected))
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def with_table(text: str) -> str | None:
    """Return the text with the table between its markers, or None where it hasn't both of them, once, in their order."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in rest or END in before + after:
        return None
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Rewrite the file if it would change, and return the exit code."""
    file = Path(arguments[0]) if arguments else ROOT / "README.md"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    written = with_table(text)
    if written is None:
        sys.stderr.write(f"{file}: has no line {BEGIN} with {END} after it; nothing is written\n")
        return 1
    if written != text:
        file.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
