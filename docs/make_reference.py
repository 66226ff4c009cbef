"""Write docs/cli.md and docs/api.md from the code. `--check` writes nothing and ends with 1 where they are out of date.

The command line is read from the typer app, whatever verbs are registered. The Python names are those of
`planner.__all__` and those that `planner` loads when they are asked for; they are read from the sources, so that
neither torch nor transformers is loaded.
"""

from __future__ import annotations

import sys
from pathlib import Path

from reference.commands import cli_reference
from reference.markdown import REWRITE
from reference.names import api_reference

DOCS = Path(__file__).parent
PAGES = {"cli.md": cli_reference, "api.md": api_reference}


def main(arguments: list[str]) -> int:
    """Write the pages, or say which of them are out of date."""
    stale = []
    for name, make in PAGES.items():
        text, file = make(), DOCS / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            stale.append(f"docs/{name}")
            if arguments != ["--check"]:
                file.write_text(text, encoding="utf-8")
    if arguments == ["--check"] and stale:
        print(f"{' and '.join(stale)} out of date: run {REWRITE}", file=sys.stderr)
        return 1
    print(f"wrote {' and '.join(stale)}" if stale else "docs/cli.md and docs/api.md are up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
