"""What the policies of both demos let through and refuse, held against an evaluator that is tested here too."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import default_app
from tests.network_policies import Address, Cluster, Node, Peer, Pod
from tests.support import POLICIES_ON, manifests, text_of

PAGE = Path(__file__).parents[1] / "docs" / "network-policies.md"
REGION = text_of({"Ref": "AWS::Region"})

LOAD_BALANCER = Address(ip="10.0.0.20")
DNS = Address(ip="172.20.0.10")
POD_IDENTITY = Address(ip="169.254.170.23")
METADATA = Address(ip="169.254.169.254")
INTERNET = Address(ip="203.0.113.7", domain_name="example.com")
STRANGER = Pod(namespace="elsewhere", labels={"app.kubernetes.io/name": "ui"}, ip="10.0.65.9")
PROMETHEUS = Pod(namespace="monitoring", labels={"app": "prometheus"}, ip="10.0.65.10")
ANOTHER_BUCKET = Address(ip="203.0.113.9", domain_name=f"another-bucket.s3.{REGION}.amazonaws.com")


@dataclass(frozen=True, kw_only=True)
class Demo:
    """The pods of both demos, and where they load weights from."""

    shop: Pod
    server: Pod
    staging: Pod
    exporter: Pod
    s3: Address


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """Everything that the app delivers with both demos and GPU metrics."""
    templates = default_app(region="eu-central-1", gpu_metrics="true", retail_store_replicas="2")
    return [item for template in templates.values() for item in manifests(template)]


@pytest.fixture(scope="module")
def demo(objects: list[dict[str, Any]]) -> Demo:
    def pod(kind: str, namespace: str) -> Pod:
        (workload,) = [
            item for item in objects if (item["kind"], item["metadata"].get("namespace")) == (kind, namespace)
        ]
        return Pod.of(workload)

    (server,) = [item for item in objects if item["kind"] == "Deployment" and item["metadata"]["name"] == "gpt-oss-20b"]
    (container,) = server["spec"]["template"]["spec"]["containers"]
    match = re.match(r"s3://(.+)/gpt-oss-20b/[0-9a-f]{40}/$", container["args"][0])
    assert match is not None
    return Demo(
        shop=pod("Deployment", "retail-store"),
        server=pod("Deployment", "gpt-oss"),
        staging=pod("Job", "gpt-oss"),
        exporter=pod("DaemonSet", "gpu-metrics"),
        s3=Address(ip="203.0.113.8", domain_name=f"{match[1]}.s3.{REGION}.amazonaws.com"),
    )


Place = str
"""A pod of the demo by its field, or a place by its name in the table."""

PLACES: dict[Place, Peer] = {
    "the pod's node": Node(),
    "the load balancer": LOAD_BALANCER,
    "DNS": DNS,
    "EKS Pod Identity": POD_IDENTITY,
    "the instance metadata": METADATA,
    "the internet": INTERNET,
    "another bucket": ANOTHER_BUCKET,
    "OpenAI's storage": Address(ip="203.0.113.12", domain_name="openaipublic.blob.core.windows.net"),
    "the hub": Address(ip="203.0.113.10", domain_name="huggingface.co"),
    "the hub's stores": Address(ip="203.0.113.11", domain_name="us.aws.cdn.hf.co"),
    "a pod of another namespace": STRANGER,
    "Prometheus": PROMETHEUS,
    "the Kubernetes API": Address(ip="172.20.0.1"),
    "a pod of namespace gpt-oss": Pod(namespace="gpt-oss", labels={"app": "client"}, ip="10.0.65.11"),
}


@dataclass(frozen=True)
class Flow:
    """A connection of the demos, or one that must not be."""

    purpose: str
    source: Place
    destination: Place
    port: int
    protocol: str
    allowed: bool
    reason: str

    @property
    def row(self) -> str:
        """The flow in the page's table."""
        port = f"{self.protocol} {self.port}"
        verdict = "yes" if self.allowed else "no"
        return f"| {self.purpose} | {self.source} | {self.destination} | {port} | {verdict} | {self.reason} |"


FLOWS = tuple(
    Flow(*columns)
    for columns in (
        ("Probes of the shop", "the pod's node", "shop", 8080, "TCP", True, "the node always reaches its pods"),
        (
            "Requests and health checks",
            "the load balancer",
            "shop",
            8080,
            "TCP",
            True,
            "NetworkPolicy `ui`, the VPC's block",
        ),
        (
            "",
            "a pod of another namespace",
            "shop",
            8080,
            "TCP",
            True,
            "pods have addresses of the VPC, as load balancers",
        ),
        ("The shop opens nothing", "shop", "the internet", 443, "TCP", False, "NetworkPolicy `ui`"),
        ("", "shop", "server", 8000, "TCP", False, "both"),
        ("", "shop", "the instance metadata", 80, "TCP", False, "NetworkPolicy `ui`"),
        ("Other ports of the shop", "the load balancer", "shop", 9090, "TCP", False, "NetworkPolicy `ui`"),
        ("Probes of the server", "the pod's node", "server", 8000, "TCP", True, "the node always reaches its pods"),
        ("`kubectl port-forward`", "the pod's node", "server", 8000, "TCP", True, "the node always reaches its pods"),
        ("Questions to the model", "a pod of namespace gpt-oss", "server", 8000, "TCP", True, "argument `clients`"),
        ("", "a pod of another namespace", "server", 8000, "TCP", False, "argument `clients`"),
        ("", "the load balancer", "server", 8000, "TCP", False, "argument `clients`"),
        ("Names", "server", "DNS", 53, "UDP", True, "NetworkPolicy `gpt-oss-20b`"),
        ("", "server", "DNS", 53, "TCP", True, "NetworkPolicy `gpt-oss-20b`"),
        ("Credentials", "server", "EKS Pod Identity", 80, "TCP", True, "NetworkPolicy `gpt-oss-20b`"),
        ("Weights, and the check that they are there", "server", "s3", 443, "TCP", True, "ApplicationNetworkPolicy"),
        ("The vocabulary of gpt-oss", "server", "OpenAI's storage", 443, "TCP", True, "ApplicationNetworkPolicy"),
        ("", "server", "another bucket", 443, "TCP", False, "ApplicationNetworkPolicy, by the name"),
        ("The server opens nothing else", "server", "the internet", 443, "TCP", False, "NetworkPolicy `gpt-oss-20b`"),
        ("", "server", "the internet", 53, "UDP", False, "NetworkPolicy `gpt-oss-20b`"),
        ("", "server", "the hub", 443, "TCP", False, "NetworkPolicy `gpt-oss-20b`"),
        ("", "server", "the instance metadata", 80, "TCP", False, "NetworkPolicy `gpt-oss-20b`"),
        ("", "server", "the Kubernetes API", 443, "TCP", False, "NetworkPolicy `gpt-oss-20b`"),
        ("", "server", "shop", 8080, "TCP", False, "NetworkPolicy `gpt-oss-20b`"),
        ("Names", "staging", "DNS", 53, "UDP", True, "NetworkPolicy of the Job"),
        ("", "staging", "DNS", 53, "TCP", True, "NetworkPolicy of the Job"),
        ("Credentials", "staging", "EKS Pod Identity", 80, "TCP", True, "NetworkPolicy of the Job"),
        ("The copy", "staging", "the hub", 443, "TCP", True, "ApplicationNetworkPolicy of the Job"),
        ("", "staging", "the hub's stores", 443, "TCP", True, "ApplicationNetworkPolicy of the Job"),
        ("", "staging", "s3", 443, "TCP", True, "ApplicationNetworkPolicy of the Job"),
        ("The Job opens nothing else", "staging", "the internet", 443, "TCP", False, "NetworkPolicy of the Job"),
        ("", "staging", "server", 8000, "TCP", False, "NetworkPolicy of the Job"),
        (
            "Nobody calls the Job",
            "a pod of namespace gpt-oss",
            "staging",
            8000,
            "TCP",
            False,
            "NetworkPolicy of the Job",
        ),
        ("Probes of the exporter", "the pod's node", "exporter", 9400, "TCP", True, "the node always reaches its pods"),
        ("Metrics", "Prometheus", "exporter", 9400, "TCP", True, "NetworkPolicy `dcgm-exporter`, argument `clients`"),
        ("", "the load balancer", "exporter", 9400, "TCP", False, "NetworkPolicy `dcgm-exporter`"),
        ("The exporter opens nothing", "exporter", "the internet", 443, "TCP", False, "NetworkPolicy `dcgm-exporter`"),
    )
)
"""Every connection that the demos need, and those that would be worst."""


def end(demo: Demo, place: Place) -> Peer:
    """The end of a flow."""
    return PLACES[place] if place in PLACES else getattr(demo, place)


@pytest.mark.parametrize("default_deny", [False, True], ids=["DefaultAllow", "DefaultDeny"])
def test_the_demos_reach_what_they_need_and_nothing_else(
    objects: list[dict[str, Any]], demo: Demo, default_deny: bool
) -> None:
    # With DefaultDeny, clients need a policy that lets them out.
    outward = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]}
    clients = [policy(outward, namespace=namespace) for namespace in ("elsewhere", "monitoring")]
    clients.append(policy({**outward, "podSelector": {"matchLabels": {"app": "client"}}}, namespace="gpt-oss"))
    cluster = Cluster([*objects, *clients], default_deny=default_deny)
    wrong = [
        flow
        for flow in FLOWS
        if cluster.allows(end(demo, flow.source), end(demo, flow.destination), flow.port, flow.protocol) != flow.allowed
    ]
    assert wrong == []


def test_every_port_that_a_probe_or_a_service_reaches_is_a_flow(objects: list[dict[str, Any]], demo: Demo) -> None:
    """The table is complete for what the manifests themselves say."""
    pods = {"retail-store": "shop", "gpt-oss": "server", "gpu-metrics": "exporter"}
    reached: set[tuple[str, int]] = set()
    probed: set[tuple[str, int]] = set()
    for item in objects:
        place = pods.get(item["metadata"].get("namespace", ""))
        if item["kind"] in {"Deployment", "DaemonSet"} and place is not None:
            ports = end(demo, place).ports  # type: ignore[union-attr]
            for container in item["spec"]["template"]["spec"]["containers"]:
                for name in ("startupProbe", "readinessProbe", "livenessProbe"):
                    port = container[name]["httpGet"]["port"]
                    probed.add((place, ports.get(port, port)))
        elif item["kind"] == "Service" and place is not None:
            ports = end(demo, place).ports  # type: ignore[union-attr]
            reached |= {(place, ports.get(port["targetPort"], port["targetPort"])) for port in item["spec"]["ports"]}
    allowed = [flow for flow in FLOWS if flow.allowed]
    assert probed == {(flow.destination, flow.port) for flow in allowed if flow.source == "the pod's node"}
    assert reached == {
        (flow.destination, flow.port)
        for flow in allowed
        if flow.source != "the pod's node" and flow.destination in {"shop", "server", "exporter"}
    }


def test_every_pod_of_the_demos_has_a_policy_for_both_directions(objects: list[dict[str, Any]]) -> None:
    workloads = [
        item for item in objects if item["kind"] in {"CronJob", "DaemonSet", "Deployment", "Job", "StatefulSet"}
    ]
    assert len(workloads) == 4
    closed = Cluster(objects)
    for workload in workloads:
        pod = Pod.of(workload)
        assert not closed.allows(pod, INTERNET, 6666), workload["metadata"]
        assert not closed.allows(STRANGER, pod, 6666), workload["metadata"]


def test_without_the_config_map_all_of_that_is_dead_text(objects: list[dict[str, Any]], demo: Demo) -> None:
    off = Cluster([item for item in objects if item["kind"] != "ConfigMap"], default_deny=True)
    assert off.allows(STRANGER, demo.server, 8000)
    assert off.allows(demo.server, INTERNET, 443)


def test_the_page_has_the_table() -> None:
    table = "\n".join(
        [
            "| What for | From | To | Port | Let through | By |",
            "| --- | --- | --- | --- | --- | --- |",
            *(flow.row for flow in FLOWS),
        ]
    )
    text = PAGE.read_text("utf-8")
    written = re.search(r"\| What for \|.*?(?=\n\n)", text, re.DOTALL)
    assert written is not None
    if os.environ.get("AUTOMODE_REGENERATE"):
        PAGE.write_text(text.replace(written[0], table), "utf-8")
        text = PAGE.read_text("utf-8")
    assert table in text


WEB = Pod(namespace="a", labels={"app": "web"}, ip="10.0.0.1", ports={"http": 8080})
DATA = Pod(namespace="a", labels={"app": "data"}, ip="10.0.0.2")
ELSEWHERE = Pod(namespace="b", labels={"app": "web"}, ip="10.0.0.3")
NAMESPACES = (
    {"kind": "Namespace", "metadata": {"name": "a", "labels": {"team": "red"}}},
    {"kind": "Namespace", "metadata": {"name": "b", "labels": {"team": "blue"}}},
)


def policy(spec: dict[str, Any], *, kind: str = "NetworkPolicy", namespace: str = "a") -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "p", "namespace": namespace}, "spec": spec}


def tier(tier: str, priority: int, subject: dict[str, Any], **rules: Any) -> dict[str, Any]:
    spec = {"tier": tier, "priority": priority, "subject": {"namespaces": subject}, **rules}
    return {"kind": "ClusterNetworkPolicy", "metadata": {"name": f"{tier}-{priority}"}, "spec": spec}


def cluster(*policies: dict[str, Any], default_deny: bool = False) -> Cluster:
    return Cluster([POLICIES_ON, *NAMESPACES, *policies], default_deny=default_deny)


class TestEvaluator:
    """Kubernetes' and AWS's own examples, and the traps in them."""

    def test_without_a_policy_the_node_class_decides(self) -> None:
        assert cluster().allows(ELSEWHERE, WEB, 8080)
        assert not cluster(default_deny=True).allows(ELSEWHERE, WEB, 8080)
        assert not cluster(default_deny=True).allows(WEB, INTERNET, 443)
        assert cluster(default_deny=True).allows(Node(), WEB, 8080)

    def test_a_policy_restricts_the_directions_that_it_names_alone(self) -> None:
        denied = cluster(policy({"podSelector": {}, "policyTypes": ["Ingress"]}))
        assert not denied.allows(DATA, WEB, 8080)
        assert denied.allows(WEB, INTERNET, 443)
        implied = cluster(policy({"podSelector": {}, "egress": [{"ports": [{"port": 53, "protocol": "UDP"}]}]}))
        assert implied.allows(WEB, DNS, 53, "UDP")
        assert not implied.allows(WEB, DNS, 53, "TCP")
        assert not implied.allows(ELSEWHERE, WEB, 8080)  # Ingress is always among the implied types.

    def test_selectors_of_one_peer_belong_together_and_those_of_two_do_not(self) -> None:
        web, blue = (
            {"podSelector": {"matchLabels": {"app": "web"}}},
            {"namespaceSelector": {"matchLabels": {"team": "blue"}}},
        )
        other = Pod(namespace="b", labels={"app": "other"}, ip="10.0.0.9")

        def admits(*peers: dict[str, Any]) -> list[bool]:
            judged = cluster(policy({"podSelector": {"matchLabels": {"app": "data"}}, "ingress": [{"from": [*peers]}]}))
            return [judged.allows(source, DATA, 1) for source in (WEB, ELSEWHERE, other)]

        assert admits(web) == [True, False, False]
        assert admits(blue) == [False, True, True]
        assert admits({**web, **blue}) == [False, True, False]
        assert admits(web, blue) == [True, True, True]
        assert admits({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "b"}}}) == [
            False,
            True,
            True,
        ]
        expression = {"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["blue"]}]}
        assert admits({"namespaceSelector": expression}) == [True, False, False]

    def test_no_peers_are_all_and_no_rules_are_none(self) -> None:
        everyone = cluster(policy({"podSelector": {}, "ingress": [{"ports": [{"port": "http"}]}]}))
        assert everyone.allows(LOAD_BALANCER, WEB, 8080)
        assert not everyone.allows(LOAD_BALANCER, WEB, 8081)
        assert not everyone.allows(LOAD_BALANCER, DATA, 8080)  # It has no port of that name.
        assert not cluster(policy({"podSelector": {}, "ingress": []})).allows(LOAD_BALANCER, WEB, 8080)

    def test_blocks_and_ranges_of_ports(self) -> None:
        block = {"cidr": "10.0.0.0/24", "except": ["10.0.0.2/32"]}
        ports = [{"port": 8000, "endPort": 8080}]
        judged = cluster(policy({"podSelector": {}, "ingress": [{"from": [{"ipBlock": block}], "ports": ports}]}))
        assert [judged.allows(source, WEB, 8080) for source in (ELSEWHERE, DATA, INTERNET)] == [True, False, False]
        assert [judged.allows(ELSEWHERE, WEB, port) for port in (7999, 8000, 8081)] == [False, True, False]

    def test_policies_of_both_kinds_add_up(self) -> None:
        closed = policy({"podSelector": {}, "policyTypes": ["Egress"]})
        names = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"domainNames": ["*.example.com"]}]}]}
        open_ = policy(names, kind="ApplicationNetworkPolicy")
        deep = Address(ip="203.0.113.7", domain_name="a.b.example.com")
        assert not cluster(closed).allows(WEB, deep, 443)
        assert cluster(closed, open_).allows(WEB, deep, 443)
        assert not cluster(closed, open_).allows(WEB, INTERNET, 443)  # The wildcard stands for one label at least.
        assert not cluster(closed, open_).allows(WEB, Address(ip="203.0.113.7"), 443)

    def test_admin_goes_before_and_baseline_after_the_policies_of_a_namespace(self) -> None:
        red = {"matchLabels": {"team": "red"}}
        everyone: list[dict[str, Any]] = [{"namespaces": {}}]
        allowing = policy({"podSelector": {}, "ingress": [{}]})
        denying = policy({"podSelector": {}, "policyTypes": ["Ingress"]})

        def rule(action: str) -> list[dict[str, Any]]:
            return [{"action": action, "from": everyone}]

        assert not cluster(allowing, tier("Admin", 1, red, ingress=rule("Deny"))).allows(ELSEWHERE, WEB, 8080)
        assert cluster(denying, tier("Admin", 1, red, ingress=rule("Accept"))).allows(ELSEWHERE, WEB, 8080)
        passed = [tier("Admin", 1, red, ingress=rule("Pass")), tier("Admin", 2, red, ingress=rule("Deny"))]
        assert cluster(allowing, *passed).allows(ELSEWHERE, WEB, 8080)
        assert not cluster(denying, *passed).allows(ELSEWHERE, WEB, 8080)
        baseline = tier("Baseline", 1, red, ingress=rule("Deny"))
        assert not cluster(baseline).allows(ELSEWHERE, WEB, 8080)
        assert cluster(allowing, baseline).allows(ELSEWHERE, WEB, 8080)
        both = tier("Baseline", 1, {}, ingress=rule("Accept"), egress=[{"action": "Accept", "to": everyone}])
        assert cluster(both, default_deny=True).allows(ELSEWHERE, WEB, 8080)
        assert cluster(baseline).allows(WEB, ELSEWHERE, 8080)  # another subject

    def test_priority_then_deny_decides_within_a_tier(self) -> None:
        accept = [{"action": "Accept", "from": [{"namespaces": {}}], "ports": [{"portNumber": {"port": 8080}}]}]
        deny = [
            {"action": "Deny", "from": [{"namespaces": {}}], "ports": [{"portRange": {"start": 8000, "end": 9000}}]}
        ]
        assert cluster(tier("Admin", 1, {}, ingress=accept), tier("Admin", 2, {}, ingress=deny)).allows(DATA, WEB, 8080)
        assert not cluster(tier("Admin", 2, {}, ingress=accept), tier("Admin", 1, {}, ingress=deny)).allows(
            DATA, WEB, 8080
        )
        assert not cluster(tier("Admin", 1, {}, ingress=accept), tier("Admin", 1, {}, ingress=deny)).allows(
            DATA, WEB, 8080
        )
        assert cluster(tier("Admin", 1, {}, ingress=[*accept, *deny])).allows(DATA, WEB, 8080)
        assert not cluster(tier("Admin", 1, {}, ingress=[*accept, *deny])).allows(DATA, WEB, 8081)

    def test_what_a_cluster_policy_sends_out(self) -> None:
        rules = [
            {"action": "Accept", "to": [{"domainNames": ["example.com"]}], "ports": [{"portNumber": {"port": 443}}]},
            {"action": "Deny", "to": [{"networks": ["0.0.0.0/0"]}]},
        ]
        judged = cluster(tier("Admin", 1, {}, egress=rules))
        assert judged.allows(WEB, INTERNET, 443)
        assert not judged.allows(WEB, Address(ip="203.0.113.7"), 443)
        pods = {"pods": {"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "data"}}}}
        to_data = cluster(tier("Admin", 1, {}, egress=[{"action": "Deny", "to": [pods]}]))
        assert not to_data.allows(WEB, DATA, 5432)
        assert to_data.allows(WEB, ELSEWHERE, 5432)
