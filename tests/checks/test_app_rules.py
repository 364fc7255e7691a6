"""Each id that is written in a source is a declared rule, and each declared rule is used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from automode_constructs.cli.explain import explain, list_of_rules, rule_called, rules_page
from automode_constructs.specs.rule import RULES

ROOT = Path(__file__).parents[2]
SOURCES = ("app.py", "automode_constructs", "charts", "stacks", "examples", "tools")
DECLARES = {"rule", "_app_rule"}
NO_RULES = {"automode:external-node-class", "automode:wait", "automode:warning"}
"""Types of construct metadata, which nobody sees."""


@cache
def modules() -> dict[Path, ast.Module]:
    files = [
        file for name in SOURCES for file in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))
    ]
    return {file: ast.parse(file.read_text("utf-8")) for file in files}


def ids_in(node: ast.AST) -> Iterator[str]:
    """Every id in the texts below a node, docstrings included."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield from re.findall(r"automode:[A-Za-z][\w-]*", inner.value)


def declarations(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    """The rules that a module declares: the id, and the name that the rule is given if it is."""
    for statement in tree.body:
        call = statement.value if isinstance(statement, (ast.Assign, ast.Expr)) else None
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in DECLARES:
            target = statement.targets[0] if isinstance(statement, ast.Assign) else None
            yield next(ids_in(call.args[0])), target.id if isinstance(target, ast.Name) else None


def test_every_id_in_a_source_is_a_declared_rule() -> None:
    written = {(id, file.relative_to(ROOT).as_posix()) for file, tree in modules().items() for id in ids_in(tree)}
    assert len(written) > 150
    assert sorted((id, file) for id, file in written if id not in RULES and id not in NO_RULES) == []


def test_every_declared_rule_is_used() -> None:
    declared = [pair for tree in modules().values() for pair in declarations(tree)]
    assert sorted(id for id, _ in declared) == sorted(RULES)
    names = {
        node.id
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    } | {node.attr for tree in modules().values() for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    # Its own declaration writes an id once.
    texts = [
        node.value
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert sorted(id for id, name in declared if name not in names and texts.count(id) < 2) == []


def test_the_app_rules_are_listed_without_the_cdk() -> None:
    code = (
        "import sys, automode_constructs.checks.app_rules as rules\n"
        "assert rules\n"
        "print({'jsii', 'cdk8s', 'aws_cdk', 'constructs'} & sys.modules.keys())"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    assert told.stdout == "set()\n"


def page(id: str) -> str:
    rule = rule_called(id)
    assert not isinstance(rule, str)
    return explain(rule)


def test_what_synthesis_prints_is_explained() -> None:
    text = page("automode:NoAdmin")
    assert "\nKinds:    none; it is about the app\nJudged:   in a CDK app, when it is synthesised\n" in text


def test_a_rule_says_where_it_is_judged() -> None:
    assert "\nJudged:   in each object (automode lint, and when an app is synthesised)\n" in page("UnknownField")
    assert "\nJudged:   in an object beside its older self (automode lint --before)\n" in page("StaticOrDynamic")
    assert "\nJudged:   in the objects of a cluster together (" in page("EqualWeights")
    assert "| `automode:NoAdmin` | warning | app | At least one role has access to the cluster," in rules_page()


def test_an_id_far_from_all_others_has_no_neighbour() -> None:
    assert rule_called("automode:NodePool") == (
        "no rule is called 'automode:NodePool'; 'automode explain' lists them all"
    )
    assert rule_called("noadmn") == "no rule is called 'noadmn'; did you mean automode:NoAdmin?"


def test_the_list_has_a_line_for_each_rule() -> None:
    lines = list_of_rules().splitlines()
    assert [line.split()[0] for line in lines] == sorted(RULES)
    assert all(line.split()[1] in {"error", "warning"} for line in lines)
