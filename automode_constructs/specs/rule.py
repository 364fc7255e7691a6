"""A rule: what must hold, how bad it is if it does not, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from automode_constructs.errors import AutoModeError, Problem

__all__ = ["RULES", "Rule", "Severity", "rule"]

Severity = Literal["error", "warning"]
"""``error``: AWS or Kubernetes refuses it, or it cannot work. ``warning``: it works, at a risk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One rule with its stable id.

    Args:
        id: ``automode:`` and a name that never changes: users acknowledge warnings by it.
        severity: ``error`` or ``warning``.
        kinds: the Kubernetes kinds it is about.
        sentence: what must hold, as one sentence.
        source: the AWS page, CRD or thread it comes from.
        stricter: why we refuse what the CRD would admit, or ``""`` where we do not.
        warning_where: where an error is a warning only, because not all that matters is known; ``""`` for nowhere.
    """

    id: str
    severity: Severity
    kinds: tuple[str, ...]
    sentence: str
    source: str
    stricter: str = ""
    warning_where: str = ""

    def problem(self, field: str, message: str, cure: str = "") -> Problem:
        """A breach of this rule."""
        return Problem(field=field, message=message, cure=cure, rule=self.id)

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
) -> Rule:
    """Makes a rule and lists it."""
    made = Rule(
        id=id,
        severity=severity,
        kinds=kinds,
        sentence=sentence,
        source=source,
        stricter=stricter,
        warning_where=warning_where,
    )
    if RULES.setdefault(id, made) != made:
        raise ValueError(f"two rules are called {id}")
    return made
