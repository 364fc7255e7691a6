"""A frozen spec is varied by ``replace``, which judges; what was changed unjudged is found by ``validated``."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.specs import labels
from automode_constructs.specs.nodes.node_class import NodeClassSpec, SecurityGroupSelectorTerm, SubnetSelectorTerm
from automode_constructs.specs.pools.node_pool import (
    Budget,
    Disruption,
    NodeClaimSpec,
    NodeClaimTemplate,
    NodeMetadata,
    NodePoolSpec,
)
from automode_constructs.specs.traffic.ingress import IngressSpec
from tests.refusal import refusal

NODES = NodeClassSpec(
    role="nodes",
    subnet_selector_terms=[SubnetSelectorTerm(id="subnet-1")],
    security_group_selector_terms=[SecurityGroupSelectorTerm(id="sg-1")],
)
POOL = NodePoolSpec(
    template=NodeClaimTemplate(
        metadata=NodeMetadata(labels={labels.ZONE: "us-east-1a"}),
        spec=NodeClaimSpec(requirements=[labels.INSTANCE_CATEGORY.is_in("m")]),
    ),
    disruption=Disruption(consolidate_after="30s", budgets=[Budget(nodes="10%")]),
    limits={"cpu": 100},
)


def test_replace_changes_a_copy() -> None:
    profiled = NODES.replace(role=None, instance_profile="nodes", tags={"team": "ml"})
    assert (profiled.role, profiled.instance_profile, profiled.tags) == (None, "nodes", {"team": "ml"})
    assert profiled.subnet_selector_terms == NODES.subnet_selector_terms
    assert (NODES.role, NODES.instance_profile, NODES.tags) == ("nodes", None, None)
    assert POOL.replace() == POOL
    assert POOL.replace(weight=7).replace(weight=None) == POOL


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1], "template: is given by its position: 1; write template=..."),
        ([Disruption()], "disruption: is given by its position: a Disruption; write disruption=..."),
    ],
)
def test_replace_takes_values_by_name_only(values: list[Any], message: str) -> None:
    assert refusal(lambda: POOL.replace(*values)) == message


def test_replace_takes_lists_and_mappings_as_the_class_does() -> None:
    changed = NODES.replace(subnet_selector_terms=[{"id": "subnet-2"}])
    assert changed.subnet_selector_terms == (SubnetSelectorTerm(id="subnet-2"),)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rol": "x"}, "rol: is not a known field; did you mean 'role'? Use one of "),
        ({"tags": 3}, "tags: needs a mapping, got 3"),
        ({"snatPolicy": "Random"}, "snatPolicy: is not a known field; did you mean 'snat_policy'?"),
        ({"role": None}, "role: a NodeClass needs exactly one of 'role' and 'instance_profile', got neither"),
        ({"subnet_selector_terms": None}, "subnet_selector_terms: needs a list, got None"),
        (
            {"role": None, "tags": {"aws:x": "y"}},
            "2 problems\n  role: a NodeClass needs exactly one of 'role' and 'instance_profile', got neither\n"
            "  tags: the tag key 'aws:x' is reserved for Auto Mode; remove it",
        ),
    ],
)
def test_replace_judges_the_result(changes: dict[str, Any], message: str) -> None:
    assert refusal(lambda: NODES.replace(**changes)).startswith(message)


def test_a_spec_that_is_right_is_validated_as_it_is() -> None:
    assert NODES.validated() is NODES
    assert POOL.validated() is POOL


def test_a_list_that_an_unjudged_copy_holds_is_kept_as_a_model_keeps_it() -> None:
    copied = NODES.model_copy(update={"subnet_selector_terms": [SubnetSelectorTerm(id="subnet-2")]})
    assert copied.validated().subnet_selector_terms == (SubnetSelectorTerm(id="subnet-2"),)


def test_fields_that_only_kubernetes_knows_outlive_both() -> None:
    document = {"ingressClassName": "alb", "newer": {"a": [1]}}
    spec = IngressSpec.from_manifest(document)
    assert spec.validated() is spec
    assert spec.replace().to_manifest() == document


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"weight": "high"}, "weight: needs a whole number, got 'high'"),
        ({"weigth": 1}, "weigth: is not a known field; did you mean 'weight'?"),
        (
            {"disruption": Disruption(consolidate_after="30s").model_copy(update={"budgets": [{"nodes": "many"}]})},
            "disruption.budgets[0].nodes: 'many' is not a number of nodes ('5') or a share ('10%')",
        ),
        (
            {"template": NodeClaimTemplate.model_construct(spec=NodeClaimSpec.model_construct(requirements=["m"]))},
            "template.spec.requirements[0]: needs a mapping, got 'm'",
        ),
    ],
)
def test_what_was_changed_unjudged_is_found_at_any_depth(update: dict[str, Any], message: str) -> None:
    assert refusal(lambda: POOL.model_copy(update=update).validated()).startswith(message)


def test_a_broken_field_silences_only_the_rules_that_look_at_it() -> None:
    taint = {"key": "team", "effect": "NoSchedule"}
    _, problems = NodeClaimSpec.read({"requirements": [], "expireAfter": "soon", "taints": [taint, taint]})
    assert [(problem.field, problem.rule) for problem in problems] == [
        ("expireAfter", "automode:Value"),
        ("taints[1]", "automode:DuplicateTaint"),
        ("requirements", "automode:NoRequirements"),
    ]
    _, problems = NodeClassSpec.read({**NODES.to_manifest(), "role": 5, "tags": {"aws:x": "y"}})
    assert [problem.field for problem in problems] == ["role", "tags"]
