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
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from automode_constructs.cluster_values import ClusterValues
from automode_constructs.errors import AutoModeError
from automode_constructs.specs.ingress_class import IngressClassParamsSpec
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.node_class import NodeClassSpec
from automode_constructs.specs.node_pool import NodePoolSpec, duration_in_seconds
from automode_constructs.specs.storage_class import StorageClassSpec

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
}
"""Fields of a NodeClass that are newer than its CRD file, with where AWS announced them."""

NODE_POOL_FILES = ("nodepools.karpenter.sh.yaml", "nodepools.karpenter.sh_v1.14.1.yaml")
NODE_CLASS_FILE = "eks.amazonaws.com_nodeclass_v1.json"
PARAMS_FILE = "eks.amazonaws.com_ingressclassparams_v1.json"


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
            "key": st.just("eks.amazonaws.com/instance-cpu"),
            "operator": st.sampled_from(["Gt", "Lt", "Gte", "Lte"]),
            "values": st.integers(0, 10**18 - 1).map(lambda number: [str(number)]),
        },
        {},
    )
    return st.one_of(listed, bare, compared)


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
                "requirements": st.lists(_requirements(), max_size=3),
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
_role_names = st.from_regex(r"[\w+=,.@-]{1,64}", fullmatch=True).filter(str.isascii)
node_classes = st.builds(
    lambda spec, role, pods: spec | role | pods,
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
)
_attributes = _record({"key": _texts.filter(bool), "value": _texts}, {})
ingress_params = _record(
    {},
    {
        "scheme": st.sampled_from(["internal", "internet-facing"]),
        "ipAddressType": st.sampled_from(["ipv4", "dualstack", "dualstack-without-public-ipv4"]),
        "group": st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?", fullmatch=True).map(lambda name: {"name": name}),
        "subnets": st.one_of(
            _record({"ids": st.lists(_subnet_ids, max_size=2)}, {}),
            _record({"matchTags": st.lists(_record({"key": _names, "values": st.lists(_texts)}, {}), max_size=2)}, {}),
        ),
        "certificateARNs": st.lists(_texts, max_size=2),
        "sslPolicy": _texts,
        "inboundCIDRs": st.lists(_texts, max_size=2),
        "loadBalancerAttributes": st.lists(_attributes, max_size=2),
        "tags": st.lists(_attributes, max_size=2),
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


def _params_complaints(document: Mapping[str, Any]) -> list[str]:
    return _complaints(PARAMS_FILE, document)


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
                {"key": "a", "operator": "Gt", "values": ["1"]},
                {"key": "a", "operator": "Exists"},
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
_PARAMS: dict[str, Any] = {
    "scheme": "internal",
    "ipAddressType": "ipv4",
    "group": {"name": "a"},
    "subnets": {"matchTags": [{"key": "a", "values": ["b"]}]},
    "certificateARNs": ["a"],
    "sslPolicy": "a",
    "inboundCIDRs": ["10.0.0.0/8"],
    "loadBalancerAttributes": [{"key": "a", "value": "b"}],
    "tags": [{"key": "a", "value": "b"}],
}
_WHOLE: dict[str, tuple[type[KubeModel], dict[str, Any], Callable[[Mapping[str, Any]], list[str]]]] = {
    "dynamic pool": (NodePoolSpec, {**_POOL, "weight": 1}, _node_pool_complaints),
    "static pool": (
        NodePoolSpec,
        {"template": {"spec": {"nodeClassRef": _REFERENCE, "requirements": []}}, "replicas": 1, "limits": {"nodes": 2}},
        _node_pool_complaints,
    ),
    "node class": (NodeClassSpec, _CLASS, _node_class_complaints),
    "params": (IngressClassParamsSpec, _PARAMS, _params_complaints),
    "params with subnet ids": (IngressClassParamsSpec, {"subnets": {"ids": ["subnet-1"]}}, _params_complaints),
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
def test_nothing_is_called_newer_that_the_crd_has() -> None:
    for *outer, last in NEWER:
        properties = _schema(NODE_CLASS_FILE)["properties"]
        for part in outer:
            properties = properties[part]["properties"]
        assert last not in properties


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


@pytest.mark.parametrize(
    "model", [NodePoolSpec, NodeClassSpec, StorageClassSpec, IngressClassParamsSpec, ClusterValues]
)
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
    for model in (NodePoolSpec, NodeClassSpec, StorageClassSpec, IngressClassParamsSpec, ClusterValues):
        with pytest.raises(AutoModeError):
            model.from_manifest(loop)
