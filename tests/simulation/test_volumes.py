"""Volumes: a pod goes where its volume is."""

from __future__ import annotations

from typing import Any

from tests.simulation.scenes import ZONE, Manifest, apply, demand, nodes, play, pool, reasons, waiting, workload


def storage_class(name: str = "gp3", mode: str = "WaitForFirstConsumer", **more: Any) -> Manifest:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": "ebs.csi.eks.amazonaws.com",
        "volumeBindingMode": mode,
        **more,
    }


def claim(name: str = "data", **spec: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"storageClassName": "gp3", "resources": {"requests": {"storage": "10Gi"}}, **spec},
    }


def volume(name: str, zone: str) -> Manifest:
    terms = [{"matchExpressions": [demand(ZONE, zone)]}]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}},
    }


def uses(name: str = "data") -> list[Manifest]:
    return [{"name": "v", "persistentVolumeClaim": {"claimName": name}}]


def test_a_volume_that_exists_binds_its_pod_to_its_zone() -> None:
    result = play(
        apply(pool(), storage_class(), volume("pv-1", "us-east-1c"), claim(volumeName="pv-1")),
        apply(workload(volumes=uses())),
    )
    assert nodes(result.steps[2]) == ["main c6a.large on-demand c web:1"]


def test_a_volume_is_made_where_its_first_pod_runs_and_stays_there() -> None:
    # n1 goes with its pool; the pod may come back in the zone of its volume only, which the other pool does not have.
    here, there = demand(ZONE, "us-east-1b"), demand(ZONE, "us-east-1a")
    result = play(
        apply(pool("main", here, weight=10), pool("other", there), storage_class(), claim()),
        apply(workload(volumes=uses())),
        {"delete": "NodePool/main", "settle": 60},
    )
    assert nodes(result.steps[2]) == ["main c6a.large on-demand b web:1"]
    assert waiting(result.steps[3]) == {"web": 1}
    assert reasons(result.steps[3]) == ["NodePool other: the pod's volume is in us-east-1b"]


def test_a_class_with_zones() -> None:
    topology = [{"matchLabelExpressions": [{"key": ZONE, "values": ["us-east-1c"]}]}]
    result = play(apply(pool(), storage_class(allowedTopologies=topology), claim()), apply(workload(volumes=uses())))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand c web:1"]


def test_a_claim_that_does_not_exist_and_then_does() -> None:
    late = claim(volumeName="pv-1")
    result = play(
        apply(pool(), storage_class(), volume("pv-1", "us-east-1b")), apply(workload(volumes=uses())), apply(late)
    )
    assert reasons(result.steps[2]) == ["PersistentVolumeClaim shop/data: does not exist"]
    assert nodes(result.steps[3]) == ["main c6a.large on-demand b web:1"]


def test_two_pods_of_one_claim_go_to_one_zone() -> None:
    # The first pod makes the volume in its zone; the second must follow it, though it could be anywhere before.
    first = workload("first", cpu="1500m", volumes=uses(), nodeSelector={ZONE: "us-east-1b"})
    second = workload("second", cpu="1500m", volumes=uses())
    result = play(apply(pool(), storage_class(), claim()), apply(first, second, settle=60))
    assert {node.zone for node in result.steps[2].nodes if node.pods} == {"us-east-1b"}
    assert waiting(result.steps[2]) == {}


def test_each_pod_of_a_stateful_set_comes_back_to_its_zone() -> None:
    spec = {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {"storageClassName": "gp3"}}]}
    apart = [
        {
            "maxSkew": 1,
            "topologyKey": ZONE,
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "db"}},
        }
    ]
    db = workload("db", 3, kind="StatefulSet", cpu="1500m", spec=spec, topologySpreadConstraints=apart)
    result = play(
        apply(pool(), storage_class()),
        apply(db, settle=90),
        {"scale": "StatefulSet/shop/db", "replicas": 0, "settle": 60},
        {"delete": "Node/n1", "settle": 0},
        {"delete": "Node/n2", "settle": 0},
        {"delete": "Node/n3", "settle": 60},
        {"scale": "StatefulSet/shop/db", "replicas": 3, "settle": 90},
    )
    before, after = result.steps[2].nodes, result.steps[7].nodes
    assert [node.zone for node in before] == [node.zone for node in after]
    assert sorted(node.zone for node in after) == ["us-east-1a", "us-east-1b", "us-east-1c"]


def test_a_volume_of_the_pod_itself() -> None:
    own = [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "gp3"}}}}]
    result = play(apply(pool(), storage_class()), apply(workload(replicas=2, volumes=own)))
    assert nodes(result.steps[2]) == ["main c6a.large on-demand a web:2"]


def test_immediate_volumes_are_made_before_anyone_looks_at_the_pod() -> None:
    # In whatever zone; a pod that must be elsewhere waits for ever.
    result = play(
        apply(pool(), storage_class(mode="Immediate"), claim()),
        apply(workload(volumes=uses(), nodeSelector={ZONE: "us-east-1c"})),
    )
    assert waiting(result.steps[2]) == {"web": 1}
