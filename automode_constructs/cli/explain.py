"""Explains a rule, and writes the page of all rules."""

from __future__ import annotations

import difflib
import textwrap
from collections.abc import Iterable, Mapping

from automode_constructs.checks import app_rules, change, document, whole_tree

# Each of these files lists its rules when it is imported.
from automode_constructs.cli import lint, reading
from automode_constructs.errors import shown
from automode_constructs.inference import fit, weights
from automode_constructs.specs.rule import RULES, Judged, Rule

__all__ = ["explain", "list_of_rules", "rules_page"]

_HOMES = (app_rules, change, document, fit, lint, reading, weights, whole_tree)
_PREFIX = "automode:"
_APP = "none; it is about the app"
_LIST = "'automode explain' lists them all"

_JUDGED: Mapping[Judged, str] = {
    "document": "in each object (automode lint, and when an app is synthesised)",
    "change": "in an object beside its older self (automode lint --before)",
    "tree": "in the objects of a cluster together (at synthesis; by automode lint where its files show it)",
    "app": "in a CDK app, when it is synthesised",
}


def explain(id: str) -> tuple[str, bool]:
    """The page of a rule, or a suggestion what to ask for; and whether the rule is known."""
    name = id.removeprefix(_PREFIX)
    known = {rule.lower(): rule for rule in (other.removeprefix(_PREFIX) for other in RULES)}
    entry = RULES.get(f"{_PREFIX}{known.get(name.lower(), '')}")
    if entry is None:
        near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.75)
        suggestion = " or ".join(f"{_PREFIX}{known[other]}" for other in near)
        return f"no rule is called {shown(id)}; {f'did you mean {suggestion}?' if near else _LIST}", False
    lines = [
        *textwrap.wrap(entry.sentence, 100),
        "",
        f"Severity: {_severity(entry)}",
        f"Kinds:    {_kinds(entry)}",
        f"Judged:   {_JUDGED[entry.judged]}",
        f"Source:   {entry.source}",
        *([f"Stricter: {entry.stricter}"] if entry.stricter else []),
    ]
    return "".join(f"{line}\n" for line in [entry.id, "", *lines]), True


def list_of_rules() -> str:
    """All rules, one line each: id, severity, and what must hold."""
    width = max(map(len, RULES))
    return "".join(f"{id:{width}}  {rule.severity:7}  {rule.sentence}\n" for id, rule in sorted(RULES.items()))


def _severity(rule: Rule) -> str:
    return f"{rule.severity}; a warning where {rule.warning_where}" if rule.warning_where else rule.severity


def _kinds(rule: Rule) -> str:
    return ", ".join(rule.kinds) if rule.kinds else _APP


def rules_page() -> str:
    """All rules in tables by kind, as Markdown."""
    parts = [
        "# Rules\n",
        "Written from the code; `automode explain RULE-ID` prints one of them.",
        "An error is refused by AWS or Kubernetes, or cannot work; a warning works, at a risk.\n",
        "Each rule is judged:\n",
        *(f"- {judged}: {text};" for judged, text in list(_JUDGED.items())[:-1]),
        f"- app: {_JUDGED['app']}.\n",
    ]
    titles = {_APP: "The app", "all": "All kinds"}
    kinds = sorted({_kinds(rule) for rule in RULES.values()}, key=lambda kinds: (kinds not in titles, kinds))
    for kind in kinds:
        parts += [f"## {titles.get(kind, kind)}\n", "| Rule | Severity | Judged | What must hold | Source |"]
        parts += ["|---|---|---|---|---|"]
        parts += _rows(rule for _, rule in sorted(RULES.items()) if _kinds(rule) == kind)
        parts += [""]
    return "\n".join(parts)


def _rows(rules: Iterable[Rule]) -> list[str]:
    rows = []
    for rule in rules:
        sentence = f"{rule.sentence} Stricter than the CRD: {rule.stricter}" if rule.stricter else rule.sentence
        cells = (f"`{rule.id}`", _severity(rule), rule.judged, sentence, rule.source)
        rows.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return rows
