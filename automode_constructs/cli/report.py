"""Writes the findings of a linter run: text for people, JSON and SARIF for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from automode_constructs.cli.files import STDIN
from automode_constructs.cli.lint import LintFinding, LintRun
from automode_constructs.errors import on_one_line
from automode_constructs.specs.rule import RULES

__all__ = ["as_json", "as_sarif", "as_text", "summary"]

_COLOURS = {"error": "\x1b[31m", "warning": "\x1b[33m"}
_IN_JSON = ("file", "line", "column", "rule", "severity", "field", "message", "cure", "kind", "name")
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"


def as_text(run: LintRun, *, coloured: bool) -> str:
    """One line for each finding: ``file:line:column rule-id severity: field: message; cure``."""
    return "".join(f"{_line(finding, coloured=coloured)}\n" for finding in run.findings)


def _line(finding: LintFinding, *, coloured: bool) -> str:
    # A file's name may hold anything, including line breaks and terminal escape sequences.
    place = on_one_line(f"{finding.file}:{finding.line}:{finding.column}")
    severity: str = finding.severity
    if coloured:
        place, severity = f"{_BOLD}{place}{_PLAIN}", f"{_COLOURS[severity]}{severity}{_PLAIN}"
    return f"{place} {finding.rule} {severity}: {finding}"


def summary(run: LintRun) -> str:
    """What was checked, and the result, in one line."""
    errors = sum(finding.severity == "error" for finding in run.findings)
    counted = [_counted(run.judged, "document"), "judged,", f"{run.passed_by} of other kinds passed by:"]
    return " ".join([*counted, f"{_counted(errors, 'error')}, {_counted(len(run.findings) - errors, 'warning')}"])


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def as_json(run: LintRun) -> str:
    """All findings and the counts, as JSON."""
    findings = [{name: getattr(finding, name) for name in _IN_JSON} for finding in run.findings]
    return json.dumps({"findings": findings, "judged": run.judged, "passed_by": run.passed_by}, indent=2) + "\n"


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
                "results": [_sarif_result(finding, ids) for finding in run.findings],
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


def _sarif_result(finding: LintFinding, ids: list[str]) -> Mapping[str, Any]:
    return {
        "ruleId": finding.rule,
        "ruleIndex": ids.index(finding.rule),
        "level": finding.severity,
        "message": {"text": str(finding)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(finding.file)},
                    "region": {"startLine": finding.line, "startColumn": finding.column},
                }
            }
        ],
    }


def _uri(file: str) -> str:
    from pathlib import Path
    from urllib.parse import quote

    if file == STDIN:
        return "stdin"
    path = Path(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix().encode("utf-8", "surrogateescape"))
