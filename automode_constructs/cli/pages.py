"""Writes the files generated from the code: ``python -m automode_constructs.cli.pages rules|schemas PATH``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from automode_constructs.cli.explain import rules_page
from automode_constructs.cli.schemas import schemas, write_schemas
from automode_constructs.errors import on_one_line

__all__ = ["main", "renew_schemas", "write_rules"]


def write_rules(file: Path) -> None:
    """Writes the page of all rules."""
    file.write_text(rules_page(), encoding="utf-8", newline="\n")


def renew_schemas(folder: Path) -> None:
    """Writes one JSON Schema for each kind, and deletes those of kinds that no longer exist."""
    write_schemas(folder)
    for old in folder.glob("*.json"):
        if old.name not in schemas():
            old.unlink()


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page or the folder that the arguments name; 0, or 1 with a line on standard error."""
    writers = {"rules": write_rules, "schemas": renew_schemas}
    parser = argparse.ArgumentParser(prog="python -m automode_constructs.cli.pages", description=__doc__)
    parser.add_argument("what", choices=writers)
    parser.add_argument("path", type=Path, help="the file of the rules, or the folder of the schemas")
    options = parser.parse_args(arguments)
    try:
        writers[options.what](options.path)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{on_one_line(str(options.path))}: cannot be written: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
