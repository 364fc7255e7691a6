"""Says what a rule wants, and writes the page of all rules."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable

from automode_constructs.checks import document, whole_tree

# Each of these files lists its rules when it is imported.
from automode_constructs.cli import lint, reading
from automode_constructs.errors import shown
from automode_constructs.inference import fit, weights
from automode_constructs.specs.rule import RULES, Rule

__all__ = ["explain", "rules_page"]

_HOMES = (document, fit, lint, reading, weights, whole_tree)


def explain(id: str) -> tuple[str, bool]:
    """The page of a rule, or what to ask for instead; and whether the rule is known."""
    wanted = id if id.startswith("automode:") else f"automode:{id}"
    found = RULES.get(wanted)
    if found is None:
        near = difflib.get_close_matches(wanted, RULES, n=3)
        cure = f"did you mean {' or '.join(near)}?" if near else "docs/rules.md lists them all"
        return f"no rule is called {shown(id)}; {cure}", False
    lines = [
        *textwrap.wrap(found.sentence, 100),
        "",
        f"Severity: {_severity(found)}",
        f"Kinds:    {_kinds(found)}",
        f"Source:   {found.source}",
        *([f"Stricter: {found.stricter}"] if found.stricter else []),
    ]
    return "".join(f"{line}\n" for line in [found.id, "", *lines]), True


def _severity(rule: Rule) -> str:
    return f"{rule.severity}; a warning where {rule.warning_where}" if rule.warning_where else rule.severity


def _kinds(rule: Rule) -> str:
    return ", ".join(rule.kinds) if rule.kinds else "all"


def rules_page() -> str:
    """All rules in tables by kind, as Markdown."""
    parts = [
        "# Rules\n",
        "Written by `make rules` from the code; `automode explain RULE-ID` prints one of them.",
        "An error is refused by AWS or Kubernetes, or cannot work; a warning works, at a risk.\n",
    ]
    kinds = sorted({_kinds(rule) for rule in RULES.values()}, key=lambda kinds: (kinds != "all", kinds))
    for kind in kinds:
        parts += [f"## {'All kinds' if kind == 'all' else kind}\n", "| Rule | Severity | What must hold | Source |"]
        parts += ["|---|---|---|---|"]
        parts += _rows(rule for _, rule in sorted(RULES.items()) if _kinds(rule) == kind)
        parts += [""]
    return "\n".join(parts)


def _rows(rules: Iterable[Rule]) -> list[str]:
    rows = []
    for rule in rules:
        sentence = f"{rule.sentence} Stricter than the CRD: {rule.stricter}" if rule.stricter else rule.sentence
        cells = (f"`{rule.id}`", _severity(rule), sentence, rule.source)
        rows.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return rows
