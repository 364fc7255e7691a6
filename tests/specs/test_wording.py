"""Messages name fields as the reader spells them, and leave everything else as it is."""

from __future__ import annotations

import ast
import copy
import pickle
import string
from pathlib import Path
from typing import Any

import pytest

import automode_constructs
from automode_constructs.checks.document import KINDS
from automode_constructs.errors import Problem
from automode_constructs.specs.messages import inner_model
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.capacity import CapacityReservationSelectorTerm
from automode_constructs.specs.pools.node_pool import NodeClaimSpec, NodeClaimTemplate
from automode_constructs.specs.traffic.network_policy import ApplicationPeer
from automode_constructs.specs.wording import Worded, field_names, worded
from tests.refusal import made, refusal

ALIASES = {"expire_after": "expireAfter", "owner_id": "ownerID"}


def test_a_message_has_both_spellings() -> None:
    message = worded("{names} of {value}", names=field_names(["expire_after", "id"], " and "), value="expire_after")
    assert message == "'expire_after' and 'id' of expire_after"
    assert message.spelt(ALIASES) == "'expireAfter' and 'id' of expire_after"


def test_values_are_not_read_for_placeholders() -> None:
    message = worded("{expire_after} is {value}", value="{owner_id} {")
    assert message == "expire_after is {owner_id} {"
    assert message.spelt(ALIASES) == "expireAfter is {owner_id} {"


def test_a_message_can_be_copied() -> None:
    message = worded("{expire_after}, {count}", count=3)
    for other in (copy.deepcopy(message), pickle.loads(pickle.dumps(message))):
        assert (other, other.spelt(ALIASES)) == (message, "expireAfter, 3")


def _problems(model: type[KubeModel], document: dict[str, Any]) -> list[str]:
    return [str(problem) for problem in model.read(document)[1]]


def test_a_value_that_equals_the_name_of_a_field_stays() -> None:
    requirement = {"key": "kubernetes.io/arch", "operator": "In", "values": ["start_up", "expire_after"]}
    document = {
        "metadata": {"labels": {"kubernetes.io/arch": "node_class_ref", "karpenter.sh/expire_after": "x"}},
        "spec": {"requirements": [requirement], "taints": [{"key": "startup_taints", "effect": "NoSchedule"}] * 2},
    }
    texts = " | ".join(_problems(NodeClaimTemplate, document))
    assert "labels['karpenter.sh/expire_after']: 'karpenter.sh/expire_after' is set by Karpenter itself" in texts
    assert "spec.taints[1]: the nodes have a taint 'startup_taints' with effect NoSchedule already" in texts
    assert "'expire_after'" in texts
    for name in ("nodeClassRef", "expireAfter", "startupTaints"):
        assert name not in texts
    pairs = {"requirements": [], "startup_taints": document["spec"]["taints"]}  # type: ignore[index]
    assert refusal(lambda: made(NodeClaimSpec, **pairs)).startswith("startup_taints[1]: the nodes have a taint ")
    assert _problems(NodeClaimSpec, {"requirements": [], "startupTaints": pairs["startup_taints"]})[0].startswith(
        "startupTaints[1]: the nodes have a taint 'startup_taints' "
    )


@pytest.mark.parametrize(
    ("model", "document", "message"),
    [
        (
            CapacityReservationSelectorTerm,
            {"id": "cr-1", "ownerID": "111122223333"},
            "a term with an 'id' has no other field, got 'ownerID' too; write a term for each way to select",
        ),
        (
            ApplicationPeer,
            {"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}},
            "a peer is selected in one way, got 'podSelector' and 'ipBlock'; write a peer for each",
        ),
        (
            NodeClaimSpec,
            {"requirements": [{"key": "a", "operator": "Exists"}], "expireAfter": "Never"},
            "expireAfter: 'Never' cannot work: Auto Mode replaces every node within 21 days; "
            "with terminationGracePeriod it may be at most 504h",
        ),
    ],
)
def test_yaml_gets_the_names_of_yaml(model: type[KubeModel], document: dict[str, Any], message: str) -> None:
    assert message in _problems(model, document)


def _every_model() -> set[type[KubeModel]]:
    waiting = [kind.model for kind in KINDS]
    for model in waiting:
        inner = [inner_model(field.annotation) for field in model.model_fields.values()]
        waiting += [one for one in inner if one is not None and one not in waiting]
    return set(waiting)


def _templates() -> list[tuple[str, set[str]]]:
    """Every template of the library, with the placeholders that have no value."""
    templates: list[tuple[str, set[str]]] = []
    for path in Path(automode_constructs.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "worded":
                template = node.args[0]
                if isinstance(template, ast.Constant) and isinstance(template.value, str):
                    names = {name for _, name, _, _ in string.Formatter().parse(template.value) if name is not None}
                    templates.append((template.value, names - {keyword.arg for keyword in node.keywords}))
    return templates


def test_every_placeholder_is_a_value_or_a_field_with_two_names() -> None:
    fields = {name: field.serialization_alias for model in _every_model() for name, field in model.model_fields.items()}
    templates = _templates()
    assert len(templates) > 10
    assert [(text, name) for text, names in templates for name in names if fields.get(name, name) == name] == []


def test_no_message_names_such_a_field_outside_a_placeholder() -> None:
    """A name in plain text would reach readers of YAML in Python's spelling."""
    fields = {name for model in _every_model() for name, field in model.model_fields.items() if "_" in name}
    plain = []
    for path in (Path(automode_constructs.__file__).parent / "specs").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "problem":
                for argument in node.args[1:]:
                    texts = [one.value for one in ast.walk(argument) if isinstance(one, ast.Constant)]
                    words = {word for text in texts for word in _words(str(text))}
                    plain += [f"{path.name}:{node.lineno}: {word}" for word in sorted(words & fields)]
    assert plain == []


def _words(text: str) -> set[str]:
    if "{" in text:  # a template: its placeholders are right
        text = "".join(part for part, *_ in string.Formatter().parse(text))
    return {word.strip("'(),;:.") for word in text.split()}


def test_a_problem_keeps_what_it_needs_for_the_other_spelling() -> None:
    problem = Problem(field="a", message=worded("{expire_after}")).under("b")
    assert isinstance(problem.message, Worded)
