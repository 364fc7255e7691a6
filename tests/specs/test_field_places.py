"""A field that stands elsewhere in the object, or in its partner: the message says where it belongs."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.document import judge_document
from automode_constructs.specs.nodes.node_class import NodeClassSpec
from automode_constructs.specs.pools.node_pool import NodeClaimSpec


def pool() -> dict[str, Any]:
    nodes = {
        "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
        "requirements": [{"key": "eks.amazonaws.com/instance-category", "operator": "In", "values": ["m"]}],
    }
    head = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "p"}}
    return {**head, "spec": {"template": {"spec": nodes}, "disruption": {"consolidateAfter": "1m"}}}


def node_class() -> dict[str, Any]:
    selectors = {"subnetSelectorTerms": [{"id": "subnet-0123"}], "securityGroupSelectorTerms": [{"id": "sg-0123"}]}
    head = {"apiVersion": "eks.amazonaws.com/v1", "kind": "NodeClass", "metadata": {"name": "p"}}
    return {**head, "spec": {"role": "nodes", **selectors}}


@pytest.mark.parametrize(
    ("document", "path", "cure"),
    [
        (pool(), "limits", "write it in 'spec'"),
        (pool(), "template", "write it in 'spec'"),
        (pool(), "requirements", "write it in 'spec.template.spec'"),
        (pool(), "labels", "write it in 'spec.template.metadata'"),
        (pool(), "spec.requirements", "write it in 'template.spec'"),
        (pool(), "spec.consolidateAfter", "write it in 'disruption'"),
        (pool(), "spec.disruption.expireAfter", "write it in 'template.spec'"),
        (pool(), "spec.template.spec.labels", "write it in 'template.metadata'"),
        (pool(), "spec.template.spec.limits", "write it further out, beside 'template'"),
        (pool(), "spec.role", "it belongs to a NodeClass: write it in the spec of the pool's class"),
        (pool(), "spec.template.spec.kubelet", "it belongs to a NodeClass: write it in the spec of the pool's class"),
        (node_class(), "role", "write it in 'spec'"),
        (node_class(), "fips", "write it in 'spec.advancedSecurity'"),
        (node_class(), "spec.kmsKeyID", "write it in 'ephemeralStorage'"),
        (node_class(), "spec.taints", "it belongs to a NodePool: write it in its spec.template.spec"),
        (node_class(), "spec.limits", "it belongs to a NodePool: write it in its spec"),
        (node_class(), "spec.labels", "it belongs to a NodePool: write it in its spec.template.metadata"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_field_one_level_off_is_led_to_its_place(document: dict[str, Any], path: str, cure: str) -> None:
    *outer, name = path.split(".")
    at = document
    for part in outer:
        at = at[part]
    at[name] = {}
    cures = [problem.cure for problem in judge_document(document) or () if problem.field == path]
    del at[name]
    assert cures == [cure]


def test_every_field_of_a_class_is_led_from_the_pool_to_the_class() -> None:
    fields = {field.serialization_alias or name for name, field in NodeClassSpec.model_fields.items()}
    assert fields <= NodeClaimSpec.wrong_names.keys()
