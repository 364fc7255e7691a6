"""The page that shows the linter in a terminal shows what a terminal shows.

After a message has changed: ``python -m tests.cli.test_linter_page``.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest

from automode_constructs.cli.main import main

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/linter.md"
BLOCK = re.compile(r"(?<=```console\n)(.*?)(?=```)", re.DOTALL)
FILE = re.compile(r"`(\S+\.yaml)`:\n\n```yaml\n(.*?)```", re.DOTALL)


def played(page: str, folder: Path) -> str:
    """The page, with what its commands print in a folder that has its files."""
    for name, text in FILE.findall(page):
        (folder / name).write_text(text, "utf-8")
    code = 0

    def block(match: re.Match[str]) -> str:
        nonlocal code
        lines: list[str] = []
        for command in re.findall(r"^\$ (.*)$", match[0], re.MULTILINE):
            code, said = run(command, code)
            lines += [f"$ {command}\n", said]
        return "".join(lines)

    with contextlib.chdir(folder):
        return BLOCK.sub(block, page)


def run(command: str, code: int) -> tuple[int, str]:
    if command == "echo $?":
        return 0, f"{code}\n"
    name, *arguments = shlex.split(command)
    if name != "automode":
        ran = subprocess.run([name, *arguments], capture_output=True, text=True, check=True)
        return ran.returncode, ran.stdout
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    return code, out.getvalue() + err.getvalue()


@pytest.mark.skipif(os.name == "nt", reason="the page is for a POSIX shell")
def test_the_page_shows_what_a_terminal_shows(tmp_path: Path) -> None:
    page = PAGE.read_text("utf-8")
    assert len(BLOCK.findall(page)) == 4
    assert played(page, tmp_path) == page


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        PAGE.write_text(played(PAGE.read_text("utf-8"), Path(name)), "utf-8")
