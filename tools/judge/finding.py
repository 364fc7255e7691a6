"""What a judge finds, and which findings are acknowledged with a reason."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ACKNOWLEDGED", "Acknowledgement", "Finding", "read", "unacknowledged", "unused"]

ACKNOWLEDGED = Path(__file__).with_name("acknowledged.toml")
"""Every finding that stays, with its reason."""


@dataclass(frozen=True, order=True, slots=True)
class Finding:
    """One rule that one construct or object breaks.

    Args:
        app: the app it was found in (``default``).
        judge: who found it: ``cdk-nag`` or ``checkov``.
        rule: the judge's name of the rule, without the pack's (``LambdaDLQ``, ``CKV_AWS_116``).
        where: the construct path of the resource, or ``Kind/namespace/name`` of the Kubernetes object.
        text: what the judge says.
    """

    app: str
    judge: str
    rule: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.app}: {self.judge}: {self.rule}: {self.where}: {self.text}"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A reason why findings stay. ``*`` in a rule or a place stands for any text."""

    rules: tuple[str, ...]
    where: tuple[str, ...]
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Whether the finding is one of those that the reason is for."""
        return _matches(self.rules, finding.rule) and _matches(self.where, finding.where)


def read(path: Path = ACKNOWLEDGED) -> list[Acknowledgement]:
    """The acknowledgements of a file.

    Raises:
        ValueError: one lacks a rule, a place or a reason, or has another key.
    """
    entries = []
    for number, table in enumerate(tomllib.loads(path.read_text("utf-8"))["acknowledged"], start=1):
        if set(table) != {"rules", "where", "reason"} or not all(table.values()):
            raise ValueError(f"{path.name}: entry {number} needs rules, where and reason, and nothing else")
        entries.append(Acknowledgement(tuple(table["rules"]), tuple(table["where"]), table["reason"]))
    return entries


def unacknowledged(findings: Iterable[Finding], acknowledgements: Sequence[Acknowledgement]) -> list[Finding]:
    """The findings that no reason covers."""
    return sorted({finding for finding in findings if not any(entry.covers(finding) for entry in acknowledgements)})


def unused(findings: Iterable[Finding], acknowledgements: Sequence[Acknowledgement]) -> list[str]:
    """The rules and places of acknowledgements that cover no finding any more."""
    every, stale = list(findings), []
    for entry in acknowledgements:
        covered = [finding for finding in every if entry.covers(finding)]
        stale += [rule for rule in entry.rules if not any(_matches([rule], finding.rule) for finding in covered)]
        stale += [place for place in entry.where if not any(_matches([place], finding.where) for finding in covered)]
    return stale


def _matches(patterns: Iterable[str], text: str) -> bool:
    return any(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text, re.DOTALL) for pattern in patterns)
