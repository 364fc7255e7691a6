"""What a run looks like: on a terminal, in a pipe, for GitHub."""

from __future__ import annotations

import re
import unicodedata

import pytest

from automode_constructs.cli.lint import LintFinding, LintRun
from automode_constructs.cli.report import as_github, as_text


def run(text: str, line: int, column: int, *, file: str = "a.yaml", message: str = "is wrong") -> LintRun:
    finding = LintFinding(
        field="spec", message=message, rule="automode:Value", file=file, line=line, column=column, severity="warning"
    )
    return LintRun(findings=[finding], texts={file: text})


def excerpt(found: LintRun, *, width: int = 80, coloured: bool = False) -> list[str]:
    return as_text(found, coloured=coloured, width=width).splitlines()[1:]


def test_a_terminal_sees_the_line_and_the_word() -> None:
    assert excerpt(run("a: 1\n  expireAfer: 336h\n", 2, 3)) == ["    2 |   expireAfer: 336h", "      |   ^^^^^^^^^^"]


def test_a_pipe_sees_one_line() -> None:
    text = as_text(run("a: 1\n", 1, 1), coloured=False)
    assert text == "a.yaml:1:1 automode:Value warning: spec: is wrong\n"


def test_carets_have_the_colour_of_their_severity() -> None:
    assert excerpt(run("a: 1\n", 1, 1), coloured=True) == ["    1 | a: 1", "      | \x1b[33m^\x1b[0m"]


@pytest.mark.parametrize(
    ("line", "column"), [("a: {" + "b, " * 200 + "here: 1}", 605), ("a: " + "b" * 500, 4), ("日本語: {here: 1}", 7)]
)
@pytest.mark.parametrize("width", [20, 60, 200])
def test_an_excerpt_fits_and_the_carets_stand_below_the_word(line: str, column: int, width: int) -> None:
    shown, carets = excerpt(run(line, 1, column), width=width)
    wide = sum(unicodedata.east_asian_width(character) == "W" for character in shown)
    assert max(len(shown) + wide, len(carets)) <= max(width, 29)
    position = carets.index("^")
    columns = "".join(character * (2 if unicodedata.east_asian_width(character) == "W" else 1) for character in shown)
    assert columns[position] == line[column - 1]


@pytest.mark.parametrize(("text", "line"), [("", 1), ("a: 1\n", 7), ("a: 1\n\n", 2), ("a", 0)])
def test_where_there_is_no_line_there_is_no_excerpt(text: str, line: int) -> None:
    assert excerpt(run(text, line, 1)) == []


def test_an_excerpt_cannot_command_the_terminal() -> None:
    shown, _ = excerpt(run("a:\t'\x1b[2J\x07\u202e'\n", 1, 1))
    assert shown == "    1 | a: '?[2J??'"


def unescaped(text: str) -> str:
    return re.sub("%([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), text)


def test_github_reads_back_what_was_written() -> None:
    name, message = "a,b:c%d\n::error::x.yaml", "is 100% wrong:\r\n::set-output name=a::b"
    (line,) = as_github(run("", 3, 5, file=name, message=message)).splitlines()
    command = re.fullmatch("::(?P<severity>[a-z]+) (?P<properties>[^:]*)::(?P<message>.*)", line)
    assert command is not None
    properties = dict(item.split("=", 1) for item in command["properties"].split(","))
    assert command["severity"] == "warning"
    assert {key: unescaped(value) for key, value in properties.items()} == {
        "file": "a,b:c%d\\n::error::x.yaml",
        "line": "3",
        "col": "5",
        "title": "automode:Value",
    }
    assert unescaped(command["message"]) == "spec: is 100% wrong:\\r\\n::set-output name=a::b"
