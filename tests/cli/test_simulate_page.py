"""The page that shows the simulation in a terminal shows what a terminal shows, and its picture is drawn from it.

After a message has changed: ``python -m tests.cli.test_simulate_page``.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

import pytest

from automode_constructs.cli.main import main
from tests.cli.test_linter_page import BLOCK, FILE, played

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/simulate.md"
PICTURE = ROOT / "docs/simulate.svg"


def drawn(page: str, folder: Path) -> str:
    """The picture of the page's timeline."""
    for name, text in FILE.findall(page):
        (folder / name).write_text(text, "utf-8")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        main(["simulate", "friday.yaml", "--svg", "picture.svg"])
    return (folder / "picture.svg").read_text("utf-8")


@pytest.mark.skipif(os.name == "nt", reason="the page is for a POSIX shell")
def test_the_page_shows_what_a_terminal_shows(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    assert len(BLOCK.findall(page)) == 6
    assert played(page, tmp_path) == page


def test_the_picture_is_that_of_the_timeline(tmp_path: Path) -> None:
    assert drawn(PAGE.read_text("utf-8"), tmp_path) == PICTURE.read_text("utf-8")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        PAGE.write_text(played(PAGE.read_text("utf-8"), Path(name)), "utf-8")
        PICTURE.write_text(drawn(PAGE.read_text("utf-8"), Path(name)), "utf-8")
