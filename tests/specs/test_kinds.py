"""What holds for every kind that is read."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from automode_constructs.checks.document import KINDS, Kind, Manifest, judge_document, kind_of
from automode_constructs.errors import AutoModeError
from automode_constructs.specs.free_body import FreeBody
from automode_constructs.specs.rule import RULES

_words = st.sampled_from(
    [
        *("type", "LoadBalancer", "provisioner", "driver", "controller", "controllerName", "annotations", "name"),
        *("loadBalancerClass", "eks.amazonaws.com/nlb", "ebs.csi.eks.amazonaws.com", "data", "kube-system"),
        *("service.beta.kubernetes.io/aws-load-balancer-type", "alb.ingress.kubernetes.io/tags", "parameters"),
        *("amazon-vpc-cni", "namespace", "ebs.csi.eks.amazonaws.com/iops", "kubernetes.io/ingress.class", "alb"),
    ]
)
_leaves = st.none() | st.booleans() | st.integers() | st.floats() | _words | st.text(max_size=3)
_values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_words | st.integers(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.kind))
def test_any_document_of_a_kind_is_judged_or_passed_by(kind: Kind) -> None:
    @settings(max_examples=40, deadline=None, derandomize=True, database=None)
    @given(_values, _values, st.dictionaries(_words, _values, max_size=3))
    def check(metadata: Any, body: Any, beside: dict[str, Any]) -> None:
        named = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        document = {**beside, **named, **({kind.at: body} if kind.at else {})}
        findings = judge_document(document)
        assert findings is not None or kind_of(document) is None
        assert all(finding.rule in RULES and str(finding) for finding in findings or ())

    check()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.kind))
def test_every_kind_has_a_json_schema(kind: Kind) -> None:
    schema = kind.model.model_json_schema(by_alias=True)
    Draft202012Validator.check_schema(schema)
    assert schema.get("additionalProperties") is issubclass(kind.model, FreeBody)


def test_kinds_are_told_apart_by_group_and_name() -> None:
    assert len({(kind.group, kind.kind) for kind in KINDS}) == len(KINDS)


def test_a_free_body_keeps_what_it_does_not_know_with_its_nulls() -> None:
    document: dict[str, Any] = {"clusterIP": None, "ports": [{"port": 80, "name": None}], "selector": {}}
    assert FreeBody.from_manifest(document).to_manifest() == document


_SAMPLES: dict[str, dict[str, Any]] = {
    "IngressClass": {
        "spec": {
            "controller": "eks.amazonaws.com/alb",
            "parameters": {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": "a"},
        }
    },
    "IngressClassParams": {
        "spec": {
            "namespaceSelector": {"matchLabels": {"a": "b"}},
            "subnets": {"matchTags": [{"key": "a", "values": ["b"]}]},
            "listeners": [{"protocol": "HTTP", "port": 80}],
            "ipamConfiguration": {"ipv4IPAMPoolId": "a"},
            "sslRedirectPort": 443,
        }
    },
    "GatewayClass": {
        "spec": {
            "controllerName": "eks.amazonaws.com/gateway-nlb",
            "parametersRef": {"group": "a", "kind": "b", "name": "c", "namespace": "d"},
            "description": "e",
        },
        "status": {"conditions": []},
    },
    "TargetGroupBinding": {
        "spec": {
            "serviceRef": {"name": "a", "port": "http"},
            "targetGroupARN": "arn:a",
            "targetType": "ip",
            "networking": {"ingress": [{"from": [{"securityGroup": {"groupID": "sg-1"}}], "ports": [{"port": 80}]}]},
        }
    },
    "StorageClass": {
        "provisioner": "ebs.csi.eks.amazonaws.com",
        "parameters": {"type": "gp3", "csi.storage.k8s.io/fstype": "xfs", "tagSpecification_1": "a=b"},
        "allowedTopologies": [{"matchLabelExpressions": [{"key": "a", "values": ["b"]}]}],
        "mountOptions": ["noatime"],
        "allowVolumeExpansion": True,
    },
    "VolumeAttributesClass": {"driverName": "ebs.csi.eks.amazonaws.com", "parameters": {"type": "gp3", "iops": "3000"}},
    "VolumeSnapshotClass": {
        "driver": "ebs.csi.eks.amazonaws.com",
        "deletionPolicy": "Retain",
        "parameters": {"a": "b"},
    },
    "NodeDiagnostic": {"spec": {"logCapture": {"destination": "node", "categories": ["All"]}}},
    "ApplicationNetworkPolicy": {
        "spec": {
            "podSelector": {},
            "policyTypes": ["Egress"],
            "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [{"port": 1, "endPort": 2}]}],
            "egress": [
                {"to": [{"domainNames": ["a.b"]}, {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/9"]}}]}
            ],
        }
    },
    "ClusterNetworkPolicy": {
        "spec": {
            "tier": "Baseline",
            "priority": 0,
            "subject": {"pods": {"namespaceSelector": {}, "podSelector": {}}},
            "ingress": [{"action": "Pass", "from": [{"namespaces": {}}], "ports": [{"namedPort": "a"}]}],
            "egress": [{"action": "Deny", "to": [{"networks": ["::/0"]}], "name": "a"}],
        }
    },
    "Service": {
        "spec": {
            "type": "LoadBalancer",
            "loadBalancerClass": "eks.amazonaws.com/nlb",
            "loadBalancerSourceRanges": ["10.0.0.0/8"],
            "ports": [{"port": 80, "name": None}],
            "clusterIP": None,
        }
    },
    "Ingress": {"spec": {"ingressClassName": "alb", "rules": [{"host": "a"}]}, "status": {"loadBalancer": {}}},
    "ConfigMap": {"data": {"enable-network-policy-controller": "true"}, "immutable": False},
    "PersistentVolumeClaim": {
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
            "volumeName": None,
        }
    },
}
_METADATA: dict[str, dict[str, Any]] = {
    "ConfigMap": {"name": "amazon-vpc-cni", "namespace": "kube-system"},
    "PersistentVolumeClaim": {"name": "a", "annotations": {"ebs.csi.eks.amazonaws.com/iops": "1"}},
}
_FAULTS: tuple[Any, ...] = (None, True, 0, 1, 70000, "", "a", "80", "a.b", [], {}, [{}], ["a"], {"a": None}, {"a": "b"})


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    for key, value in document.items() if isinstance(document, dict) else enumerate(document):
        yield document, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


def _sample(kind: Kind) -> dict[str, Any]:
    metadata = _METADATA.get(kind.kind, {"name": "a", "labels": {"a": "b"}})
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **_SAMPLES[kind.kind]}


_OTHER_KINDS = [kind for kind in KINDS if kind.kind not in {"NodeClass", "NodePool"}]


@pytest.mark.parametrize("kind", _OTHER_KINDS, ids=lambda kind: str(kind.kind))
def test_a_document_comes_back_as_it_was_written(kind: Kind) -> None:
    document = _sample(kind)
    assert Manifest.from_manifest(document).to_manifest() == document


@pytest.mark.parametrize("kind", _OTHER_KINDS, ids=lambda kind: str(kind.kind))
def test_whatever_is_accepted_of_a_document_with_a_fault_comes_back_whole(kind: Kind) -> None:
    whole = _sample(kind)
    accepted = 0
    for number in range(len(list(_places(whole)))):
        for fault in (*_FAULTS, "left out"):
            document = copy.deepcopy(whole)
            at, key = list(_places(document))[number]
            if fault == "left out":
                del at[key]
            else:
                at[key] = copy.deepcopy(fault)
            try:
                written = Manifest.from_manifest(document).to_manifest()
            except AutoModeError:
                continue
            accepted += 1
            assert _without_nulls(written) == _without_nulls(document)
    assert accepted


_TAGGED = {"provisioner": "ebs.csi.eks.amazonaws.com", "volumeBindingMode": "WaitForFirstConsumer"}
_BOUND = {"serviceRef": {"name": "a", "port": 80}, "targetGroupARN": "arn:a"}
_CLASS = {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": "a"}


@pytest.mark.parametrize(
    ("rule", "kind", "body"),
    [
        ("IngressSubnets", "IngressClassParams", {"subnets": {}}),
        ("AwsTagPrefix", "IngressClassParams", {"tags": [{"key": "aws:a", "value": "b"}]}),
        ("UnprovenField", "IngressClassParams", {"wafv2AclArn": "a"}),
        (
            "LabelSelector",
            "IngressClassParams",
            {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
        ),
        ("IngressController", "IngressClass", {"controller": "eks.amazonaws.com/a"}),
        (
            "IngressClassParameters",
            "IngressClass",
            {"controller": "eks.amazonaws.com/alb", "parameters": {"kind": "a", "name": "a"}},
        ),
        (
            "ParametersNamespace",
            "IngressClass",
            {"controller": "eks.amazonaws.com/alb", "parameters": {**_CLASS, "namespace": "a"}},
        ),
        ("GatewayController", "GatewayClass", {"controllerName": "eks.amazonaws.com/a"}),
        ("TargetNodeSelector", "TargetGroupBinding", {**_BOUND, "targetType": "ip", "nodeSelector": {}}),
        (
            "TargetPort",
            "TargetGroupBinding",
            {**_BOUND, "targetType": "instance", "networking": {"ingress": [{"from": [{}], "ports": [{"port": "a"}]}]}},
        ),
        ("StorageThroughput", "StorageClass", {**_TAGGED, "parameters": {"type": "gp2", "throughput": "125"}}),
        ("StorageKey", "StorageClass", {**_TAGGED, "parameters": {"encrypted": "false", "kmsKeyId": "arn:a"}}),
        ("StorageKeyArn", "StorageClass", {**_TAGGED, "parameters": {"kmsKeyId": "a"}}),
        ("StorageIops", "StorageClass", {**_TAGGED, "parameters": {"type": "io2"}}),
        ("StorageTag", "StorageClass", {**_TAGGED, "parameters": {"tagSpecification_1": "a"}}),
        ("VolumeBinding", "StorageClass", {**_TAGGED, "volumeBindingMode": "Immediate"}),
        (
            "CaptureDuration",
            "NodeDiagnostic",
            {"packetCapture": {"duration": "2h", "upload": {"url": "a", "fields": {}}}},
        ),
        ("PresignedUrl", "NodeDiagnostic", {"logCapture": {"destination": "https://a/b?c=d"}}),
        (
            "PolicyPeer",
            "ApplicationNetworkPolicy",
            {"podSelector": {}, "egress": [{"to": [{"domainNames": ["a.b"], "podSelector": {}}]}]},
        ),
        ("PolicyPort", "ApplicationNetworkPolicy", {"podSelector": {}, "egress": [{"ports": [{"endPort": 1}]}]}),
        (
            "PolicyList",
            "ApplicationNetworkPolicy",
            {"podSelector": {}, "egress": [{"to": [{"domainNames": ["a.b", "a.b"]}]}]},
        ),
        (
            "DeniedDomain",
            "ClusterNetworkPolicy",
            {
                "tier": "Admin",
                "priority": 1,
                "subject": {"namespaces": {}},
                "egress": [{"action": "Deny", "to": [{"domainNames": ["a.b"]}]}],
            },
        ),
    ],
)
def test_ids_of_rules_are_stable(rule: str, kind: str, body: dict[str, Any]) -> None:
    known = next(one for one in KINDS if one.kind == kind)
    document = {"apiVersion": known.api_version, "kind": kind, "metadata": {"name": "a"}}
    findings = judge_document({**document, **({known.at: body} if known.at else body)})
    assert findings is not None
    assert [finding.rule for finding in findings] == [f"automode:{rule}"]
    assert kind in RULES[f"automode:{rule}"].kinds
