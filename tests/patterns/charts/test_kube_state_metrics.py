"""kube-state-metrics, and what its configuration makes of NodePools and NodeClaims."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import cdk8s
import kubernetes_validate
import pytest
import yaml

from automode_constructs.checks.placement import BUILT_IN_POOLS, pods_of
from automode_constructs.cli.main import main
from automode_constructs.facts.auto_mode_fees import auto_mode_fees
from automode_constructs.facts.instance_types import instance_types
from automode_constructs.patterns import KubeStateMetricsChart
from automode_constructs.patterns.charts.kube_state_metrics import RESOURCES
from automode_constructs.rendering.render import render
from automode_constructs.rendering.yaml_folder import to_yaml
from automode_constructs.specs.quantity import number
from tests.refusal import refusal
from tests.support import POLICIES_ON

Objects = dict[str, Any]


def made(**arguments: Any) -> Objects:
    """The chart's objects by kind."""
    chart = KubeStateMetricsChart(cdk8s.App(), "metrics", **arguments)
    return {item.manifest["kind"]: item.manifest for item in render(chart).objects}


@pytest.fixture(scope="module")
def objects() -> Objects:
    return made()


def pod_of(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return spec


class TestObjects:
    @pytest.mark.parametrize("version", ["1.36", "1.37"])
    def test_kubernetes_knows_every_field(self, objects: Objects, version: str) -> None:
        assert set(objects) == {
            *("ClusterRole", "ClusterRoleBinding", "ConfigMap", "Deployment", "Namespace", "NetworkPolicy", "Service"),
            "ServiceAccount",
        }
        for manifest in objects.values():
            assert kubernetes_validate.validate(manifest, version, strict=True) == version

    def test_the_linter_finds_nothing(
        self, objects: Objects, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "metrics.yaml").write_text(to_yaml([POLICIES_ON, *objects.values()]), "utf-8")
        assert main(["lint", "--strict", str(tmp_path / "metrics.yaml")]) == 0
        assert "0 errors, 0 warnings" in capsys.readouterr().err

    def test_it_lists_and_watches_what_it_is_asked_for_and_no_secret(self) -> None:
        rules = made(resources=["pods", "nodes", "jobs"])["ClusterRole"]["rules"]
        assert {verb for rule in rules for verb in rule["verbs"]} == {"list", "watch"}
        assert {(rule["apiGroups"][0], *rule["resources"]) for rule in rules} == {
            ("", "pods", "nodes"),
            ("batch", "jobs"),
            ("apiextensions.k8s.io", "customresourcedefinitions"),
            ("karpenter.sh", "nodepools", "nodeclaims"),
        }
        assert not {"secrets", "configmaps"} & RESOURCES.keys()

    def test_arguments_of_the_program(self, objects: Objects) -> None:
        (container,) = pod_of(objects)["containers"]
        assert container["args"][:2] == ["--port=8080", "--telemetry-port=8081"]
        assert container["args"][3] == "--custom-resource-state-config-file=/etc/custom-resource-state/config.yaml"
        read = container["args"][2].removeprefix("--resources=").split(",")
        assert {*read} <= RESOURCES.keys() and "pods" in read

    def test_the_namespace_is_restricted(self, objects: Objects) -> None:
        assert objects["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"

    def test_it_runs_in_both_pools_of_eks(self, objects: Objects) -> None:
        pods = pods_of("apps", objects["Deployment"])
        assert pods is not None
        assert all(pods.select(pool) and not pods.repelled_by(pool) for pool in BUILT_IN_POOLS.values())

    def test_it_reaches_the_api_server_alone(self, objects: Objects) -> None:
        (rule,) = objects["NetworkPolicy"]["spec"]["egress"]
        assert rule["ports"] == [{"port": 443, "protocol": "TCP"}]
        assert [peer["ipBlock"]["cidr"] for peer in rule["to"]] == [
            *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
        ]

    def test_another_configuration_is_another_pod(self, objects: Objects) -> None:
        assert objects["Deployment"]["spec"]["template"]["metadata"]["annotations"].keys() == {"checksum/config"}

    def test_the_price_is_that_of_the_facts(self) -> None:
        for name, usd in {"c6a.large": "62.5", "c6g.large": "55.6"}.items():
            price = instance_types()[name].on_demand_price_usd
            assert price is not None and f"{price * (1 + auto_mode_fees().share(name)) * 730:.1f}" == usd
            assert f"{usd} USD" in str(KubeStateMetricsChart.__doc__) and name in str(KubeStateMetricsChart.__doc__)


POOL = """
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: gpu}
spec:
  limits: {cpu: "64", memory: 256Gi, nvidia.com/gpu: 4}
  weight: 10
status:
  resources: {cpu: "4", memory: 15896356Ki, nodes: "1", nvidia.com/gpu: "1"}
  conditions:
    - {type: Ready, status: "True", reason: Ready, lastTransitionTime: "2026-11-01T08:00:00Z"}
    - {type: NodeClassReady, status: "Unknown", reason: AwaitingReconciliation}
"""
CLAIM = """
apiVersion: karpenter.sh/v1
kind: NodeClaim
metadata:
  name: gpu-x7k2p
  creationTimestamp: "2026-11-27T10:00:00Z"
  labels:
    karpenter.sh/nodepool: gpu
    karpenter.sh/capacity-type: spot
    node.kubernetes.io/instance-type: g6.xlarge
    topology.kubernetes.io/zone: eu-west-1a
    kubernetes.io/arch: amd64
spec:
  nodeClassRef: {group: eks.amazonaws.com, kind: NodeClass, name: own}
status:
  nodeName: i-0123456789abcdef0
  capacity: {cpu: "4", pods: "110"}
  conditions:
    - {type: Initialized, status: "False", reason: StartupTaintsExist}
"""
YOUNG = """
apiVersion: karpenter.sh/v1
kind: NodeClaim
metadata: {name: new, creationTimestamp: "2026-11-27T10:00:00Z", labels: {karpenter.sh/nodepool: gpu}}
spec: {nodeClassRef: {name: own}}
"""


class Stub:
    """What kube-state-metrics does with its configuration, as its registry_factory.go says it."""

    def __init__(self, config: str) -> None:
        self.resources = yaml.safe_load(config)["spec"]["resources"]

    def series(self, text: str) -> Iterator[tuple[str, dict[str, str], float]]:
        item = yaml.safe_load(text)
        group, version = item["apiVersion"].split("/")
        named = {"group": group, "version": version, "kind": item["kind"]}
        for resource in self.resources:
            if resource["groupVersionKind"] != named:
                continue
            common = self.labels(item, resource["labelsFromPath"])
            for metric in resource["metrics"]:
                for labels, value in self.each(metric["each"], item):
                    yield f"{resource['metricNamePrefix']}_{metric['name']}", {**common, **labels}, value

    def each(self, each: Mapping[str, Any], item: Any) -> Iterator[tuple[dict[str, str], float]]:
        if each["type"] == "Info":
            yield self.labels(item, each["info"]["labelsFromPath"]), 1.0
            return
        gauge = each["gauge"]
        found, value_from, paths = (
            self.at(item, gauge["path"]),
            gauge.get("valueFrom", []),
            gauge.get("labelsFromPath", {}),
        )
        parts = (
            found.items()
            if isinstance(found, dict)
            else [("", one) for one in found]
            if isinstance(found, list)
            else [("", found)]
        )
        for key, part in parts:
            value = self.at(part, value_from)
            if value is not None:
                yield {**self.labels(part, paths), **({gauge["labelFromKey"]: key} if key else {})}, self.number(value)

    def labels(self, item: Any, paths: Mapping[str, list[str]]) -> dict[str, str]:
        return {name: str(value) for name, path in paths.items() if (value := self.at(item, path)) is not None}

    @staticmethod
    def at(item: Any, path: list[str]) -> Any:
        for part in path:
            item = item.get(part) if isinstance(item, dict) else None
        return item

    @staticmethod
    def number(value: Any) -> float:
        text = str(value).lower()
        if text in {"true", "yes", "false", "no", "unknown"}:
            return float(text in {"true", "yes"})
        quantity = number(value)
        return float(quantity) if quantity is not None else datetime.fromisoformat(str(value)).timestamp()


@pytest.fixture
def stub(objects: Objects) -> Stub:
    return Stub(objects["ConfigMap"]["data"]["config.yaml"])


class TestSeries:
    def test_a_pool(self, stub: Stub) -> None:
        pool = {"nodepool": "gpu"}
        assert [*stub.series(POOL)] == [
            ("automode_nodepool_limit", {**pool, "resource": "cpu"}, 64.0),
            ("automode_nodepool_limit", {**pool, "resource": "memory"}, 256.0 * 1024**3),
            ("automode_nodepool_limit", {**pool, "resource": "nvidia.com/gpu"}, 4.0),
            ("automode_nodepool_usage", {**pool, "resource": "cpu"}, 4.0),
            ("automode_nodepool_usage", {**pool, "resource": "memory"}, float(Decimal(15896356) * 1024)),
            ("automode_nodepool_usage", {**pool, "resource": "nodes"}, 1.0),
            ("automode_nodepool_usage", {**pool, "resource": "nvidia.com/gpu"}, 1.0),
            ("automode_nodepool_weight", pool, 10.0),
            ("automode_nodepool_status_condition", {**pool, "type": "Ready", "reason": "Ready"}, 1.0),
            (
                "automode_nodepool_status_condition",
                {**pool, "type": "NodeClassReady", "reason": "AwaitingReconciliation"},
                0.0,
            ),
        ]

    def test_a_node(self, stub: Stub) -> None:
        claim = {"nodeclaim": "gpu-x7k2p", "nodepool": "gpu"}
        assert [*stub.series(CLAIM)] == [
            (
                "automode_nodeclaim_info",
                {
                    **claim,
                    "node": "i-0123456789abcdef0",
                    "node_class": "own",
                    "instance_type": "g6.xlarge",
                    "capacity_type": "spot",
                    "zone": "eu-west-1a",
                    "arch": "amd64",
                },
                1.0,
            ),
            ("automode_nodeclaim_created", claim, 1795773600.0),
            ("automode_nodeclaim_capacity", {**claim, "resource": "cpu"}, 4.0),
            ("automode_nodeclaim_capacity", {**claim, "resource": "pods"}, 110.0),
            (
                "automode_nodeclaim_status_condition",
                {**claim, "type": "Initialized", "reason": "StartupTaintsExist"},
                0.0,
            ),
        ]

    def test_a_node_without_a_status_yet(self, stub: Stub) -> None:
        assert [name for name, _, _ in stub.series(YOUNG)] == ["automode_nodeclaim_info", "automode_nodeclaim_created"]

    def test_every_metric_has_its_form(self, stub: Stub) -> None:
        for resource in stub.resources:
            for metric in resource["metrics"]:
                assert metric["help"] and metric["each"]["type"] in {"Gauge", "Info"}
                assert (metric["each"]["type"] == "Info") is (metric["name"] == "info")


def _chart(**arguments: Any) -> Callable[[], object]:
    return lambda: KubeStateMetricsChart(cdk8s.App(), "metrics", **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"namespace": "kube-system"},
            "namespace: 'kube-system' cannot be the chart's own namespace; use at most 63 lower-case letters, digits "
            "and '-', but not 'default' or a name that begins with kube-",
        ),
        ({"resources": []}, "resources: is empty; name at least one kind"),
        ({"memory": "1Mi"}, "memory: '1Mi' is not a quantity of at least 16Mi; write it as '128Mi'"),
        (
            {"image": "example.com/ksm"},
            "image: 'example.com/ksm' has neither tag nor digest, so each node may run a different image; add "
            "':<tag>', or better '@sha256:<digest>'",
        ),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    assert refusal(_chart(**arguments)) == f"metrics: {message}"


def test_a_kind_that_is_not_known() -> None:
    text = refusal(_chart(resources=["pods", "pod"]))
    assert text.startswith("metrics: resources[1]: 'pod' is not known; did you mean 'pods'? Use one of 'cronjobs', ")
    assert refusal(_chart(resources=["secrets"])).startswith("metrics: resources[0]: 'secrets' is not known; ")
