"""Reads ``# automode: ignore=RULE reason`` in YAML, and takes away the findings that it names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import yaml

from automode_constructs.cli.config import judged_by_lint
from automode_constructs.cli.lint import LintFinding
from automode_constructs.cli.reading import LOADER, UNREADABLE_INPUT, Place
from automode_constructs.errors import AutoModeError, Problem, shown
from automode_constructs.specs.rule import rule

__all__ = ["without_ignored"]

IGNORE_COMMENT = rule(
    "automode:IgnoreComment",
    "all",
    severity="error",
    sentence="A comment that ignores a finding names rules that automode lint knows, and the reason.",
    source="the automode command",
)
UNUSED_IGNORE = rule(
    "automode:UnusedIgnore",
    "all",
    severity="warning",
    sentence="A comment that ignores findings of a rule stands where the rule has one.",
    source="the automode command",
)

_FORM = "write '# automode: ignore=RULE reason', with commas between several rules"
_MARK = re.compile(r"#[ \t]*automode[ \t]*:[ \t]*(?P<text>(?i:ignore)\b[^\r\n]*)")
_IGNORE = re.compile(r"ignore=(?P<ids>[\w:-]*\w(?:[ \t]*,[ \t]*[\w:-]*\w)*)(?P<reason>.*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Comment:
    text: str
    place: Place
    first: int
    last: int
    """The lines whose findings it ignores."""


def without_ignored(
    findings: list[LintFinding], text: str, file: str, reports: Callable[[str], bool]
) -> list[LintFinding]:
    """The findings of a file that no comment ignores, and those about its comments.

    Args:
        findings: the findings of the file; if it could not be read to its end, its comments count for nothing.
        text: the text of the file.
        file: its path.
        reports: whether findings of a rule are reported.
    """
    unreadable = any(finding.rule == UNREADABLE_INPUT.id for finding in findings)
    if unreadable or not _MARK.search(text):
        return findings
    kept = findings
    own: list[LintFinding] = []
    for comment in _comments(text):
        ids, problem = _read(comment.text)
        if problem is not None:
            own.append(_finding(problem, file, comment))
            continue
        for id in sorted(ids):
            rest = [
                finding for finding in kept if finding.rule != id or not comment.first <= finding.line <= comment.last
            ]
            if len(rest) == len(kept) and reports(id):
                words = f"{id} has no finding here, and a later one would be left out"
                own.append(_finding(UNUSED_IGNORE.problem("", words, "take the comment away"), file, comment))
            kept = rest
    return kept + [finding for finding in own if reports(finding.rule)]


def _finding(problem: Problem, file: str, comment: _Comment) -> LintFinding:
    line, column = comment.place
    return LintFinding(
        field="",
        message=problem.message,
        cure=problem.cure,
        rule=problem.rule,
        severity=problem.severity,
        file=file,
        line=line,
        column=column,
    )


def _read(text: str) -> tuple[frozenset[str], Problem | None]:
    """The rules that a comment ignores; or what is wrong with it."""
    read = _IGNORE.fullmatch(text)
    if read is None:
        return frozenset(), IGNORE_COMMENT.problem("", f"{shown(text)} is not understood", _FORM)
    try:
        ids = judged_by_lint(re.split(r"[ \t]*,[ \t]*", read["ids"]), option="", ignoring=True)
    except AutoModeError as error:
        (problem,) = error.problems
        return frozenset(), IGNORE_COMMENT.problem("", problem.message, problem.cure)
    if not re.search(r"\w", read["reason"]):
        return frozenset(), IGNORE_COMMENT.problem("", f"{shown(text)} has no reason", _FORM)
    return ids, None


def _comments(text: str) -> Iterator[_Comment]:
    """The comments that ignore something, with the lines that they are about.

    A comment behind something is about its own line, one on a line of its own about the next line that is no comment,
    and one before the first line of a document about the whole document.
    """
    lines = re.split(r"\r\n|\r|\n", text)
    scalars, documents = _parts(text)
    for number, line in enumerate(lines, 1):
        for found in _MARK.finditer(line):
            place = (number, found.start() + 1)
            if any(start <= place < end for start, end in scalars) or not _may_begin(line, found.start()):
                continue
            alone = not line[: found.start()].strip()
            first = last = number
            if alone:
                first = last = next(
                    (after for after in range(number + 1, len(lines) + 1) if _is_content(lines[after - 1])), number
                )
            for start, content, end in documents:
                if start <= number < content:
                    first, last = content, end
            yield _Comment(text=found["text"].rstrip(), place=place, first=first, last=last)
            break


def _may_begin(line: str, at: int) -> bool:
    return at == 0 or line[at - 1] in " \t"


def _is_content(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith("#")


def _parts(text: str) -> tuple[list[tuple[Place, Place]], list[tuple[int, int, int]]]:
    """The places of scalars; and of each document the first line, that of its content, and the last."""
    scalars: list[tuple[Place, Place]] = []
    starts: list[list[int]] = [[1, 0]]
    for token in yaml.scan(text, Loader=LOADER):
        line = token.start_mark.line + 1
        if isinstance(token, yaml.ScalarToken):
            scalars.append((_place(token.start_mark), _place(token.end_mark)))
        if isinstance(token, (yaml.DocumentStartToken, yaml.DocumentEndToken)):
            if starts[-1][1]:
                starts.append([line, 0])
        elif not starts[-1][1] and not isinstance(
            token, (yaml.StreamStartToken, yaml.StreamEndToken, yaml.DirectiveToken)
        ):
            starts[-1][1] = line
    ends = [start - 1 for start, _ in starts[1:]] + [len(text) + 1]
    return scalars, [(start, content, end) for (start, content), end in zip(starts, ends, strict=True) if content]


def _place(mark: yaml.Mark) -> Place:
    return mark.line + 1, mark.column + 1
