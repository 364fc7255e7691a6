"""Our specs against the CRDs they write to, as ``crds.json`` keeps them, and against anything a YAML file may hold.

Auto Mode's own CRDs are of February 2025.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any, get_args

import pytest
from hypothesis import given, settings

from automode_constructs.errors import AutoModeError, Problem
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.nodes.node_class import NodeClassSpec
from automode_constructs.specs.nodes.node_diagnostic import NodeDiagnosticSpec
from automode_constructs.specs.pools.node_pool import NodePoolSpec, duration_in_seconds
from automode_constructs.specs.rule import RULES
from automode_constructs.specs.storage.storage_class import StorageClassSpec
from automode_constructs.specs.storage.volume_attributes_class import VolumeAttributesClassSpec
from automode_constructs.specs.storage.volume_snapshot_class import VolumeSnapshotClassSpec
from automode_constructs.specs.traffic.gateway_class import GatewayClassSpec
from automode_constructs.specs.traffic.ingress import IngressSpec
from automode_constructs.specs.traffic.ingress_class import IngressClassParamsSpec, IngressClassSpec
from automode_constructs.specs.traffic.network_load_balancer import (
    NetworkLoadBalancerAnnotations,
    NetworkLoadBalancerServiceSpec,
)
from automode_constructs.specs.traffic.network_policy import (
    ApplicationNetworkPolicySpec,
    ClusterNetworkPolicySpec,
    NetworkPolicySwitch,
)
from automode_constructs.specs.traffic.target_group_binding import TargetGroupBindingSpec
from tests.specs.crds import (
    APPLICATION_POLICY_CRD,
    BINDING_CRD,
    CLUSTER_POLICY_CRD,
    DIAGNOSTIC_CRD,
    NODE_CLASS_CRD,
    NODE_POOL_CRDS,
    PARAMS_CRD,
    complaints,
    crds,
    steps_of,
)
from tests.specs.documents import (
    APPLICATION_POLICY,
    BINDING,
    CLASS,
    CLUSTER_POLICY,
    DIAGNOSTIC,
    NEWEST,
    PARAMS,
    POOL,
    REFERENCE,
    any_documents,
    ingress_params,
    node_classes,
    node_diagnostics,
    node_pools,
    target_group_bindings,
    with_one_fault,
)

steady = settings(max_examples=60, deadline=None, derandomize=True, database=None)

_OPEN_SOURCE_PARAMS = "kubernetes-sigs/aws-load-balancer-controller, CRD ingressclassparams.elbv2.k8s.aws"
NEWER: dict[str, dict[tuple[str, ...], str]] = {
    NODE_CLASS_CRD: {
        ("instanceProfile",): "EKS Auto Mode release notes, 30 Sep 2025",
        ("podSubnetSelectorTerms",): "EKS Auto Mode release notes, 13 Jun 2025",
        ("podSecurityGroupSelectorTerms",): "EKS Auto Mode release notes, 13 Jun 2025",
        ("ephemeralStorage", "kmsKeyID"): "EKS Auto Mode release notes, 11 Apr 2025",
        ("certificateBundles",): "EKS Auto Mode release notes, 11 Apr 2025",
        ("capacityReservationSelectorTerms",): "EKS Auto Mode release notes, 20 Jun 2025",
        ("placementGroupSelector",): "EKS Auto Mode release notes, 5 May 2026",
        ("advancedNetworking",): "EKS Auto Mode release notes, 30 Apr 2025",
        ("advancedNetworking", "httpsProxy"): "EKS Auto Mode release notes, 30 Apr 2025",
        ("advancedNetworking", "noProxy"): "EKS Auto Mode release notes, 30 Apr 2025",
        ("advancedNetworking", "associatePublicIPAddress"): "EKS Auto Mode release notes, 6 Aug 2025",
        ("advancedNetworking", "ipv4PrefixSize"): "EKS Auto Mode release notes, 19 Dec 2025",
        ("advancedNetworking", "enableV4Egress"): "EKS Auto Mode release notes, 2 Feb 2026",
        ("advancedNetworking", "networkInterfaces"): "EKS Auto Mode release notes, 21 Jul 2026",
        ("advancedSecurity",): "EKS Auto Mode release notes, 23 Oct 2025",
        ("advancedSecurity", "fips"): "EKS Auto Mode release notes, 23 Oct 2025",
        (
            "advancedSecurity",
            "kernelLockdown",
        ): "EKS User Guide, 'Configure advanced security settings for nodes', first seen in 2026",
        ("advancedCompute",): "EKS User Guide, 'Create a Node Class for Amazon EKS', Sep 2026",
        ("advancedCompute", "hugepages"): "EKS User Guide, 'Create a Node Class for Amazon EKS', Sep 2026",
        ("advancedCompute", "kubelet"): "EKS User Guide, 'Create a Node Class for Amazon EKS', after Sep 2026",
        ("advancedCompute", "kernel"): "EKS User Guide, 'Create a Node Class for Amazon EKS', after Sep 2026",
    },
    PARAMS_CRD: {
        ("prefixListsIDs",): "EKS Auto Mode release notes, 27 Jul 2026",
        ("loadBalancerName",): "EKS Auto Mode release notes, 27 Jul 2026",
        ("targetType",): "EKS Auto Mode release notes, 27 Jul 2026",
        ("minimumLoadBalancerCapacity",): _OPEN_SOURCE_PARAMS,
        ("ipamConfiguration",): _OPEN_SOURCE_PARAMS,
        ("sslRedirectPort",): _OPEN_SOURCE_PARAMS,
        ("wafv2AclArn",): _OPEN_SOURCE_PARAMS,
        ("wafv2AclName",): _OPEN_SOURCE_PARAMS,
    },
    BINDING_CRD: {("multiClusterTargetGroup",): "EKS Auto Mode release notes, 5 Aug 2026"},
    DIAGNOSTIC_CRD: {("packetCapture",): "EKS User Guide, 'Capture network traffic on a managed node'"},
}
"""Fields that are newer than our CRD of a kind of Auto Mode's, with where AWS announced them."""


def _as_of_crd(name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what is newer than the CRD. That of a NodeClass still requires a role."""
    known = copy.deepcopy(dict(document))
    for *outer, last in NEWER.get(name, ()):
        at: Any = known
        for part in outer:
            at = at.get(part) if isinstance(at, dict) else None
        if isinstance(at, dict):
            at.pop(last, None)
    return {"role": "nodes", **known} if name == NODE_CLASS_CRD else known


def _complaints(name: str, document: Mapping[str, Any]) -> list[str]:
    return complaints(name, _as_of_crd(name, document))


def _pool_complaints(document: Mapping[str, Any]) -> list[str]:
    return [complaint for name in NODE_POOL_CRDS for complaint in complaints(name, document)]


# Round trips.


@steady
@given(node_pools)
def test_a_node_pool_comes_back_as_it_was_written(document: dict[str, Any]) -> None:
    spec = NodePoolSpec.from_manifest(document)
    assert spec.to_manifest() == document
    assert NodePoolSpec.from_manifest(json.loads(json.dumps(spec.to_manifest()))) == spec


@steady
@given(node_classes)
def test_a_node_class_comes_back_as_it_was_written(document: dict[str, Any]) -> None:
    spec = NodeClassSpec.from_manifest(document)
    assert spec.to_manifest() == document
    assert NodeClassSpec.from_manifest(json.loads(json.dumps(spec.to_manifest()))) == spec


@steady
@given(ingress_params)
def test_ingress_class_params_come_back_as_they_were_written(document: dict[str, Any]) -> None:
    assert IngressClassParamsSpec.from_manifest(document).to_manifest() == document


@steady
@given(target_group_bindings)
def test_a_target_group_binding_comes_back_as_it_was_written(document: dict[str, Any]) -> None:
    assert TargetGroupBindingSpec.from_manifest(document).to_manifest() == document


@steady
@given(node_diagnostics)
def test_a_node_diagnostic_comes_back_as_it_was_written(document: dict[str, Any]) -> None:
    assert NodeDiagnosticSpec.from_manifest(document).to_manifest() == document


@steady
@given(node_pools)
def test_no_accepted_pool_lets_a_node_live_longer_than_21_days(document: dict[str, Any]) -> None:
    nodes = NodePoolSpec.from_manifest(document).template.spec
    expire, grace = nodes.expire_after or "336h", nodes.termination_grace_period or "24h"
    assert duration_in_seconds(expire) + duration_in_seconds(grace) <= 21 * 24 * 3600


# What a spec accepts, the CRD accepts.


@steady
@given(node_pools)
def test_the_crd_accepts_every_node_pool(document: dict[str, Any]) -> None:
    assert not _pool_complaints(NodePoolSpec.from_manifest(document).to_manifest())


@steady
@given(node_classes)
def test_the_crd_accepts_every_node_class(document: dict[str, Any]) -> None:
    assert not _complaints(NODE_CLASS_CRD, NodeClassSpec.from_manifest(document).to_manifest())


@steady
@given(ingress_params)
def test_the_crd_accepts_all_ingress_class_params(document: dict[str, Any]) -> None:
    assert not _complaints(PARAMS_CRD, IngressClassParamsSpec.from_manifest(document).to_manifest())


@steady
@given(target_group_bindings)
def test_the_crd_accepts_every_target_group_binding(document: dict[str, Any]) -> None:
    assert not _complaints(BINDING_CRD, TargetGroupBindingSpec.from_manifest(document).to_manifest())


@steady
@given(node_diagnostics)
def test_the_crd_accepts_every_node_diagnostic(document: dict[str, Any]) -> None:
    assert not _complaints(DIAGNOSTIC_CRD, NodeDiagnosticSpec.from_manifest(document).to_manifest())


_WHOLE: dict[str, tuple[type[KubeModel], dict[str, Any], Callable[[Mapping[str, Any]], list[str]]]] = {
    "dynamic pool": (NodePoolSpec, {**POOL, "weight": 1}, _pool_complaints),
    "static pool": (
        NodePoolSpec,
        {"template": {"spec": {"nodeClassRef": REFERENCE, "requirements": []}}, "replicas": 1, "limits": {"nodes": 2}},
        _pool_complaints,
    ),
    "node class": (NodeClassSpec, CLASS, partial(_complaints, NODE_CLASS_CRD)),
    "node class with what is newest": (NodeClassSpec, NEWEST, partial(_complaints, NODE_CLASS_CRD)),
    "params": (IngressClassParamsSpec, PARAMS, partial(_complaints, PARAMS_CRD)),
    "params with subnet ids": (
        IngressClassParamsSpec,
        {"subnets": {"ids": ["subnet-1"]}},
        partial(_complaints, PARAMS_CRD),
    ),
    "binding": (TargetGroupBindingSpec, BINDING, partial(_complaints, BINDING_CRD)),
    "diagnostic": (NodeDiagnosticSpec, DIAGNOSTIC, partial(_complaints, DIAGNOSTIC_CRD)),
    "application policy": (
        ApplicationNetworkPolicySpec,
        APPLICATION_POLICY,
        partial(_complaints, APPLICATION_POLICY_CRD),
    ),
    "cluster policy": (ClusterNetworkPolicySpec, CLUSTER_POLICY, partial(_complaints, CLUSTER_POLICY_CRD)),
}


@cache
def _faulty(kind: str) -> list[tuple[dict[str, Any], KubeModel | AutoModeError]]:
    """The documents of a kind with a fault, and what our spec makes of each."""
    model, whole, _ = _WHOLE[kind]
    return [(document, _spec_or_error(model, document)) for document in with_one_fault(whole)]


def _spec_or_error(model: type[KubeModel], document: Any) -> KubeModel | AutoModeError:
    try:
        return model.from_manifest(document, where="a.yaml")
    except AutoModeError as error:
        return error


@pytest.mark.parametrize("kind", _WHOLE)
def test_the_crd_accepts_what_is_accepted_of_a_document_with_a_fault(kind: str) -> None:
    model, whole, judge = _WHOLE[kind]
    assert model.from_manifest(whole).to_manifest() == whole
    refused: dict[str, list[str]] = {}
    for document, made in _faulty(kind):
        if isinstance(made, AutoModeError):
            continue
        accepted = made.to_manifest()
        if "${Token[" in str(accepted):  # a token's text has no form
            continue
        # The NodePool construct writes these two.
        accepted.get("template", {}).get("spec", {}).setdefault("nodeClassRef", REFERENCE)
        accepted.get("disruption", {}).setdefault("consolidateAfter", "0s")
        if found := judge(accepted):
            refused[json.dumps(document)] = found
    assert refused == {}


@pytest.mark.parametrize("kind", ["dynamic pool", "static pool"])
def test_a_pool_that_only_we_refuse_breaks_a_rule_that_says_why(kind: str) -> None:
    *_, judge = _WHOLE[kind]
    unexplained: dict[str, list[str]] = {}
    for document, made in _faulty(kind):
        problems = _problems(made)
        # Forms, such as that of a label's key, are Kubernetes' own.
        forms = {"automode:Value", "automode:ValueKnownLate"}
        if any(RULES[problem.rule].stricter or problem.rule in forms for problem in problems):
            continue
        if problems and not judge(document):
            unexplained[json.dumps(document)] = [str(problem) for problem in problems]
    assert unexplained == {}


_MODEL: dict[str, type[KubeModel]] = {
    **dict.fromkeys(NODE_POOL_CRDS, NodePoolSpec),
    NODE_CLASS_CRD: NodeClassSpec,
    PARAMS_CRD: IngressClassParamsSpec,
    BINDING_CRD: TargetGroupBindingSpec,
    DIAGNOSTIC_CRD: NodeDiagnosticSpec,
    APPLICATION_POLICY_CRD: ApplicationNetworkPolicySpec,
    CLUSTER_POLICY_CRD: ClusterNetworkPolicySpec,
}
_OF_POOLS = {
    "spec#1": "automode:StaticPool",
    "spec#2": "automode:StaticPool",
    "spec.disruption.budgets#0": "automode:BudgetSchedule",
    "spec.template.metadata.labels#0": "automode:RestrictedLabel",
    "spec.template.metadata.labels#1": "automode:RestrictedLabel",
    "spec.template.metadata.labels#2": "automode:RestrictedLabel",
    "spec.template.spec.nodeClassRef.group#0": "automode:NodeClassReference",
    "spec.template.spec.nodeClassRef.kind#0": "automode:NodeClassReference",
    "spec.template.spec.nodeClassRef.name#0": "automode:Value",
    "spec.template.spec.requirements#0": "automode:OperatorValues",
    "spec.template.spec.requirements#1": "automode:OperatorValues",
    "spec.template.spec.requirements#2": "automode:MinValues",
    "spec.template.spec.requirements[].key#0": "automode:RestrictedLabel",
    "spec.template.spec.requirements[].key#1": "automode:RestrictedLabel",
    "spec.template.spec.requirements[].key#2": "automode:RestrictedLabel",
}
_OURS: dict[str, dict[str, str]] = {
    **dict.fromkeys(NODE_POOL_CRDS, _OF_POOLS),
    NODE_CLASS_CRD: {
        "spec.role#0": "automode:Value",
        "spec.securityGroupSelectorTerms#0": "automode:Value",
        "spec.securityGroupSelectorTerms#1": "automode:SelectorTerm",
        "spec.securityGroupSelectorTerms#2": "automode:SelectorTerm",
        "spec.securityGroupSelectorTerms#3": "automode:SelectorTerm",
        "spec.securityGroupSelectorTerms[].tags#0": "automode:SelectorTag",
        "spec.subnetSelectorTerms#0": "automode:Value",
        "spec.subnetSelectorTerms#1": "automode:SelectorTerm",
        "spec.subnetSelectorTerms#2": "automode:SelectorTerm",
        "spec.subnetSelectorTerms[].tags#0": "automode:SelectorTag",
        **{f"spec.tags#{number}": "automode:ReservedTag" for number in range(7)},
    },
    APPLICATION_POLICY_CRD: {f"spec.egress[].to[]#{number}": "automode:PolicyPeer" for number in range(3)},
    CLUSTER_POLICY_CRD: {
        "spec.egress[]#0": "automode:DeniedDomain",
        "spec.egress[].ports[].portRange#0": "automode:PolicyPort",
        "spec.ingress[].ports[].portRange#0": "automode:PolicyPort",
    },
}
"""For each CEL rule of a CRD the rule of ours that says the same; ``test_change.py`` has those about changes."""


def test_each_rule_of_a_crd_has_one_of_ours() -> None:
    rules = {name: set(crd.rules) for name, crd in crds().items() if crd.rules}
    assert {name: set(ours) for name, ours in _OURS.items()} == rules


@pytest.mark.parametrize(
    ("name", "rule", "ours"), [(name, rule, ours) for name, rules in _OURS.items() for rule, ours in rules.items()]
)
def test_what_a_rule_of_a_crd_refuses_breaks_ours_and_what_it_accepts_is_accepted(
    name: str, rule: str, ours: str
) -> None:
    broken: dict[bool, list[list[Problem]]] = {True: [], False: []}
    for example in crds()[name].examples:
        if example.rule == rule:
            broken[example.accepted].append(_problems(_spec_or_error(_MODEL[name], example.new)))
    assert all(broken[False])
    assert ours in {problem.rule for problems in broken[False] for problem in problems}
    assert {problem.rule for problems in broken[False] for problem in problems} <= {ours, "automode:Value"}
    assert [] in broken[True]
    assert [str(problem) for problems in broken[True] for problem in problems if not _is_explained(problem, name)] == []


def _problems(made: KubeModel | AutoModeError) -> list[Problem]:
    return list(made.problems) if isinstance(made, AutoModeError) else []


def _is_explained(problem: Problem, name: str) -> bool:
    form = re.sub(r"\[.*?\]", "", problem.field)
    # Forms, such as that of a label's key, are Kubernetes' own.
    is_form = name in NODE_POOL_CRDS and problem.rule == "automode:Value"
    return bool(RULES[problem.rule].stricter) or is_form or form in _STRICTER


def _crd_paths(name: str) -> set[tuple[str, ...]]:
    paths = {tuple(step for step in steps_of(path)[1:] if step not in {"[]", "{}"}) for path in crds()[name].fields}
    return paths - {()}


def _model_paths(model: type[KubeModel], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        path = (*before, field.serialization_alias or name)
        yield path
        inner = _model_of(model, name)
        if inner is not None:
            yield from _model_paths(inner, path)


@pytest.mark.parametrize("name", _MODEL)
def test_the_fields_of_a_kind_are_those_of_its_crd_and_the_newer_ones(name: str) -> None:
    theirs, ours, newer = _crd_paths(name), set(_model_paths(_MODEL[name])), set(NEWER.get(name, ()))
    assert theirs <= ours
    assert not theirs & newer
    assert newer <= ours
    assert {path for path in ours - theirs if not any(path[: len(outer)] == outer for outer in newer)} == set()


def test_every_part_of_a_newer_object_has_its_own_date() -> None:
    ours = set(_model_paths(NodeClassSpec))
    for outer in ("advancedNetworking", "advancedSecurity", "advancedCompute"):
        assert {path for path in ours if path[0] == outer and len(path) <= 2} <= set(NEWER[NODE_CLASS_CRD])


_STRICTER_ELSEWHERE = {
    "group.name": "only this test's regular expressions let a final line break pass the CRD's pattern",
    "namespaceSelector": "the CRD leaves the selector to the controller, which cannot read such a one",
    "nodeSelector": "the CRD leaves the selector to the controller, which cannot read such a one",
    "inboundCIDRs": "EC2 takes ranges of addresses only",
    "serviceRef.port": "a port is 1 to 65535",
    "networking.ingress.ports.port": "a port is 1 to 65535",
    "podSelector": "the CRD leaves the selector to the controller, which cannot read such a one",
    "policyTypes": "Kubernetes knows Ingress and Egress only",
    "ingress.ports": "a port is 1 to 65535, a protocol TCP, UDP or SCTP",
    "egress.ports": "a port is 1 to 65535, a protocol TCP, UDP or SCTP",
    "egress.to.ipBlock": "a range of addresses is one",
    "egress.to.networks": "a range of addresses is one",
    "ingress.from": "the CRD leaves the selector to the controller, which cannot read such a one",
    "subject": "the CRD leaves the selector to the controller, which cannot read such a one",
}
"""Fields of the other kinds whose form is narrower than the CRD's, and why."""


@pytest.mark.parametrize(
    "kind",
    ["params", "params with subnet ids", "binding", "diagnostic", "application policy", "cluster policy"],
)
def test_the_other_kinds_are_refused_where_the_crds_refuse_them_or_a_reason_is_written(kind: str) -> None:
    *_, judge = _WHOLE[kind]
    newer = {path[0] for paths in NEWER.values() for path in paths}
    unexplained: dict[str, str] = {}
    for document, made in _faulty(kind):
        problems = _problems(made)
        # No JSON holds the one, no CRD sees the other.
        if not problems or r"\ud800" in repr(document) or "${Token[" in repr(document) or judge(document):
            continue
        for problem in problems:
            form = re.sub(r"\[.*?\]", "", problem.field)
            reasons = [reason for field, reason in _STRICTER_ELSEWHERE.items() if form.startswith(field)]
            if not reasons and not RULES[problem.rule].stricter and form.partition(".")[0] not in newer:
                unexplained[json.dumps(document)] = str(problem)
    assert unexplained == {}


_STRICTER: dict[str, tuple[Any, str]] = {
    "role": ("a/b", "IAM allows no other characters in a name, and AWS's page asks for the name without ARN or path"),
    "ephemeralStorage.size": ("Ti", "a unit without a number is a slip of the CRD's pattern"),
    "subnetSelectorTerms.id": ("xsubnet-1!", "the CRD's pattern is not anchored"),
    "subnetSelectorTerms.tags": ({}, "no tags select nothing"),
    "securityGroupSelectorTerms.id": ("xsg-1!", "the CRD's pattern is not anchored"),
    "securityGroupSelectorTerms.name": ("", "no name selects nothing"),
    "securityGroupSelectorTerms.tags": ({}, "no tags select nothing"),
}
"""Forms of ours that are narrower than the CRD's: a value only the CRD admits, and why."""


@pytest.mark.parametrize("field", _STRICTER)
def test_the_crd_admits_what_is_listed_as_stricter(field: str) -> None:
    value, reason = _STRICTER[field]
    document = _as_of_crd(NODE_CLASS_CRD, CLASS)
    outer, _, inner = field.partition(".")
    document[outer] = ([{inner: value}] if outer.endswith("Terms") else {inner: value}) if inner else value
    assert reason
    assert _complaints(NODE_CLASS_CRD, document) == []
    with pytest.raises(AutoModeError) as refused:
        NodeClassSpec.from_manifest(document)
    assert [re.sub(r"\[.*?\]", "", problem.field) for problem in refused.value.problems] == [field]


@pytest.mark.parametrize(
    ("fields", "admitted"),
    [
        ({"subnetSelectorTerms": [{"id": "subnet-1", "tags": {"a": "b"}}]}, False),
        ({"subnetSelectorTerms": [{"id": "subnet-1", "tags": {"a": "b"}}, {"id": "subnet-2"}]}, True),
        ({"securityGroupSelectorTerms": [{"name": "a", "tags": {"a": "b"}}]}, False),
        ({"securityGroupSelectorTerms": [{"name": "a", "tags": {"a": "b"}}, {"id": "sg-1"}]}, True),
        ({"securityGroupSelectorTerms": [{"name": "a", "id": "sg-1"}, {"name": "a"}]}, True),
        ({"tags": {"aws:a": "b"}}, True),
        ({"tags": {"karpenter.sh/nodepool": "b"}}, False),
        ({"tags": {"kubernetes.io/cluster/dev": "owned"}}, False),
        ({"subnetSelectorTerms": []}, False),
        ({"subnetSelectorTerms": [{"tags": {"a": ""}}]}, False),
        ({"role": ""}, False),
    ],
)
def test_rules_of_a_node_class_are_those_of_the_crd_or_say_why_they_are_stricter(
    fields: dict[str, Any], admitted: bool
) -> None:
    document = _as_of_crd(NODE_CLASS_CRD, CLASS) | fields
    assert (_complaints(NODE_CLASS_CRD, document) == []) is admitted
    with pytest.raises(AutoModeError) as refused:
        NodeClassSpec.from_manifest(document)
    assert all(bool(RULES[problem.rule].stricter) for problem in refused.value.problems) or not admitted


def test_a_node_class_is_refused_where_the_crd_refuses_it_or_a_reason_is_written() -> None:
    unexplained: dict[str, list[str]] = {}
    whole = _as_of_crd(NODE_CLASS_CRD, CLASS)
    for document in with_one_fault(whole):
        try:
            NodeClassSpec.from_manifest(document)
        except AutoModeError as error:
            if _complaints(NODE_CLASS_CRD, document):
                continue
            for problem in error.problems:
                form = re.sub(r"\[.*?\]", "", problem.field)
                explained = RULES[problem.rule].stricter or form in _STRICTER
                if not explained and "known only after deployment" not in problem.message:
                    unexplained[json.dumps(document)] = [str(problem)]
    assert unexplained == {}


def _choices(model: type[KubeModel], field: str) -> set[str]:
    found: set[str] = set()
    waiting: list[Any] = [model.model_fields[field].annotation]
    while waiting:
        part = waiting.pop()
        found |= {part} if isinstance(part, str) else set()
        waiting += get_args(part)
    return found


@pytest.mark.parametrize("name", _MODEL)
def test_choices_are_those_of_the_crd(name: str) -> None:
    for path, facts in crds()[name].fields.items():
        choices = facts.get("enum") or next((part["enum"] for part in facts.get("allOf", ()) if "enum" in part), None)
        if choices is not None:
            assert _choices_at(_MODEL[name], path) == set(choices), path


def _choices_at(model: type[KubeModel], path: str) -> set[str]:
    choices: set[str] = set()
    for part in (step for step in steps_of(path)[1:] if step != "[]"):
        field = next(name for name, known in model.model_fields.items() if (known.serialization_alias or name) == part)
        choices = _choices(model, field)
        model = _model_of(model, field) or model
    return choices


def _model_of(model: type[KubeModel], field: str) -> type[KubeModel] | None:
    waiting: list[Any] = [model.model_fields[field].annotation]
    while waiting:
        part = waiting.pop()
        if isinstance(part, type) and issubclass(part, KubeModel):
            return part
        waiting += get_args(part)
    return None


# No input gives anything but a model or an AutoModeError that can be printed.


def _is_model_or_words(made: KubeModel | AutoModeError) -> None:
    if isinstance(made, KubeModel):
        return
    lines = str(made).encode("utf-8").decode().splitlines()
    assert lines == str(made).split("\n")
    assert len(lines) == (1 if len(made.problems) == 1 else 1 + len(made.problems))
    assert all(problem.message for problem in made.problems)


_MODELS: list[type[KubeModel]] = [
    NodePoolSpec,
    NodeClassSpec,
    StorageClassSpec,
    VolumeAttributesClassSpec,
    VolumeSnapshotClassSpec,
    IngressClassSpec,
    IngressClassParamsSpec,
    IngressSpec,
    GatewayClassSpec,
    TargetGroupBindingSpec,
    NetworkLoadBalancerServiceSpec,
    NetworkLoadBalancerAnnotations,
    ApplicationNetworkPolicySpec,
    ClusterNetworkPolicySpec,
    NetworkPolicySwitch,
    NodeDiagnosticSpec,
    ClusterValues,
]


@pytest.mark.parametrize("model", _MODELS)
def test_any_document_gives_a_model_or_an_error_in_words(model: type[KubeModel]) -> None:
    @settings(steady, max_examples=100)
    @given(any_documents)
    def check(document: Any) -> None:
        _is_model_or_words(_spec_or_error(model, document))

    check()


@pytest.mark.parametrize("kind", _WHOLE)
def test_any_fault_in_a_document_gives_a_model_or_an_error_in_words(kind: str) -> None:
    for _, made in _faulty(kind):
        _is_model_or_words(made)


def test_a_document_that_holds_itself_gives_an_error_in_words() -> None:
    loop: dict[str, Any] = {}
    loop["template"] = loop
    loop["limits"] = loop
    for model in _MODELS:
        if model.model_config.get("extra") == "forbid":
            with pytest.raises(AutoModeError):
                model.from_manifest(loop)
