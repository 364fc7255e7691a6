"""Zones that are none, that lie in another Region, and in which a pod cannot meet its volume."""

from __future__ import annotations

from typing import Any

import pytest

from automode_constructs.checks.whole_tree import TreeObject, judge_tree
from automode_constructs.specs.pools.requirement import Requirement

ZONE = "topology.kubernetes.io/zone"
RULES = {"automode:UnknownZone", "automode:VolumeZone", "automode:ZoneName", "automode:ZoneOfAnotherRegion"}


def thing(api_version: str, kind: str, name: str, **body: Any) -> TreeObject:
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}
    return TreeObject(where=name, manifest=manifest)


def pool(*zones: str, name: str = "p") -> TreeObject:
    nodes = {
        "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
        "requirements": [{"key": ZONE, "operator": "In", "values": [*zones]}] if zones else [],
    }
    return thing("karpenter.sh/v1", "NodePool", name, spec={"template": {"spec": nodes}})


def work(*claims: dict[str, Any], **pod: Any) -> TreeObject:
    spec = {
        "template": {"spec": {"containers": [], **pod}},
        "volumeClaimTemplates": [{"spec": spec} for spec in claims],
    }
    return thing("apps/v1", "StatefulSet", "w", spec=spec)


def storage_class(*zones: str, key: str = ZONE) -> TreeObject:
    topologies = [{"matchLabelExpressions": [{"key": key, "values": [*zones]}]}]
    return thing("storage.k8s.io/v1", "StorageClass", "fast", allowedTopologies=topologies)


def found(*objects: TreeObject, whole: bool = True, region: str | None = None, **more: Any) -> list[str]:
    more = {"built_in_pools": [], **more}
    findings = judge_tree(objects, default_node_class=True, whole=whole, region=region, **more)
    return [f"{each.severity} {each.rule} {each}" for each in findings if each.rule in RULES]


@pytest.mark.parametrize(
    ("zone", "what", "cure"),
    [
        ("use1-az1", "a zone's id", "write its name, such as 'us-east-1a'"),
        ("euc1-az2", "a zone's id", "write its name, such as 'eu-central-1a'"),
        ("usw2-lax1-az1", "a zone's id", "write its name, such as 'us-west-2a'"),
        ("US-EAST-1A", "not lower-case", "write 'us-east-1a'"),
        ("us-east-1", "a Region", "write the names of its zones, such as 'us-east-1a'"),
        ("us-gov-west-1", "a Region", "write the names of its zones, such as 'us-gov-west-1a'"),
        ("us-east1-b", "not a zone's name", "write a name such as 'us-east-1a'"),
    ],
)
def test_a_zone_is_named_by_its_name(zone: str, what: str, cure: str) -> None:
    _, (problem,) = Requirement.read({"key": ZONE, "operator": "In", "values": [zone]})
    assert problem.rule == "automode:LabelValue"
    assert f"'{ZONE}' is never '{zone}' ({what}), so that this admits nothing; {cure}" in str(problem)
    _, (some,) = Requirement.read({"key": ZONE, "operator": "In", "values": ["us-east-1a", zone]})
    assert (some.rule, some.severity) == ("automode:SomeLabelValues", "warning")
    (in_pod,) = found(pool(), work(nodeSelector={ZONE: zone}))
    assert in_pod.startswith(
        f"error automode:ZoneName w: spec.template.spec.nodeSelector: no node is in '{zone}': it is {what}; {cure}"
    )
    (in_class,) = found(storage_class("us-east-1a", zone))
    assert in_class.startswith("error automode:ZoneName fast: allowedTopologies[0].matchLabelExpressions[0].values: ")


@pytest.mark.parametrize(
    "zone",
    ["us-east-1a", "us-west-2-lax-1a", "us-east-1-wl1-bos-wlz-1", "us-gov-west-1b", "cn-north-1a", "mx-central-1a"],
)
def test_names_of_zones_of_every_kind_pass(zone: str) -> None:
    assert Requirement.read({"key": ZONE, "operator": "In", "values": [zone]})[1] == []
    assert found(pool(zone), work(nodeSelector={ZONE: zone}), storage_class(zone)) == []


def test_a_region_is_not_named_by_its_zone() -> None:
    _, (problem,) = Requirement.read(
        {"key": "topology.kubernetes.io/region", "operator": "In", "values": ["us-east-1a"]}
    )
    assert "'topology.kubernetes.io/region' is never 'us-east-1a' (a zone)" in str(problem)
    assert "write 'us-east-1'" in str(problem)


def test_one_requirement_names_zones_of_one_region() -> None:
    values = ["us-east-1a", "us-east-1b", "eu-west-1a"]
    _, (problem,) = Requirement.read({"key": ZONE, "operator": "In", "values": values})
    assert f"{problem.rule} {problem}" == (
        "automode:ZoneOfAnotherRegion values: are zones of several Regions ('us-east-1b' in us-east-1, 'eu-west-1a' in "
        "eu-west-1), and the nodes of a cluster are in one, so that some admit nothing; leave the zones of other "
        "Regions out"
    )


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (pool("eu-west-1a"), "spec.template.spec.requirements[0].values"),
        (work(nodeSelector={ZONE: "eu-west-1a"}), "spec.template.spec.nodeSelector"),
        (storage_class("eu-west-1a", "eu-west-1b"), "allowedTopologies[0].matchLabelExpressions[0].values"),
    ],
)
def test_a_zone_of_another_region_than_the_clusters_is_a_warning(item: TreeObject, field: str) -> None:
    message = (
        f"warning automode:ZoneOfAnotherRegion {item.where}: {field}: 'eu-west-1a' is a zone of eu-west-1, and the "
        "cluster is in us-east-1, so that no node is there; name zones of us-east-1, or leave the zone open"
    )
    assert found(item, region="us-east-1") == [message]
    assert found(item, region="eu-west-1") == []
    assert found(item) == []
    assert found(pool("us-east-1a", name="first"), item, whole=False) == [message]


CLAIM = {"storageClassName": "fast"}


def test_pods_that_cannot_run_where_their_volume_is_stay_pending() -> None:
    assert found(storage_class("us-east-1a"), pool("us-east-1b"), work(CLAIM)) == [
        "warning automode:VolumeZone w: spec.volumeClaimTemplates[0].spec: a volume of StorageClass 'fast' is in "
        "us-east-1a, and no node that takes the pods is there, so they stay pending; let the pods, or a pool, use a "
        "zone of the volume"
    ]
    assert found(storage_class("us-east-1a"), pool("us-east-1a"), work(CLAIM)) == []
    assert found(storage_class("us-east-1a"), pool(), work(CLAIM)) == []


@pytest.mark.parametrize("key", [ZONE, "topology.ebs.csi.eks.amazonaws.com/zone"])
@pytest.mark.parametrize("pools", [[], [pool()]])
def test_pods_that_choose_another_zone_than_their_volume_are_found(key: str, pools: list[TreeObject]) -> None:
    chosen = {ZONE: "us-east-1b"}
    assert len(found(storage_class("us-east-1a", key=key), *pools, work(CLAIM, nodeSelector=chosen), whole=False)) == 1
    assert found(storage_class("us-east-1b", key=key), *pools, work(CLAIM, nodeSelector=chosen), whole=False) == []


def test_a_volume_that_exists_has_a_zone() -> None:
    term = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["us-east-1a"]}]}
    volume = thing("v1", "PersistentVolume", "old", spec={"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}})
    claim = thing("v1", "PersistentVolumeClaim", "data", spec={"volumeName": "old", "storageClassName": ""})
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    (finding,) = found(volume, claim, pool("us-east-1b"), work(volumes=volumes))
    assert "spec.template.spec.volumes[0]: PersistentVolume 'old' is in us-east-1a, and no node" in finding
    assert found(volume, claim, pool("us-east-1a", "us-east-1b"), work(volumes=volumes)) == []


@pytest.mark.parametrize("topologies", [None, "x", [{}], [{"matchLabelExpressions": [{"key": "a", "values": ["b"]}]}]])
def test_a_class_that_leaves_the_zone_open_passes(topologies: Any) -> None:
    fast = thing("storage.k8s.io/v1", "StorageClass", "fast", allowedTopologies=topologies)
    assert found(fast, pool("us-east-1b"), work(CLAIM)) == []


@pytest.mark.parametrize(
    ("zone", "what"),
    [
        ("us-east-9a", "us-east-9, in which EKS Auto Mode is not known"),
        ("eu-east-1b", "eu-east-1, in which EKS Auto Mode is not known"),
        ("us-east-1z", "no Region: the letters of zones are a to f, not z"),
    ],
)
def test_a_zone_that_nobody_knows_is_a_warning(zone: str, what: str) -> None:
    cure = "correct it, or acknowledge this if AWS has it by now"
    text = f"{zone!r} is in {what}, so that no node is there; {cure}"
    assert found(pool(zone)) == [f"warning automode:UnknownZone p: spec.template.spec.requirements[0].values: {text}"]
    assert found(storage_class(zone)) == [
        f"warning automode:UnknownZone fast: allowedTopologies[0].matchLabelExpressions[0].values: {text}"
    ]


@pytest.mark.parametrize("zone", ["us-east-1f", "us-west-2-lax-1a", "us-east-1-wl1-bos-wlz-1", "us-gov-west-1b"])
def test_zones_that_are_known_pass(zone: str) -> None:
    assert found(pool(zone)) == []


def test_the_label_of_ids_takes_no_name() -> None:
    wrong = Requirement.model_validate(
        {"key": "topology.k8s.aws/zone-id", "operator": "NotIn", "values": ["us-east-1a"]}, by_alias=True
    )
    (problem,) = wrong.warnings()
    assert str(problem) == (
        "values: 'topology.k8s.aws/zone-id' is never 'us-east-1a' (a zone's name), which has no effect; write the "
        "zone's id, such as 'use1-az1', or require topology.kubernetes.io/zone"
    )
    right = {"key": "topology.k8s.aws/zone-id", "operator": "In", "values": ["use1-az1"]}
    assert [*Requirement.model_validate(right, by_alias=True).warnings()] == []
