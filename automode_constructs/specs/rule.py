"""A rule: what must hold, how severe a breach is, and its source."""

from __future__ import annotations

from typing import Literal, NamedTuple

from automode_constructs.errors import AutoModeError, Problem, Severity

__all__ = ["RULES", "Judged", "Rule", "rule"]

Judged = Literal["document", "change", "tree", "app"]
"""What a check needs: one object; an object and its old version; the objects of a cluster; the CDK app."""


class Rule(NamedTuple):
    """One rule with its stable id.

    Args:
        id: ``automode:`` and a name that never changes: users acknowledge warnings by it.
        severity: ``error`` or ``warning``.
        kinds: the Kubernetes kinds it is about. Default: none; it is about the app.
        sentence: what must hold, as one sentence.
        source: the AWS page, CRD or thread it comes from.
        stricter: why we refuse what the CRD would admit, or ``""`` where we do not.
        warning_where: where an error is only a warning, because not everything is known there; ``""`` for nowhere.
        judged: what is needed to check it.
    """

    id: str
    severity: Severity
    kinds: tuple[str, ...]
    sentence: str
    source: str
    stricter: str = ""
    warning_where: str = ""
    judged: Judged = "document"

    def problem(self, field: str, message: str, cure: str = "", *, severity: Severity | None = None) -> Problem:
        """A breach of this rule, as bad as the rule says unless ``severity`` is given."""
        return Problem(field=field, message=message, cure=cure, rule=self.id, severity=severity or self.severity)

    def broken(self, field: str, message: str, cure: str = "") -> AutoModeError:
        """A breach of this rule, to be raised."""
        return AutoModeError("", [self.problem(field, message, cure)])


RULES: dict[str, Rule] = {}
"""Every rule by its id. A rule stands beside the model it judges; importing all specs fills this."""


def rule(
    id: str,
    *kinds: str,
    severity: Severity,
    sentence: str,
    source: str,
    stricter: str = "",
    warning_where: str = "",
    judged: Judged = "document",
) -> Rule:
    """Makes a rule and lists it."""
    new = Rule(
        id=id,
        severity=severity,
        kinds=kinds,
        sentence=sentence,
        source=source,
        stricter=stricter,
        warning_where=warning_where,
        judged=judged,
    )
    if RULES.setdefault(id, new) != new:
        raise ValueError(f"two rules are called {id}")
    return new
