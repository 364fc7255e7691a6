"""Our specs against the CRDs they write to, and against anything a YAML file may hold.

The CRDs lie in the folder that ``AUTOMODE_CRD_DIR`` names. Auto Mode's own are of February 2025.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, get_args

import celpy
import pytest
import yaml
from celpy.adapter import json_to_cel
from celpy.celtypes import StringType
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from automode_constructs.cluster_values import ClusterValues
from automode_constructs.errors import AutoModeError
from automode_constructs.specs.gateway_class import GatewayClassSpec
from automode_constructs.specs.ingress import IngressSpec
from automode_constructs.specs.ingress_class import IngressClassParamsSpec, IngressClassSpec
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.network_load_balancer import (
    NetworkLoadBalancerAnnotations,
    NetworkLoadBalancerServiceSpec,
)
from automode_constructs.specs.network_policy import (
    ApplicationNetworkPolicySpec,
    ClusterNetworkPolicySpec,
    NetworkPolicySwitch,
)
from automode_constructs.specs.node_class import NodeClassSpec
from automode_constructs.specs.node_diagnostic import NodeDiagnosticSpec
from automode_constructs.specs.node_pool import NodePoolSpec, duration_in_seconds
from automode_constructs.specs.rule import RULES
from automode_constructs.specs.storage_class import StorageClassSpec
from automode_constructs.specs.target_group_binding import TargetGroupBindingSpec
from automode_constructs.specs.volume_attributes_class import VolumeAttributesClassSpec
from automode_constructs.specs.volume_snapshot_class import VolumeSnapshotClassSpec

CRD_DIR = Path(os.environ.get("AUTOMODE_CRD_DIR") or Path(__file__).parents[2] / "../shared/reference/crds")
needs_crds = pytest.mark.skipif(
    not CRD_DIR.is_dir(),
    reason=f"NOT CHECKED AGAINST THE CRDS: no folder {CRD_DIR}; AUTOMODE_CRD_DIR names one",
)
steady = settings(max_examples=60, deadline=None, derandomize=True, database=None)

NEWER = {
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
}
"""Fields of a NodeClass that are newer than its CRD file, with where AWS announced them."""

NODE_POOL_FILES = ("nodepools.karpenter.sh.yaml", "nodepools.karpenter.sh_v1.14.1.yaml")
NODE_CLASS_FILE = "eks.amazonaws.com_nodeclass_v1.json"
PARAMS_FILE = "eks.amazonaws.com_ingressclassparams_v1.json"
BINDING_FILE = "eks.amazonaws.com_targetgroupbinding_v1.json"
DIAGNOSTIC_FILE = "eks.amazonaws.com_nodediagnostic_v1alpha1.json"

_OPEN_SOURCE_PARAMS = "kubernetes-sigs/aws-load-balancer-controller, CRD ingressclassparams.elbv2.k8s.aws"
NEWER_BY_FILE: dict[str, dict[tuple[str, ...], str]] = {
    PARAMS_FILE: {
        ("prefixListsIDs",): "EKS Auto Mode release notes, 27 Jul 2026",
        ("loadBalancerName",): "EKS Auto Mode release notes, 27 Jul 2026",
        ("targetType",): "EKS Auto Mode release notes, 27 Jul 2026",
        ("minimumLoadBalancerCapacity",): _OPEN_SOURCE_PARAMS,
        ("ipamConfiguration",): _OPEN_SOURCE_PARAMS,
        ("sslRedirectPort",): _OPEN_SOURCE_PARAMS,
        ("wafv2AclArn",): _OPEN_SOURCE_PARAMS,
        ("wafv2AclName",): _OPEN_SOURCE_PARAMS,
    },
    BINDING_FILE: {("multiClusterTargetGroup",): "EKS Auto Mode release notes, 5 Aug 2026"},
    DIAGNOSTIC_FILE: {("packetCapture",): "EKS User Guide, 'Capture network traffic on a managed node'"},
}
"""The same for the other kinds of Auto Mode's."""


# What follows builds documents that our specs accept, with values at the edges of what is allowed.

_REFERENCE = {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "standard"}
_names = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,5}[A-Za-z0-9])?", fullmatch=True)
_domains = st.sampled_from(["", "example.com/", "a-b.c/", f"{'d' * 200}/"])
_label_keys = st.builds(lambda domain, name: domain + name, _domains, _names | st.just("n" * 63))
_label_values = _names | st.sampled_from(["", "v" * 63])
_texts = st.text(alphabet=st.characters(codec="utf-8"), max_size=8).filter(lambda text: "{Token[" not in text)
_tags = st.dictionaries(_texts.filter(bool), _texts.filter(bool), min_size=1, max_size=3)
_subnet_ids = st.from_regex(r"subnet-[0-9a-f]{1,8}", fullmatch=True)


def _record(required: Mapping[str, Any], optional: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(dict(required), optional=dict(optional))


def _durations(hours: int) -> st.SearchStrategy[str]:
    whole = st.integers(0, hours)
    return st.one_of(whole.map("{}h".format), whole.map("{}m".format), whole.map("{}h59m60s".format))


def _requirements() -> st.SearchStrategy[dict[str, Any]]:
    listed = _record(
        {
            "key": _label_keys,
            "operator": st.sampled_from(["In", "NotIn"]),
            "values": st.lists(_label_values, min_size=2, max_size=4),
        },
        {"minValues": st.integers(1, 2)},
    )
    bare = _record(
        {"key": _label_keys, "operator": st.sampled_from(["Exists", "DoesNotExist"])},
        {"minValues": st.integers(1, 50), "values": st.just([])},
    )
    compared = _record(
        {
            "key": st.sampled_from(["eks.amazonaws.com/instance-gpu-count", "eks.amazonaws.com/instance-memory"]),
            "operator": st.sampled_from(["Gt", "Lt", "Gte", "Lte"]),
            "values": st.integers(1, 10**18 - 1).map(lambda number: [str(number)]),
        },
        {},
    )
    known = st.sampled_from(
        [
            ("kubernetes.io/arch", ["amd64", "arm64"]),
            ("karpenter.sh/capacity-type", ["spot", "on-demand"]),
            ("eks.amazonaws.com/instance-category", ["c", "g", "unheard-of"]),
            ("eks.amazonaws.com/instance-size", ["small", "large"]),
            ("eks.amazonaws.com/instance-catagory", ["c"]),
            ("topology.kubernetes.io/zone", ["us-west-2a"]),
        ]
    ).map(lambda label: {"key": label[0], "operator": "In", "values": label[1]})
    return st.one_of(listed, bare, compared, known)


def _taints() -> st.SearchStrategy[list[dict[str, Any]]]:
    taint = _record(
        {"key": _label_keys, "effect": st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute"])},
        {"value": _label_values.filter(bool)},
    )
    return st.lists(taint, max_size=2, unique_by=lambda one: (one["key"], one["effect"]))


_budgets = st.builds(
    lambda budget, times: budget | times,
    _record(
        {"nodes": st.integers(0, 100).map("{}%".format) | st.integers(0, 10**6).map(str)},
        {"reasons": st.lists(st.sampled_from(["Underutilized", "Empty", "Drifted"]), unique=True)},
    ),
    st.just({})
    | _record(
        {
            "schedule": st.sampled_from(["@daily", "0 9 * * mon-fri", "*/5 0-3 1,2 JAN ?"]),
            "duration": st.sampled_from(["8h", "90m", "1h30m", "8h0s"]),
        },
        {},
    ),
)
_disruptions = _record(
    {"consolidateAfter": st.just("Never") | _durations(1000)},
    {
        "consolidationPolicy": st.sampled_from(["WhenEmpty", "WhenEmptyOrUnderutilized", "Balanced"]),
        "budgets": st.lists(_budgets, max_size=2),
    },
)
_quantities = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1), st.sampled_from(["1", ".5", "1.", "500m", "64Gi", "1e3", "2E-1"])
)
_templates = _record(
    {
        "spec": _record(
            {
                "nodeClassRef": st.just(_REFERENCE),
                "requirements": st.lists(_requirements(), max_size=3, unique_by=lambda one: one["key"]),
            },
            {
                "taints": _taints(),
                "expireAfter": _durations(250),
                "terminationGracePeriod": _durations(150),
            },
        )
    },
    {
        "metadata": _record(
            {}, {"labels": st.dictionaries(_label_keys, _label_values, max_size=2), "annotations": _tags}
        )
    },
)
dynamic_pools = _record(
    {"template": _templates},
    {
        "disruption": _disruptions,
        "limits": st.dictionaries(_label_keys, _quantities, max_size=2),
        "weight": st.integers(1, 100),
    },
)
static_pools = _record(
    {"template": _templates, "replicas": st.integers(0, 100)},
    {"disruption": _disruptions, "limits": st.just({}) | st.integers(100, 200).map(lambda count: {"nodes": count})},
)
node_pools = dynamic_pools | static_pools

_subnet_terms = st.lists(_record({"id": _subnet_ids}, {}) | _record({"tags": _tags}, {}), min_size=1, max_size=2)
_group_terms = st.lists(
    st.one_of(
        _record({"id": st.from_regex(r"sg-[0-9a-z]{1,8}", fullmatch=True)}, {}),
        _record({"name": _texts.filter(bool)}, {}),
        _record({"tags": _tags}, {}),
    ),
    min_size=1,
    max_size=2,
)
_sizes = st.one_of(
    st.integers(1, 59000).map("{}Gi".format),
    st.integers(1, 64000).map("{}G".format),
    st.integers(1, 58).filter(lambda count: count < 18 or count % 10 < 8).map("{}Ti".format),
    st.integers(1, 64).map("{}T".format),
)
_reservation_terms = st.lists(
    _record({"id": st.from_regex(r"cr-[0-9a-z]{1,8}", fullmatch=True)}, {})
    | _record({"tags": _tags}, {"owner": st.from_regex(r"[0-9]{12}", fullmatch=True)})
    | _record({"ownerID": st.from_regex(r"[0-9]{12}", fullmatch=True)}, {}),
    max_size=2,
)
_counts: st.SearchStrategy[dict[str, int]] = (
    st.just({})
    | _record({"secondaryIPv4Count": st.integers(0, 50)}, {})
    | _record({"secondaryIPv4PrefixCount": st.integers(0, 15)}, {})
)


def _interface(card: int, device: int, kind: str, counts: Mapping[str, int]) -> dict[str, Any]:
    return {"networkCardIndex": card, "deviceIndex": device, "interfaceType": kind, **counts}


_interfaces = st.builds(
    lambda first, second, third: [_interface(0, 0, "interface", first), *second, *third],
    _counts,
    st.lists(_counts.map(lambda counts: _interface(0, 1, "interface", counts)), max_size=1),
    st.lists(st.just(_interface(1, 0, "efa-only", {})), max_size=1),
)
_evictions = st.builds(
    lambda signals, low, high: {
        "hard": dict.fromkeys(signals, f"{low}%"),
        "soft": dict.fromkeys(signals, f"{low + high}%"),
        "softGracePeriod": dict.fromkeys(signals, "1m30s"),
    },
    st.lists(st.sampled_from(["memory.available", "pid.available", "imagefs.inodesFree"]), unique=True),
    st.integers(0, 50),
    st.integers(1, 50),
)
_kubelets = _record(
    {},
    {
        "maxPods": st.integers(1, 110),
        "podPidsLimit": st.just(-1) | st.integers(100, 10**6),
        "idsPerPod": st.integers(1, 65535).map(lambda count: count * 65536),
        "singleProcessOOMKill": st.booleans(),
        "eviction": _evictions,
        "logging": _record(
            {},
            {"containerLogMaxSize": st.sampled_from(["10Mi", "1e7"]), "containerLogMaxFiles": st.integers(2, 50)},
        ),
        "allowedUnsafeSysctls": st.lists(st.sampled_from(["kernel.sem", "kernel.shm*", "net.core.somaxconn"])),
    },
)
_sysctls = st.builds(
    lambda free, *groups: free | {name: value for group in groups for name, value in group.items()},
    _record(
        {"user.max_user_namespaces": st.integers(1, 2**31 - 1)},
        {
            "vm.swappiness": st.integers(0, 200),
            "kernel.perf_event_paranoid": st.integers(-1, 2),
            "net.ipv4.tcp_congestion_control": st.sampled_from(["cubic", "reno"]),
        },
    ),
    st.just({}) | _record({"vm.dirty_background_ratio": st.integers(1, 4), "vm.dirty_ratio": st.integers(5, 40)}, {}),
    st.just({}) | st.just({f"net.ipv4.neigh.default.gc_thresh{number}": 1024 * number for number in (1, 2, 3)}),
)
_computes = _record(
    {"kernel": _record({"sysctl": _sysctls}, {})},
    {
        "kubelet": _kubelets,
        "hugepages": _record(
            {}, {"transparent": st.sampled_from([{}, {"enabled": "never"}, {"enabled": "always", "defrag": "defer"}])}
        ),
    },
)
_newest = _record(
    {},
    {
        "certificateBundles": st.lists(_record({"name": _names, "data": st.sampled_from(["AAAA", "AA==\n"])}, {})),
        "capacityReservationSelectorTerms": _reservation_terms,
        "placementGroupSelector": st.sampled_from([{"name": "a"}, {"id": "pg-0a"}]),
        "advancedSecurity": _record(
            {}, {"fips": st.booleans(), "kernelLockdown": st.sampled_from(["integrity", "none", "Integrity", "None"])}
        ),
        "advancedNetworking": _record(
            {},
            {
                "associatePublicIPAddress": st.just(False),
                "httpsProxy": st.sampled_from(["http://192.0.2.4:3128", "http://[2001:db8::4]:3128"]),
                "noProxy": st.lists(_texts, max_size=2),
                "ipv4PrefixSize": st.sampled_from(["Auto", "32"]),
                "enableV4Egress": st.booleans(),
                "networkInterfaces": _interfaces,
            },
        ),
        "advancedCompute": _computes,
    },
)
_role_names = st.from_regex(r"[\w+=,.@-]{1,64}", fullmatch=True).filter(str.isascii)
node_classes = st.builds(
    lambda spec, role, pods, newest: spec | role | pods | newest,
    _record(
        {"subnetSelectorTerms": _subnet_terms, "securityGroupSelectorTerms": _group_terms},
        {
            "snatPolicy": st.sampled_from(["Random", "Disabled"]),
            "networkPolicy": st.sampled_from(["DefaultAllow", "DefaultDeny"]),
            "networkPolicyEventLogs": st.sampled_from(["Enabled", "Disabled"]),
            "ephemeralStorage": _record(
                {},
                {
                    "size": _sizes,
                    "iops": st.integers(3000, 16000),
                    "throughput": st.integers(125, 1000),
                    "kmsKeyID": _texts,
                },
            ),
            "tags": st.dictionaries(_texts.filter(bool), _texts, max_size=2),
        },
    ),
    _role_names.map(lambda name: {"role": name}) | _role_names.map(lambda name: {"instanceProfile": name}),
    st.just({}) | _record({"podSubnetSelectorTerms": _subnet_terms, "podSecurityGroupSelectorTerms": _group_terms}, {}),
    st.just({}) | _newest,
)
_attributes = _record({"key": _texts.filter(bool), "value": _texts}, {})
_load_balancer_tags = _record(
    {"key": _texts.filter(lambda text: bool(text) and not text.lower().startswith("aws:")), "value": _texts}, {}
)
_ranges = st.sampled_from(["0.0.0.0/0", "10.1.2.3/8", "fd00::/8"])
_ports = st.integers(1, 65535) | _texts.filter(bool)
_selectors = _record(
    {},
    {
        "matchLabels": st.dictionaries(_label_keys, _label_values, max_size=2),
        "matchExpressions": st.lists(
            _record(
                {
                    "key": _label_keys,
                    "operator": st.sampled_from(["In", "NotIn"]),
                    "values": st.lists(_label_values, min_size=1, max_size=2),
                },
                {},
            )
            | _record({"key": _label_keys, "operator": st.sampled_from(["Exists", "DoesNotExist"])}, {}),
            max_size=2,
        ),
    },
)
ingress_params = _record(
    {},
    {
        "scheme": st.sampled_from(["internal", "internet-facing"]),
        "ipAddressType": st.sampled_from(["ipv4", "dualstack", "dualstack-without-public-ipv4"]),
        "group": st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?", fullmatch=True).map(lambda name: {"name": name}),
        "namespaceSelector": _selectors,
        "subnets": st.one_of(
            _record({"ids": st.lists(_subnet_ids, max_size=2)}, {}),
            _record({"matchTags": st.lists(_record({"key": _names}, {"values": st.lists(_texts)}), max_size=2)}, {}),
        ),
        "certificateARNs": st.lists(_texts, max_size=2),
        "sslPolicy": _texts,
        "inboundCIDRs": st.lists(_ranges, max_size=2),
        "prefixListsIDs": st.lists(st.just("pl-1a"), max_size=2),
        "loadBalancerName": st.sampled_from(["a", "a-b", "x" * 32]),
        "targetType": st.sampled_from(["instance", "ip"]),
        "loadBalancerAttributes": st.lists(_attributes, max_size=2),
        "listeners": st.lists(
            _record(
                {"protocol": st.sampled_from(["HTTP", "HTTPS"]), "port": st.integers(1, 65535)},
                {"attributes": st.lists(_attributes, max_size=2)},
            ),
            max_size=2,
        ),
        "tags": st.lists(_load_balancer_tags, max_size=2),
        "minimumLoadBalancerCapacity": st.just({"capacityUnits": 100}),
        "ipamConfiguration": st.sampled_from([{}, {"ipv4IPAMPoolId": "ipam-pool-1"}]),
        "sslRedirectPort": st.sampled_from([443, "443"]),
        "wafv2AclArn": _texts,
        "wafv2AclName": _texts,
    },
)
target_group_bindings = _record(
    {
        "serviceRef": _record({"name": _texts.filter(bool), "port": _ports}, {}),
        "targetGroupARN": _texts.filter(bool),
        "targetType": st.just("ip"),
    },
    {
        "nodeSelector": _selectors,
        "networking": _record(
            {
                "ingress": st.lists(
                    _record(
                        {
                            "from": st.lists(
                                st.just({}) | _record({"securityGroup": st.just({"groupID": "sg-1"})}, {}),
                                min_size=1,
                                max_size=2,
                            )
                        },
                        {
                            "ports": st.lists(
                                _record({}, {"protocol": st.sampled_from(["TCP", "UDP"]), "port": _ports}), max_size=2
                            )
                        },
                    ),
                    min_size=1,
                    max_size=2,
                )
            },
            {},
        ),
        "multiClusterTargetGroup": st.booleans(),
    },
)
node_diagnostics = _record(
    {},
    {
        "logCapture": _record(
            {"destination": _texts},
            {"categories": st.lists(st.sampled_from(["Base", "Device", "Networking", "Runtime", "System", "All"]))},
        ),
        "packetCapture": _record(
            {"duration": st.sampled_from(["1h", "60m", "1s"]), "upload": st.just({"url": "a", "fields": {"a": "b"}})},
            {"interface": _texts, "filter": _texts, "chunkSizeMB": st.integers(1, 100), "mode": st.just("tcpdump")},
        ),
    },
)


# The CRDs, read so that a field they do not know is refused.


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    return closed | {"additionalProperties": False} if isinstance(schema.get("properties"), dict) else closed


@cache
def _schema(file: str) -> dict[str, Any]:
    loaded = yaml.safe_load((CRD_DIR / file).read_text("utf-8"))
    whole = loaded["spec"]["versions"][0]["schema"]["openAPIV3Schema"] if "spec" in loaded else loaded
    spec: dict[str, Any] = _closed(whole["properties"]["spec"])
    return spec


@cache
def _validator(file: str) -> Draft202012Validator:
    Draft202012Validator.check_schema(_schema(file))
    return Draft202012Validator(_schema(file))


def _complaints(file: str, document: Mapping[str, Any]) -> list[str]:
    """What the CRD's schema and its CEL rules have against a document."""
    misfits = [f"{error.json_path}: {error.message}" for error in _validator(file).iter_errors(document)]
    return misfits or list(_broken_cel_rules(_schema(file), document))


# Made here, because making it raises the recursion limit, which hypothesis watches while a test runs.
_CEL = celpy.Environment()


def _broken_cel_rules(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    for rule in schema.get("x-kubernetes-validations", ()):
        # The API server hands over the old object too; a rule about it has nothing to say of a new one.
        if "oldSelf" not in rule["rule"] and not _cel_holds(rule["rule"], json.dumps(value)):
            yield rule["message"]
    if isinstance(value, list):
        for item in value:
            yield from _broken_cel_rules(schema["items"], item)
    elif isinstance(value, dict):
        named, others = schema.get("properties", {}), schema.get("additionalProperties")
        for key, item in value.items():
            yield from _broken_cel_rules(named.get(key) or others or {}, item)


@cache
def _cel_holds(rule: str, value: str) -> bool:
    return bool(_cel(rule).evaluate({"self": json_to_cel(json.loads(value))}))


@cache
def _cel(rule: str) -> celpy.Runner:
    return _CEL.program(_CEL.compile(rule), functions={"find": _find})


def _find(text: StringType, pattern: StringType) -> StringType:
    """Kubernetes' own addition to CEL: the first match, or nothing."""
    found = re.search(pattern, text)
    return StringType(found[0] if found else "")


def _of_february_2025(node_class: Mapping[str, Any]) -> dict[str, Any]:
    """The document without what is newer than the CRD file, which also requires a role."""
    document = copy.deepcopy(dict(node_class))
    for *outer, last in NEWER:
        at: Any = document
        for part in outer:
            at = at.get(part, {})
        at.pop(last, None)
    return {"role": "nodes", **document}


def _node_pool_complaints(document: Mapping[str, Any]) -> list[str]:
    return [complaint for file in NODE_POOL_FILES for complaint in _complaints(file, document)]


def _node_class_complaints(document: Mapping[str, Any]) -> list[str]:
    return _complaints(NODE_CLASS_FILE, _of_february_2025(document))


def _complaints_of_february_2025(file: str, document: Mapping[str, Any]) -> list[str]:
    return _complaints(file, {name: value for name, value in document.items() if (name,) not in NEWER_BY_FILE[file]})


def _params_complaints(document: Mapping[str, Any]) -> list[str]:
    return _complaints_of_february_2025(PARAMS_FILE, document)


def _binding_complaints(document: Mapping[str, Any]) -> list[str]:
    return _complaints_of_february_2025(BINDING_FILE, document)


def _diagnostic_complaints(document: Mapping[str, Any]) -> list[str]:
    return _complaints_of_february_2025(DIAGNOSTIC_FILE, document)


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


@needs_crds
@steady
@given(node_pools)
def test_the_crd_accepts_every_node_pool(document: dict[str, Any]) -> None:
    assert not _node_pool_complaints(NodePoolSpec.from_manifest(document).to_manifest())


@needs_crds
@steady
@given(node_classes)
def test_the_crd_accepts_every_node_class(document: dict[str, Any]) -> None:
    assert not _node_class_complaints(NodeClassSpec.from_manifest(document).to_manifest())


@needs_crds
@steady
@given(ingress_params)
def test_the_crd_accepts_all_ingress_class_params(document: dict[str, Any]) -> None:
    assert not _params_complaints(IngressClassParamsSpec.from_manifest(document).to_manifest())


@needs_crds
@steady
@given(target_group_bindings)
def test_the_crd_accepts_every_target_group_binding(document: dict[str, Any]) -> None:
    assert not _binding_complaints(TargetGroupBindingSpec.from_manifest(document).to_manifest())


@needs_crds
@steady
@given(node_diagnostics)
def test_the_crd_accepts_every_node_diagnostic(document: dict[str, Any]) -> None:
    assert not _diagnostic_complaints(NodeDiagnosticSpec.from_manifest(document).to_manifest())


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a document with each of its keys or indices."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield document, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


_JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 50, 51, 100, 101, 124, 1001, 2**63, 10**200, 1.5, "", " ", "a/b", "a" * 64, "a" * 400),
    *("Never", "0h", "1h\n", "1d", "1", "101%", "@daily", "@every 1h", "* * * *", "18Ti", "Ti", "59001Gi", "8Mi"),
    *("\ud800", "${Token[TOKEN.1]}", "-", "*", "subnet-", "subnet-z", "sg-", "In", "Gt", "NoSchedule", "Empty", "none"),
    *([], {}, [""], ["-1"], ["a", "a"], ["Empty", "Empty"], {"": ""}, {"a": ""}, {"a": None}, {"karpenter.sh/x": "a"}),
    *({"cpu": "x"}, {"cpu": 1, "nodes": 1}, {"kubernetes.io/cluster/x": "owned"}, {"karpenter.sh/nodepool": "x"}),
)
_TERMS = {"subnet": [{"id": "subnet-1"}, {"tags": {"a": "b"}}], "group": [{"id": "sg-1"}, {"name": "a"}]}
_POOL: dict[str, Any] = {
    "template": {
        "metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}},
        "spec": {
            "nodeClassRef": _REFERENCE,
            "requirements": [
                {"key": "a", "operator": "In", "values": ["b", "c"], "minValues": 2},
                {"key": "b", "operator": "Gt", "values": ["1"]},
                {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]},
                {"key": "c", "operator": "Exists"},
            ],
            "taints": [{"key": "a", "value": "b", "effect": "NoExecute"}],
            "startupTaints": [{"key": "c", "effect": "NoExecute"}],
            "expireAfter": "1h",
            "terminationGracePeriod": "1h",
        },
    },
    "disruption": {
        "consolidationPolicy": "Balanced",
        "consolidateAfter": "1h",
        "budgets": [{"nodes": "1", "reasons": ["Empty", "Drifted"], "schedule": "@daily", "duration": "1h"}],
    },
    "limits": {"cpu": 1, "memory": "1Gi"},
}
_CLASS: dict[str, Any] = {
    "role": "nodes",
    "subnetSelectorTerms": _TERMS["subnet"],
    "securityGroupSelectorTerms": _TERMS["group"],
    "podSubnetSelectorTerms": _TERMS["subnet"],
    "podSecurityGroupSelectorTerms": _TERMS["group"],
    "snatPolicy": "Random",
    "networkPolicy": "DefaultDeny",
    "networkPolicyEventLogs": "Enabled",
    "ephemeralStorage": {"size": "80Gi", "iops": 3000, "throughput": 125, "kmsKeyID": "alias/a"},
    "tags": {"a": "b"},
}
_NEWEST: dict[str, Any] = {
    "role": "nodes",
    "subnetSelectorTerms": [{"id": "subnet-1"}],
    "securityGroupSelectorTerms": [{"id": "sg-1"}],
    "certificateBundles": [{"name": "a", "data": "AAAA"}],
    "capacityReservationSelectorTerms": [{"id": "cr-1"}, {"tags": {"a": "b"}, "owner": "012345678901"}],
    "placementGroupSelector": {"name": "a"},
    "advancedSecurity": {"fips": True, "kernelLockdown": "integrity"},
    "advancedNetworking": {
        "associatePublicIPAddress": False,
        "httpsProxy": "http://192.0.2.4:3128",
        "noProxy": ["localhost"],
        "ipv4PrefixSize": "32",
        "enableV4Egress": True,
        "networkInterfaces": [
            _interface(0, 0, "interface", {"secondaryIPv4Count": 1}),
            _interface(1, 0, "efa-only", {}),
        ],
    },
    "advancedCompute": {
        "hugepages": {"pages": [], "transparent": {"enabled": "never", "defrag": "never"}},
        "kubelet": {
            "maxPods": 60,
            "podPidsLimit": 4096,
            "idsPerPod": 65536,
            "singleProcessOOMKill": True,
            "eviction": {
                "hard": {"memory.available": "1Mi"},
                "soft": {"memory.available": "2Mi"},
                "softGracePeriod": {"memory.available": "1m"},
                "maxPodGracePeriod": 0,
            },
            "logging": {"containerLogMaxSize": "10Mi", "containerLogMaxFiles": 2},
            "allowedUnsafeSysctls": ["net.*"],
        },
        "kernel": {
            "sysctl": {
                "user.max_user_namespaces": 1,
                "vm.dirty_background_ratio": 1,
                "vm.dirty_ratio": 5,
                "net.ipv4.tcp_congestion_control": "reno",
            }
        },
    },
}
_PARAMS: dict[str, Any] = {
    "scheme": "internal",
    "ipAddressType": "ipv4",
    "group": {"name": "a"},
    "namespaceSelector": {
        "matchLabels": {"a": "b"},
        "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}, {"key": "a", "operator": "Exists"}],
    },
    "subnets": {"matchTags": [{"key": "a", "values": ["b"]}]},
    "certificateARNs": ["a"],
    "sslPolicy": "a",
    "inboundCIDRs": ["10.0.0.0/8"],
    "prefixListsIDs": ["pl-1"],
    "loadBalancerName": "a",
    "targetType": "ip",
    "loadBalancerAttributes": [{"key": "a", "value": "b"}],
    "listeners": [{"protocol": "HTTPS", "port": 443, "attributes": [{"key": "a", "value": "b"}]}],
    "tags": [{"key": "a", "value": "b"}],
    "minimumLoadBalancerCapacity": {"capacityUnits": 100},
    "ipamConfiguration": {"ipv4IPAMPoolId": "a"},
    "sslRedirectPort": "443",
    "wafv2AclArn": "a",
    "wafv2AclName": "a",
}
_BINDING: dict[str, Any] = {
    "serviceRef": {"name": "a", "port": 80},
    "targetGroupARN": "a",
    "targetType": "instance",
    "nodeSelector": {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]},
    "networking": {
        "ingress": [{"from": [{"securityGroup": {"groupID": "sg-1"}}], "ports": [{"protocol": "TCP", "port": 80}]}]
    },
    "multiClusterTargetGroup": True,
}
_DIAGNOSTIC: dict[str, Any] = {
    "logCapture": {"destination": "node", "categories": ["All"]},
    "packetCapture": {
        "duration": "1h",
        "interface": "eth0",
        "filter": "port 53",
        "chunkSizeMB": 10,
        "mode": "tcpdump",
        "upload": {"url": "a", "fields": {"a": "b"}},
    },
}
_WHOLE: dict[str, tuple[type[KubeModel], dict[str, Any], Callable[[Mapping[str, Any]], list[str]]]] = {
    "dynamic pool": (NodePoolSpec, {**_POOL, "weight": 1}, _node_pool_complaints),
    "static pool": (
        NodePoolSpec,
        {"template": {"spec": {"nodeClassRef": _REFERENCE, "requirements": []}}, "replicas": 1, "limits": {"nodes": 2}},
        _node_pool_complaints,
    ),
    "node class": (NodeClassSpec, _CLASS, _node_class_complaints),
    "node class with what is newest": (NodeClassSpec, _NEWEST, _node_class_complaints),
    "params": (IngressClassParamsSpec, _PARAMS, _params_complaints),
    "params with subnet ids": (IngressClassParamsSpec, {"subnets": {"ids": ["subnet-1"]}}, _params_complaints),
    "binding": (TargetGroupBindingSpec, _BINDING, _binding_complaints),
    "diagnostic": (NodeDiagnosticSpec, _DIAGNOSTIC, _diagnostic_complaints),
}


def _with_one_fault(whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The document with each of its parts in turn replaced by something else, left out, or written many times."""
    for number in range(len(list(_places(whole)))):
        for fault in (*_JUNK, "left out", "many times"):
            document = copy.deepcopy(whole)
            at, key = list(_places(document))[number]
            if fault == "left out":
                del at[key]
            elif fault != "many times":
                at[key] = copy.deepcopy(fault)
            elif isinstance(at[key], list):
                at[key] *= 101
            yield document


@needs_crds
@pytest.mark.parametrize("kind", _WHOLE)
def test_the_crd_accepts_what_is_accepted_of_a_document_with_a_fault(kind: str) -> None:
    model, whole, complaints = _WHOLE[kind]
    assert model.from_manifest(whole).to_manifest() == whole
    refused: dict[str, list[str]] = {}
    for document in _with_one_fault(whole):
        try:
            accepted = model.from_manifest(document).to_manifest()
        except AutoModeError:
            continue
        if "${Token[" in str(accepted):  # a token's text has no form
            continue
        # The NodePool construct writes these two.
        accepted.get("template", {}).get("spec", {}).setdefault("nodeClassRef", _REFERENCE)
        accepted.get("disruption", {}).setdefault("consolidateAfter", "0s")
        if found := complaints(accepted):
            refused[json.dumps(document)] = found
    assert refused == {}


@needs_crds
@pytest.mark.parametrize("kind", ["dynamic pool", "static pool"])
def test_a_pool_that_only_we_refuse_breaks_a_rule_that_says_why(kind: str) -> None:
    model, whole, complaints = _WHOLE[kind]
    unexplained: dict[str, list[str]] = {}
    for document in _with_one_fault(whole):
        try:
            model.from_manifest(document)
        except AutoModeError as error:
            broken = [problem.rule for problem in error.problems]
        else:
            continue
        # Forms, such as that of a label's key, are Kubernetes' own, and the CRD's set of reasons is no schema's.
        if any(RULES[rule].stricter or rule in _OF_THE_API_SERVER for rule in broken):
            continue
        if not complaints(document):
            unexplained[json.dumps(document)] = broken
    assert unexplained == {}


_OF_THE_API_SERVER = frozenset({"automode:Value", "automode:ValueKnownLate", "automode:BudgetReasons"})


@needs_crds
@pytest.mark.parametrize("file", NODE_POOL_FILES)
@pytest.mark.parametrize(
    ("path", "fault", "message"),
    [
        (("disruption", "budgets", 0, "duration"), None, "'schedule' must be set with 'duration'"),
        (("replicas",), 1, "'weight' is not supported on static NodePools"),
        (("replicas",), 1, "only 'limits.nodes' is supported on static NodePools"),
        *(
            (("template", *place), fault, f"label {told} is restricted")
            for key, told in (
                ("karpenter.sh/x", 'domain "karpenter.sh"'),
                ("karpenter.sh/nodepool", '"karpenter.sh/nodepool"'),
                ("kubernetes.io/hostname", '"kubernetes.io/hostname"'),
            )
            for place, fault in (
                (("metadata", "labels"), {key: "a"}),
                (("spec", "requirements", 0, "key"), key),
            )
        ),
        (
            ("template", "spec", "requirements", 0, "values"),
            [],
            "requirements with operator 'In' must have a value defined",
        ),
        (
            ("template", "spec", "requirements", 0, "values"),
            ["b"],
            "requirements with 'minValues' must have at least that many values specified in the 'values' field",
        ),
        (
            ("template", "spec", "requirements", 1, "values"),
            ["1", "2"],
            "requirements operator 'Gt', 'Lt', 'Gte', or 'Lte' must have a single positive integer value",
        ),
    ],
)
def test_each_rule_of_the_crd_is_a_rule_of_ours(file: str, path: tuple[Any, ...], fault: Any, message: str) -> None:
    document = copy.deepcopy({**_POOL, "weight": 1})
    at: Any = document
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = fault
    if fault is None:
        del at[path[-1]]
    assert message in _complaints(file, document)
    with pytest.raises(AutoModeError) as caught:
        NodePoolSpec.from_manifest(document)
    assert {problem.rule for problem in caught.value.problems} & {
        "automode:BudgetSchedule",
        "automode:MinValues",
        "automode:OperatorValues",
        "automode:RestrictedLabel",
        "automode:StaticPool",
    }


@needs_crds
def test_nothing_is_called_newer_that_the_crd_has() -> None:
    for path in NEWER:
        assert path not in set(_schema_paths(_schema(NODE_CLASS_FILE)))


def _schema_paths(schema: Mapping[str, Any], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, part in schema.get("properties", {}).items():
        yield (*before, name)
        yield from _schema_paths(part.get("items", part), (*before, name))


def _model_paths(model: type[KubeModel], before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        path = (*before, field.serialization_alias or name)
        yield path
        inner = _model_of(model, name)
        if inner is not None:
            yield from _model_paths(inner, path)


@needs_crds
@pytest.mark.parametrize("file", NODE_POOL_FILES)
def test_the_fields_of_a_node_pool_are_those_of_the_crd(file: str) -> None:
    assert set(_model_paths(NodePoolSpec)) == set(_schema_paths(_schema(file)))


@needs_crds
def test_the_fields_of_a_node_class_are_those_of_the_crd_and_the_newer_ones() -> None:
    theirs, ours = set(_schema_paths(_schema(NODE_CLASS_FILE))), set(_model_paths(NodeClassSpec))
    assert theirs <= ours
    assert {path for path in ours - theirs if not any(path[: len(newer)] == newer for newer in NEWER)} == set()
    # Every part of a newer object has its own date.
    for outer in ("advancedNetworking", "advancedSecurity", "advancedCompute"):
        assert {path for path in ours if path[0] == outer and len(path) <= 2} <= set(NEWER)


@needs_crds
@pytest.mark.parametrize(
    ("model", "file"),
    [
        (IngressClassParamsSpec, PARAMS_FILE),
        (TargetGroupBindingSpec, BINDING_FILE),
        (NodeDiagnosticSpec, DIAGNOSTIC_FILE),
    ],
)
def test_the_fields_of_the_other_kinds_are_those_of_their_crds_and_the_newer_ones(
    model: type[KubeModel], file: str
) -> None:
    theirs, ours = set(_schema_paths(_schema(file))), set(_model_paths(model))
    newer = set(NEWER_BY_FILE[file])
    assert theirs <= ours
    assert not theirs & newer
    assert {path for path in ours - theirs if path[:1] not in newer} == set()
    assert newer <= ours


_STRICTER_ELSEWHERE = {
    "group.name": "only this test's regular expressions let a final line break pass the CRD's pattern",
    "namespaceSelector": "the CRD leaves the selector to the controller, which cannot read such a one",
    "nodeSelector": "the CRD leaves the selector to the controller, which cannot read such a one",
    "inboundCIDRs": "EC2 takes ranges of addresses only",
    "serviceRef.port": "a port is 1 to 65535",
    "networking.ingress.ports.port": "a port is 1 to 65535",
}
"""Fields of the other kinds whose form is narrower than the CRD's, and why."""


@needs_crds
@pytest.mark.parametrize("kind", ["params", "params with subnet ids", "binding", "diagnostic"])
def test_the_other_kinds_are_refused_where_the_crds_refuse_them_or_a_reason_is_written(kind: str) -> None:
    model, whole, complaints = _WHOLE[kind]
    newer = {path[0] for paths in NEWER_BY_FILE.values() for path in paths}
    unexplained: dict[str, str] = {}
    for document in _with_one_fault(whole):
        if r"\ud800" in repr(document) or "${Token[" in repr(document):  # no JSON holds the one, no CRD sees the other
            continue
        try:
            model.from_manifest(document)
        except AutoModeError as error:
            if complaints(document):
                continue
            for problem in error.problems:
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


@needs_crds
@pytest.mark.parametrize("field", _STRICTER)
def test_the_crd_admits_what_is_listed_as_stricter(field: str) -> None:
    value, reason = _STRICTER[field]
    document = _of_february_2025(_CLASS)
    outer, _, inner = field.partition(".")
    document[outer] = ([{inner: value}] if outer.endswith("Terms") else {inner: value}) if inner else value
    assert reason
    assert _complaints(NODE_CLASS_FILE, document) == []
    with pytest.raises(AutoModeError) as refused:
        NodeClassSpec.from_manifest(document)
    assert [re.sub(r"\[.*?\]", "", problem.field) for problem in refused.value.problems] == [field]


@needs_crds
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
    document = _of_february_2025(_CLASS) | fields
    assert (_complaints(NODE_CLASS_FILE, document) == []) is admitted
    with pytest.raises(AutoModeError) as refused:
        NodeClassSpec.from_manifest(document)
    assert all(bool(RULES[problem.rule].stricter) for problem in refused.value.problems) or not admitted


@needs_crds
def test_a_node_class_is_refused_where_the_crd_refuses_it_or_a_reason_is_written() -> None:
    unexplained: dict[str, list[str]] = {}
    whole = _of_february_2025(_CLASS)
    for document in _with_one_fault(whole):
        try:
            NodeClassSpec.from_manifest(document)
        except AutoModeError as error:
            if _complaints(NODE_CLASS_FILE, document):
                continue
            for problem in error.problems:
                form = re.sub(r"\[.*?\]", "", problem.field)
                explained = RULES[problem.rule].stricter or form in _STRICTER
                if not explained and "known only after deployment" not in problem.message:
                    unexplained[json.dumps(document)] = [str(problem)]
    assert unexplained == {}


def _at(file: str, path: str) -> dict[str, Any]:
    at = _schema(file)
    for part in path.split("."):
        at = at["items"] if part == "[]" else at["properties"][part]
    return at


def _choices(model: type[KubeModel], field: str) -> set[str]:
    found: set[str] = set()
    waiting: list[Any] = [model.model_fields[field].annotation]
    while waiting:
        part = waiting.pop()
        found |= {part} if isinstance(part, str) else set()
        waiting += get_args(part)
    return found


_CHOICES: list[tuple[type[KubeModel], str, str]] = [
    *(
        (NodePoolSpec, file, path)
        for file in NODE_POOL_FILES
        for path in (
            "disruption.consolidationPolicy",
            "disruption.budgets.[].reasons.[]",
            "template.spec.requirements.[].operator",
            "template.spec.taints.[].effect",
        )
    ),
    (NodeClassSpec, NODE_CLASS_FILE, "snatPolicy"),
    (NodeClassSpec, NODE_CLASS_FILE, "networkPolicy"),
    (NodeClassSpec, NODE_CLASS_FILE, "networkPolicyEventLogs"),
    (IngressClassParamsSpec, PARAMS_FILE, "scheme"),
    (IngressClassParamsSpec, PARAMS_FILE, "ipAddressType"),
    (IngressClassParamsSpec, PARAMS_FILE, "listeners.[].protocol"),
    (TargetGroupBindingSpec, BINDING_FILE, "targetType"),
    (TargetGroupBindingSpec, BINDING_FILE, "networking.ingress.[].ports.[].protocol"),
    (NodeDiagnosticSpec, DIAGNOSTIC_FILE, "logCapture.categories.[]"),
]


@needs_crds
@pytest.mark.parametrize(("model", "file", "path"), _CHOICES)
def test_choices_are_those_of_the_crd(model: type[KubeModel], file: str, path: str) -> None:
    ours: set[str] = set()
    for part in (part for part in path.split(".") if part != "[]"):
        field = next(name for name, known in model.model_fields.items() if known.serialization_alias == part)
        ours = _choices(model, field)
        model = _model_of(model, field) or model
    assert ours == set(_at(file, path)["enum"])


def _model_of(model: type[KubeModel], field: str) -> type[KubeModel] | None:
    waiting: list[Any] = [model.model_fields[field].annotation]
    while waiting:
        part = waiting.pop()
        if isinstance(part, type) and issubclass(part, KubeModel):
            return part
        waiting += get_args(part)
    return None


# No input gives anything but a model or an AutoModeError that can be printed.

_keys = st.one_of(
    st.sampled_from(
        [
            *("template", "spec", "metadata", "labels", "requirements", "key", "operator", "values", "minValues"),
            *("taints", "effect", "expireAfter", "disruption", "budgets", "nodes", "role", "subnetSelectorTerms", "id"),
            *("securityGroupSelectorTerms", "tags", "name", "ephemeralStorage", "size", "parameters", "provisioner"),
            *("subnets", "matchTags", "group", "clusterName", "nodeSubnets", "csi.storage.k8s.io/fstype", "limits"),
            "expire_after",
        ]
    ),
    st.text(alphabet=st.characters(exclude_categories=()), max_size=3),
)
_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**200),
    st.floats(),
    st.text(alphabet=st.characters(exclude_categories=()), max_size=4),
    st.sampled_from(["In", "Gt", "1h", "Never", "${Token[TOKEN.1]}", "#{Token[TOKEN.1]}"]),
)
_documents = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys | st.integers() | st.none(), inner, max_size=4),
    max_leaves=15,
)


def _model_or_words(model: type[KubeModel], document: Any) -> None:
    try:
        model.from_manifest(document, where="a.yaml")
    except AutoModeError as refused:
        error = refused
    else:
        return
    lines = str(error).encode("utf-8").decode().splitlines()
    assert lines == str(error).split("\n")
    assert len(lines) == (1 if len(error.problems) == 1 else 1 + len(error.problems))
    assert all(problem.message for problem in error.problems)


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
    @given(_documents)
    def check(document: Any) -> None:
        _model_or_words(model, document)

    check()


@pytest.mark.parametrize("kind", _WHOLE)
def test_any_fault_in_a_document_gives_a_model_or_an_error_in_words(kind: str) -> None:
    model, whole, _ = _WHOLE[kind]
    for document in _with_one_fault(whole):
        _model_or_words(model, document)


def test_a_document_that_holds_itself_gives_an_error_in_words() -> None:
    loop: dict[str, Any] = {}
    loop["template"] = loop
    loop["limits"] = loop
    for model in _MODELS:
        if model.model_config.get("extra") == "forbid":
            with pytest.raises(AutoModeError):
                model.from_manifest(loop)
