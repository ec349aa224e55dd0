"""Write docs/licences.md: what the service is made of, under which licences.

    python scripts/licences.py [FILE]

FILE is docs/licences.md unless another is named. The exit code is 1, and nothing is written, if a licence is not among those
that were decided on.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from license_expression import LicenseSymbol, get_spdx_licensing

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.pins import normal  # noqa: E402 (needs the path above)
from scripts.sbom import Differs, Entry, bill  # noqa: E402

# What each asks of whoever hands the service on, under its own licence (MIT). Weak copyleft is the most that is let in.
ASKS = {
    "Apache-2.0": "keep licence and notices; say what was changed",
    "BSD-2-Clause": "keep licence and copyright",
    "BSD-3-Clause": "keep licence and copyright; don't advertise with the authors' names",
    "ISC": "keep licence and copyright",
    "LGPL-3.0-only": "weak copyleft: who hands on the image hands on its text and source, or where that is; it may be replaced",
    "MIT": "keep licence and copyright",
    "MPL-2.0": "weak copyleft: whoever changes one of their files and hands it on, hands on its source; other files are free",
    "PSF-2.0": "keep licence and copyright; say what was changed",
    "ZPL-2.1": "keep licence and copyright; say what was changed; don't use the authors' marks",
    "Zlib": "don't claim to have written it; mark changes",
    "blessing": "nothing: SQLite is in the public domain",
}
HEAD = """# Licences

What runs, here and in the image, and the licence of each: the packages of requirements.txt, SQLite, which pysqlite3
carries, and what is vendored in web/static/vendor, where swagger-ui-bundle.js.LICENSE.txt names what is inside of the
bundle. The service itself is under the MIT licence. All of them are used as they came. Written by `make evidences`;
[decisions.md](decisions.md#what-is-installed) says how.

"""
SPDX = get_spdx_licensing()
SOURCE = re.compile(r"Project-URL: (source|repository)", re.IGNORECASE)


def licence(entry: Entry) -> str:
    """Return the licence of an entry of the bill of materials as an expression of SPDX."""
    [stated] = entry["licenses"]
    return str(stated["expression"] if "expression" in stated else stated["license"]["id"])


def allowed(expression: str) -> bool:
    """Return whether a licence, or one of those that it leaves the choice of, was decided on."""
    return _allowed(SPDX.parse(expression, validate=True))


def _allowed(node: object) -> bool:
    if isinstance(node, SPDX.OR):
        return any(map(_allowed, node.args))
    if isinstance(node, SPDX.AND):
        return all(map(_allowed, node.args))
    return isinstance(node, LicenseSymbol) and node.key in ASKS


def home(entry: Entry) -> str:
    """Return where the source of an entry is, or else its page."""
    links = entry.get("externalReferences", [])
    told = [link["url"] for link in links if link["type"] == "vcs" or SOURCE.search(link.get("comment", ""))]
    told += [link["url"] for kind in ("website", "documentation") for link in links if link["type"] == kind]
    return str(told[0]) if told else ""


def page(entries: list[Entry]) -> str:
    """Return the page of these entries of a bill of materials."""
    rows = sorted((normal(entry["name"]), entry["version"], licence(entry), home(entry)) for entry in entries)
    used = {name for _, _, expression, _ in rows for name in SPDX.license_keys(expression)}
    table = ["| package | version | licence | home |", "|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]
    asked = ["| licence | what it asks |", "|---|---|", *(f"| {name} | {ASKS[name]} |" for name in sorted(used & ASKS.keys()))]
    return HEAD + "\n".join([*table, "", *asked]) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, and return the exit code."""
    file = Path(arguments[0]) if arguments else ROOT / "docs/licences.md"
    try:
        entries = bill()["components"]
    except Differs as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    wrong = [f"{entry['name']}: {licence(entry)} was not decided on\n" for entry in entries if not allowed(licence(entry))]
    sys.stderr.writelines(wrong)
    if not wrong:
        file.write_text(page(entries), encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
