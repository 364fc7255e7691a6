"""Documents of Auto Mode's kinds: such as our specs accept, such with one fault, and anything a YAML file may hold."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from tests.specs.crds import (
    APPLICATION_POLICY_CRD,
    BINDING_CRD,
    CLUSTER_POLICY_CRD,
    DIAGNOSTIC_CRD,
    NODE_CLASS_CRD,
    NODE_POOL_CRDS,
    PARAMS_CRD,
)

# Strategies for what our specs accept, with values at the edges of what is allowed.

REFERENCE = {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "standard"}
PEM = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BQT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="
"""The smallest certificate by its form, encoded in base64."""
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
                "nodeClassRef": st.just(REFERENCE),
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
        "certificateBundles": st.lists(_record({"name": _names, "data": st.sampled_from([PEM, f"{PEM}\n"])}, {})),
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

# One document a kind that holds every field, and the same with a fault.


def places_of(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a document with each of its keys or indices."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield document, key
        if isinstance(value, (dict, list)):
            yield from places_of(value)


_JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 1, 50, 51, 100, 101, 124, 1001, 2**63, 10**200, 1.5, "", " ", "a/b", "a" * 64, "a" * 400),
    *("Never", "0h", "1h\n", "1d", "1", "101%", "@daily", "@every 1h", "* * * *", "18Ti", "Ti", "59001Gi", "8Mi"),
    *("\ud800", "${Token[TOKEN.1]}", "-", "*", "subnet-", "subnet-z", "sg-", "In", "Gt", "NoSchedule", "Empty", "none"),
    *([], {}, [""], ["-1"], ["a", "a"], ["Empty", "Empty"], {"": ""}, {"a": ""}, {"a": None}, {"karpenter.sh/x": "a"}),
    *({"cpu": "x"}, {"cpu": 1, "nodes": 1}, {"kubernetes.io/cluster/x": "owned"}, {"karpenter.sh/nodepool": "x"}),
)
_TERMS = {
    "subnet": [{"id": "subnet-1"}, {"tags": {"a": "b"}}],
    "group": [{"id": "sg-1"}, {"name": "a"}, {"tags": {"a": "b"}}],
}
POOL: dict[str, Any] = {
    "template": {
        "metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}},
        "spec": {
            "nodeClassRef": REFERENCE,
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
CLASS: dict[str, Any] = {
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
NEWEST: dict[str, Any] = {
    "role": "nodes",
    "subnetSelectorTerms": [{"id": "subnet-1"}],
    "securityGroupSelectorTerms": [{"id": "sg-1"}],
    "certificateBundles": [{"name": "a", "data": PEM}],
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
PARAMS: dict[str, Any] = {
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
BINDING: dict[str, Any] = {
    "serviceRef": {"name": "a", "port": 80},
    "targetGroupARN": "arn:a",
    "targetType": "instance",
    "nodeSelector": {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]},
    "networking": {
        "ingress": [{"from": [{"securityGroup": {"groupID": "sg-1"}}], "ports": [{"protocol": "TCP", "port": 80}]}]
    },
    "multiClusterTargetGroup": True,
}
DIAGNOSTIC: dict[str, Any] = {
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
# The two examples of the AWS page, with every other field of the kinds.
APPLICATION_POLICY: dict[str, Any] = {
    "podSelector": {"matchLabels": {"role": "backend"}},
    "policyTypes": ["Ingress", "Egress"],
    "ingress": [
        {
            "from": [{"podSelector": {}, "namespaceSelector": {}}],
            "ports": [{"protocol": "TCP", "port": 8080, "endPort": 8090}, {"port": "http"}],
        }
    ],
    "egress": [
        {
            "to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.100.0.0/16"]}}],
            "ports": [{"protocol": "UDP", "port": 53}],
        },
        {"to": [{"domainNames": ["myapp.mydomain.com", "*.k8s.io"]}]},
    ],
}
CLUSTER_POLICY: dict[str, Any] = {
    "tier": "Admin",
    "priority": 10,
    "subject": {"namespaces": {"matchLabels": {"kubernetes.io/metadata.name": "earth"}}},
    "ingress": [
        {
            "action": "Deny",
            "from": [{"namespaces": {"matchLabels": {}}}],
            "name": "select-all-deny-all",
            "ports": [{"portRange": {"start": 1, "end": 2}}],
        }
    ],
    "egress": [
        {
            "action": "Accept",
            "to": [
                {"domainNames": ["example.com"]},
                {"networks": ["10.0.0.0/8"]},
                {"pods": {"namespaceSelector": {}, "podSelector": {}}},
            ],
            "ports": [
                {"portNumber": {"port": 443, "protocol": "TCP"}},
                {"portRange": {"start": 1, "end": 2, "protocol": "UDP"}},
                {"namedPort": "https"},
            ],
        }
    ],
}


WHOLE: dict[str, dict[str, Any]] = {
    **{name: {**POOL, "weight": 1} for name in NODE_POOL_CRDS},
    NODE_CLASS_CRD: CLASS,
    PARAMS_CRD: PARAMS,
    BINDING_CRD: BINDING,
    DIAGNOSTIC_CRD: DIAGNOSTIC,
    APPLICATION_POLICY_CRD: APPLICATION_POLICY,
    CLUSTER_POLICY_CRD: CLUSTER_POLICY,
}
"""A document for each CRD."""


def with_one_fault(whole: Any) -> Iterator[Any]:
    """The document with each of its parts in turn replaced by something else, left out, or written many times.

    What has no fault is the document's own: none of these may be changed.
    """
    for key, part in list(whole.items() if isinstance(whole, dict) else enumerate(whole)):
        left_out = whole.copy()
        del left_out[key]
        yield left_out
        faults: Iterable[Any] = [*_JUNK, *([part * 101] if isinstance(part, list) else [])]
        if isinstance(part, (dict, list)):
            faults = itertools.chain(faults, with_one_fault(part))
        for fault in faults:
            faulty = whole.copy()
            faulty[key] = fault
            yield faulty


# Anything that a YAML file may hold.

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
any_documents = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys | st.integers() | st.none(), inner, max_size=4),
    max_leaves=15,
)
