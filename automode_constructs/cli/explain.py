"""Explains a rule, and writes the page of all rules."""

from __future__ import annotations

import difflib
import json
import textwrap
from collections.abc import Iterable, Mapping
from importlib import import_module
from pkgutil import iter_modules

from automode_constructs import checks

# Each of these files lists its rules when it is imported, as does the spec of each kind.
from automode_constructs.checks.document import KINDS
from automode_constructs.cli import ignores, lint, reading
from automode_constructs.cli.links import links_of
from automode_constructs.errors import shown
from automode_constructs.inference import fit, weights
from automode_constructs.specs.rule import RULES, Judged, Rule

__all__ = ["all_rules", "as_json", "explain", "list_of_rules", "rule_called", "rules_page"]

_HOMES = (
    fit,
    ignores,
    lint,
    reading,
    weights,
    *(import_module(f"{checks.__name__}.{each.name}") for each in iter_modules(checks.__path__)),
    *(kind.model for kind in KINDS),
)
_PREFIX = "automode:"
_LONGEST_NAME = 100
"""In characters: comparing longer texts with ids takes time for nothing."""
_APP = "none; it is about the app"
_LIST = "'automode explain' lists them all"

_JUDGED: Mapping[Judged, str] = {
    "document": "in each object (automode lint, and when an app is synthesised)",
    "change": "in an object beside its older self (automode lint --before)",
    "tree": "in the objects of a cluster together (at synthesis; by automode lint where its files show it)",
    "app": "in a CDK app, when it is synthesised",
}


def rule_called(id: str) -> Rule | str:
    """A rule by its id, with or without ``automode:``, in any case; or words that say that there is none."""
    name = id.strip().removeprefix(_PREFIX).lower()
    known = {other.removeprefix(_PREFIX).lower(): rule for other, rule in RULES.items()}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name[:_LONGEST_NAME], known, n=3, cutoff=0.75)
    suggestion = f"did you mean {' or '.join(known[other].id for other in near)}?" if near else _LIST
    return f"no rule is called {shown(id)}; {suggestion}"


def explain(rule: Rule) -> str:
    """The page of a rule, as text."""
    links = links_of(rule.source)
    lines = [
        *textwrap.wrap(rule.sentence, 100),
        "",
        f"Severity: {_severity(rule)}",
        f"Kinds:    {_kinds(rule)}",
        f"Judged:   {_JUDGED[rule.judged]}",
        f"Source:   {rule.source}",
        *([f"Stricter: {rule.stricter}"] if rule.stricter else []),
        *(f"{'Link:' if number == 0 else '':9} {link}" for number, link in enumerate(links)),
    ]
    return "".join(f"{line}\n" for line in [rule.id, "", *lines])


def as_json(rules: Iterable[Rule]) -> str:
    """Rules as JSON: a list of all that is known about each."""
    return json.dumps([rule._asdict() | {"links": links_of(rule.source)} for rule in rules], indent=2) + "\n"


def all_rules() -> list[Rule]:
    """All rules in the order of their ids."""
    return [rule for _, rule in sorted(RULES.items())]


def list_of_rules() -> str:
    """All rules, one line each: id, severity, and what must hold."""
    width = max(map(len, RULES))
    return "".join(f"{rule.id:{width}}  {rule.severity:7}  {rule.sentence}\n" for rule in all_rules())


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
        parts += _rows(rule for rule in all_rules() if _kinds(rule) == kind)
        parts += [""]
    return "\n".join(parts)


def _rows(rules: Iterable[Rule]) -> list[str]:
    rows = []
    for rule in rules:
        sentence = f"{rule.sentence} Stricter than the CRD: {rule.stricter}" if rule.stricter else rule.sentence
        cells = (f"`{rule.id}`", _severity(rule), rule.judged, sentence, rule.source)
        rows.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return rows
