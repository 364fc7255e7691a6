"""Writes the files generated from the code: ``python -m automode_constructs.cli.pages rules|schemas PATH``."""

from __future__ import annotations

import sys
from pathlib import Path

from automode_constructs.cli.explain import rules_page
from automode_constructs.cli.schemas import schemas

__all__ = ["write_rules", "write_schemas"]


def write_rules(file: Path) -> None:
    """Writes the page of all rules."""
    file.write_text(rules_page(), encoding="utf-8", newline="\n")


def write_schemas(folder: Path) -> None:
    """Writes one JSON Schema for each kind, and deletes those of kinds that no longer exist."""
    folder.mkdir(parents=True, exist_ok=True)
    made = schemas()
    for old in folder.glob("*.json"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    {"rules": write_rules, "schemas": write_schemas}[sys.argv[1]](Path(sys.argv[2]))
