"""Writes the findings of a linter run: text for people, JSON and SARIF for machines.

Machines also get the changes that ``lint --fix`` makes.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from automode_constructs.cli.files import STDIN
from automode_constructs.cli.lint import LintFinding, LintRun
from automode_constructs.errors import on_one_line
from automode_constructs.specs.rule import RULES

if TYPE_CHECKING:
    from automode_constructs.cli.fix_text import Change

__all__ = ["as_github", "as_json", "as_sarif", "as_text", "summary"]

_COLOURS = {"error": "\x1b[31m", "warning": "\x1b[33m"}
_IN_JSON = ("file", "line", "column", "rule", "severity", "field", "message", "cure", "kind", "name")
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def as_text(run: LintRun, *, coloured: bool, width: int | None = None) -> str:
    """One line for each finding: ``file:line:column rule-id severity: field: message; cure``.

    Args:
        run: the run.
        coloured: whether severities have colours.
        width: the width of the terminal, for people, who also see the line of each finding. Default: no terminal.
    """
    lines = []
    for finding in run.findings:
        lines.append(_line(finding, coloured=coloured))
        if width is not None:
            lines += _excerpt(finding, run.texts.get(finding.file, ""), coloured=coloured, width=width)
    return "".join(f"{line}\n" for line in lines)


def _line(finding: LintFinding, *, coloured: bool) -> str:
    # A file's name may hold anything, including line breaks and terminal escape sequences.
    place = on_one_line(f"{finding.file}:{finding.line}:{finding.column}")
    severity: str = finding.severity
    if coloured:
        place, severity = f"{_BOLD}{place}{_PLAIN}", f"{_COLOURS[severity]}{severity}{_PLAIN}"
    return f"{place} {finding.rule} {severity}: {finding}"


_LINE_ENDS = r"\r\n|\r|\n"


def _excerpt(finding: LintFinding, text: str, *, coloured: bool, width: int) -> list[str]:
    """The line of a finding, and carets under the word that it is about."""
    lines = re.split(_LINE_ENDS, text, maxsplit=finding.line)
    if not 0 < finding.line <= len(lines) or not lines[finding.line - 1].strip():
        return []
    line = lines[finding.line - 1]
    margin = f"{finding.line:5} | "
    room = max(width - len(margin) - 1, 20)
    at = finding.column - 1
    start = max(0, at - room // 2) if len(line) > room else 0
    before, word = _on_screen(line[start:at]), re.match(r"[\w./-]+|.", line[at:])
    marked = _on_screen(word[0] if word else "")[: max(1, room - len(before))]
    carets = "^" * max(1, _columns(marked))
    if coloured:
        carets = f"{_COLOURS[finding.severity]}{carets}{_PLAIN}"
    shown_line = before + _on_screen(line[at:])
    return [f"{margin}{shown_line[:room]}", f"{'':5} | {' ' * _columns(before)}{carets}"]


def _on_screen(text: str) -> str:
    """Text that cannot move the cursor: a tab is one blank, and what does not print is a question mark."""
    return "".join(" " if character == "\t" else character if character.isprintable() else "?" for character in text)


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text)


def summary(run: LintRun) -> str:
    """What was checked, and the result, in one line."""
    errors = sum(finding.severity == "error" for finding in run.findings)
    counted = [_counted(run.judged, "document"), "judged,", f"{run.passed_by} of other kinds passed by:"]
    return " ".join([*counted, f"{_counted(errors, 'error')}, {_counted(len(run.findings) - errors, 'warning')}"])


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def as_json(run: LintRun) -> str:
    """All findings and the counts, as JSON."""
    findings = [
        {
            **{name: getattr(finding, name) for name in _IN_JSON},
            "fixable": bool(parts),
            "edits": [{"start": part.start, "end": part.end, "text": part.text} for part in parts],
        }
        for finding, parts in _with_edits(run)
    ]
    return json.dumps({"findings": findings, "judged": run.judged, "passed_by": run.passed_by}, indent=2) + "\n"


@dataclass(frozen=True, slots=True)
class _Edit:
    """A part of a file, between two places, and what stands there instead."""

    start: _Position
    end: _Position
    text: str


class _Position(TypedDict):
    line: int
    column: int


def _with_edits(run: LintRun) -> Iterator[tuple[LintFinding, Sequence[_Edit]]]:
    """Each finding with the parts of its file that its cure replaces; none if it is not exact or cannot be made."""
    from automode_constructs.cli.fix_text import replacements

    changes: dict[str, list[Change]] = {}
    for finding in run.findings:
        if finding.change is not None:
            changes.setdefault(finding.file, []).append(finding.change)
    edits: dict[tuple[str, Change | None], list[_Edit]] = {}
    for file, those in changes.items():
        text = run.texts[file]
        starts = [0, *(end.end() for end in re.finditer(_LINE_ENDS, text))]
        for change, parts in replacements(text, those).items():
            edits[file, change] = [
                _Edit(_position(starts, part.start), _position(starts, part.end), part.text) for part in parts
            ]
    for finding in run.findings:
        yield finding, edits.get((finding.file, finding.change), ())


def _position(starts: Sequence[int], index: int) -> _Position:
    line = bisect_right(starts, index)
    return {"line": line, "column": index - starts[line - 1] + 1}


def as_github(run: LintRun) -> str:
    """Workflow commands, which GitHub Actions show beside the changed line. Source: actions/toolkit, command.ts."""
    return "".join(
        f"::{finding.severity} file={_property(finding.file)},line={finding.line},col={finding.column},"
        f"title={_property(finding.rule)}::{_data(str(finding))}{' (lint --fix makes this change)' if parts else ''}\n"
        for finding, parts in _with_edits(run)
    )


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(on_one_line(text)).replace(":", "%3A").replace(",", "%2C")


def as_sarif(run: LintRun) -> str:
    """All findings as SARIF 2.1.0, which code hosts show beside the changed line."""
    ids = sorted({finding.rule for finding in run.findings})
    driver = {
        "name": "automode",
        "rules": [_sarif_rule(id) for id in ids],
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": not run.unusable}],
                "results": [_sarif_result(finding, ids, parts) for finding, parts in _with_edits(run)],
            }
        ],
    }
    return json.dumps(log, indent=2) + "\n"


def _sarif_rule(id: str) -> Mapping[str, Any]:
    known = RULES.get(id)
    if known is None:
        return {"id": id}
    return {
        "id": id,
        "name": id.partition(":")[2],
        "shortDescription": {"text": known.sentence},
        "help": {"text": f"Source: {known.source}" + (f"\n{known.stricter}" if known.stricter else "")},
        "defaultConfiguration": {"level": known.severity},
    }


def _sarif_result(finding: LintFinding, ids: list[str], parts: Sequence[_Edit]) -> Mapping[str, Any]:
    file = {"uri": _uri(finding.file)}
    result = {
        "ruleId": finding.rule,
        "ruleIndex": ids.index(finding.rule),
        "level": finding.severity,
        "message": {"text": str(finding)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": file,
                    "region": {"startLine": finding.line, "startColumn": finding.column},
                }
            }
        ],
    }
    if parts:
        replaced = [{"deletedRegion": _region(part), "insertedContent": {"text": part.text}} for part in parts]
        change = {"artifactLocation": file, "replacements": replaced}
        result["fixes"] = [{"description": {"text": str(finding.cure)}, "artifactChanges": [change]}]
    return result


def _region(part: _Edit) -> Mapping[str, int]:
    start, end = part.start, part.end
    return {
        "startLine": start["line"],
        "startColumn": start["column"],
        "endLine": end["line"],
        "endColumn": end["column"],
    }


def _uri(file: str) -> str:
    from pathlib import Path
    from urllib.parse import quote

    if file == STDIN:
        return "stdin"
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix().encode("utf-8", "surrogateescape"))
