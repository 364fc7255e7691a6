"""Which rules a run reports: ``--select`` and ``--ignore``, and the settings of the folder that a file is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from automode_constructs.cli.config import Settings, judged_by_lint, settings_for
from automode_constructs.cli.lint import LintFinding, LintRun
from automode_constructs.cli.reading import UNREADABLE_INPUT

__all__ = ["Selection", "choose", "selection_of"]

_MARK = "automode"
"""What each text has that has a comment for the linter."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What the command line selects and ignores; the settings of each file's folder stand behind it."""

    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    _cache: dict[str, Settings] = field(default_factory=dict)

    def reports(self, rule: str, file: str) -> bool:
        """Whether findings of a rule in a file are reported; that something could not be read always is."""
        if rule == UNREADABLE_INPUT.id:
            return True
        if rule in self.ignore:
            return False
        settings = self._settings(file)
        if self.select:
            return rule in self.select and not settings.ignores_in(file, rule)
        selected = not settings.select or rule in settings.select
        return selected and rule not in settings.ignore and not settings.ignores_in(file, rule)

    def is_strict(self, file: str) -> bool:
        """Whether the settings let warnings in a file fail."""
        return self._settings(file).strict

    def _settings(self, file: str) -> Settings:
        return settings_for(file, self._cache)


def selection_of(select: Sequence[str], ignore: Sequence[str]) -> Selection:
    """What the options ``--select`` and ``--ignore`` ask for.

    Args:
        select: the values of ``--select``, each one or more ids with commas between them.
        ignore: those of ``--ignore``.

    Raises:
        AutoModeError: for ids that the linter does not report, or that cannot be ignored.
    """
    return Selection(
        select=judged_by_lint(_ids(select), option="--select"),
        ignore=judged_by_lint(_ids(ignore), option="--ignore", ignoring=True),
    )


def _ids(values: Sequence[str]) -> list[str]:
    return [id for value in values for id in value.split(",")]


def choose(run: LintRun, selection: Selection) -> None:
    """Takes from a run what the selection, the settings and the comments in its files leave out.

    Raises:
        AutoModeError: for settings that are wrong.
    """
    findings: dict[str, list[LintFinding]] = {}
    for finding in run.findings:
        if selection.reports(finding.rule, finding.file):
            findings.setdefault(finding.file, []).append(finding)
    for file, text in run.texts.items():
        if _MARK in text:
            from automode_constructs.cli.ignores import without_ignored

            kept = without_ignored(findings.pop(file, []), text, file, partial(selection.reports, file=file))
            if kept:
                findings[file] = kept
    run.findings = [finding for own in findings.values() for finding in own]
    run.strict_files = {file for file in findings if selection.is_strict(file)}
    run.sort()
