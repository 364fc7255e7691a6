"""The chart of a list of agents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cdk8s
import kubernetes_validate
import pytest

from automode_constructs import AutoModeError
from automode_constructs.checks.placement import BUILT_IN_POOLS, daemon_pods
from automode_constructs.cli.main import main
from automode_constructs.inference.weights import SecretKey
from automode_constructs.patterns import HostPath, NodeAgent, NodeAgentsChart
from automode_constructs.patterns.charts.node_agents import remove_startup_taint
from automode_constructs.rendering.render import render
from automode_constructs.rendering.yaml_folder import to_yaml
from tests.network_policies import Address, Cluster, Pod
from tests.patterns.charts.node_agents.test_node_agent import agent
from tests.refusal import refusal
from tests.support import POLICIES_ON

TAINT = "agents.example.com/not-ready"
FIRST = agent(
    name="runtime-guard",
    user=0,
    host_pid=True,
    host_network=True,
    capabilities=["BPF", "PERFMON"],
    host_paths=[HostPath(path="/var/log"), HostPath(path="/var/lib/guard", writable=True, kind="DirectoryOrCreate")],
    scratch=["/tmp"],
    reads=["pods", "apps/daemonsets", "nodes"],
    environment={"LEVEL": "info"},
    secrets={"TOKEN": SecretKey(name="guard", key="token")},
    command=["/guard"],
    arguments=["--ebpf"],
    health_port=8765,
    startup_taint=TAINT,
    startup_seconds=62,
    memory_limit="256Mi",
)
SECOND = agent(name="log-shipper", purpose="logging", ready_command=["/ready"], architectures=["amd64"])
THIRD = agent(name="cis-scan", purpose="compliance", privileged=True, user=0, selinux_type="super_t")

Objects = dict[tuple[str, str], dict[str, Any]]


def made(*agents: NodeAgent, ring: str = "canary", **arguments: Any) -> Objects:
    """The chart's objects by kind and name."""
    chart = NodeAgentsChart(cdk8s.App(), "agents", agents=agents or [FIRST, SECOND, THIRD], ring=ring, **arguments)
    return {(item.manifest["kind"], item.manifest["metadata"]["name"]): item.manifest for item in render(chart).objects}


@pytest.fixture(scope="module")
def objects() -> Objects:
    return made()


def pod_of(objects: Objects, name: str) -> dict[str, Any]:
    spec: dict[str, Any] = objects["DaemonSet", name]["spec"]["template"]["spec"]
    return spec


def test_what_it_makes(objects: Objects) -> None:
    assert set(objects) == {
        ("Namespace", "node-agents"),
        ("ConfigMap", "remove-startup-taint"),
        ("NetworkPolicy", "node-agents"),
        *(
            (kind, name)
            for kind in ("DaemonSet", "ServiceAccount")
            for name in ("runtime-guard", "log-shipper", "cis-scan")
        ),
        ("ClusterRole", "node-agents-runtime-guard"),
        ("ClusterRoleBinding", "node-agents-runtime-guard"),
    }


@pytest.mark.parametrize("version", ["1.36", "1.37"])
def test_kubernetes_knows_every_field(objects: Objects, version: str) -> None:
    for manifest in objects.values():
        assert kubernetes_validate.validate(manifest, version, strict=True) == version


def test_the_linter_finds_nothing(objects: Objects, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "agents.yaml").write_text(to_yaml([POLICIES_ON, *objects.values()]), "utf-8")
    assert main(["lint", "--strict", str(tmp_path / "agents.yaml")]) == 0
    assert "0 errors, 0 warnings" in capsys.readouterr().err


class TestReach:
    @pytest.mark.parametrize("name", ["runtime-guard", "cis-scan"])
    def test_every_node_of_every_pool(self, objects: Objects, name: str) -> None:
        pod = pod_of(objects, name)
        assert pod["tolerations"] == [{"operator": "Exists"}]
        assert not pod.keys() & {"nodeSelector", "affinity"}
        pods = daemon_pods(objects["DaemonSet", name])
        assert pods is not None
        assert all(pods.select(pool) and not pods.repelled_by(pool) for pool in BUILT_IN_POOLS.values())

    def test_an_image_for_one_architecture_keeps_off_the_other(self, objects: Objects) -> None:
        required = pod_of(objects, "log-shipper")["affinity"]["nodeAffinity"]
        assert required == {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]}
                ]
            }
        }

    def test_karpenter_counts_it_and_full_nodes_make_room(self, objects: Objects) -> None:
        for name in ("runtime-guard", "log-shipper", "cis-scan"):
            pod = pod_of(objects, name)
            assert pod["priorityClassName"] == "system-node-critical"
            for container in [*pod.get("initContainers", []), *pod["containers"]]:
                assert container["resources"]["requests"].keys() == {"cpu", "memory"}
                assert container["resources"]["limits"].keys() == {"memory"}
        assert objects["DaemonSet", "cis-scan"]["metadata"]["annotations"] == {"automode-constructs/every-node": "true"}


@pytest.mark.parametrize("default_deny", [False, True])
def test_agents_reach_what_they_call_whatever_the_nodes_do_with_other_pods(
    objects: Objects, default_deny: bool
) -> None:
    cluster = Cluster([POLICIES_ON, *objects.values()], default_deny=default_deny)
    for name in ("runtime-guard", "log-shipper", "cis-scan"):
        agent = Pod.of(objects["DaemonSet", name])
        for place in (Address(ip="172.20.0.1"), Address(ip="203.0.113.7", domain_name="logs.example.com")):
            assert cluster.allows(agent, place, 443)
        assert cluster.allows(Pod(namespace="elsewhere"), agent, 8765) is not default_deny


def test_without_a_policy_they_would_reach_nothing(objects: Objects) -> None:
    others = [item for (kind, _), item in objects.items() if kind != "NetworkPolicy"]
    agent = Pod.of(objects["DaemonSet", "runtime-guard"])
    assert not Cluster([POLICIES_ON, *others], default_deny=True).allows(agent, Address(ip="172.20.0.1"), 443)


class TestRings:
    def test_each_ring_has_its_version(self) -> None:
        images = {
            ring: pod_of(made(SECOND, ring=ring), "log-shipper")["containers"][0]["image"] for ring in ("canary", "all")
        }
        assert images == {"canary": "example.com/scanner:1.3.0", "all": "example.com/scanner:1.2.0"}

    def test_nothing_else_differs(self) -> None:
        canary, every = made(SECOND, ring="canary"), made(SECOND, ring="all")
        for objects in (canary, every):
            del pod_of(objects, "log-shipper")["containers"][0]["image"]
        assert canary == every

    def notes(self, **versions: str) -> list[str]:
        chart = NodeAgentsChart(cdk8s.App(), "agents", agents=[agent(versions=versions)], ring="early")
        return [f"{note.rule}: {note.message}" for note in render(chart).notes]

    def test_a_later_ring_that_is_ahead(self) -> None:
        assert self.notes(early="v1.9.2", all="v1.10.0") == [
            "automode:AgentAheadOfItsRing: ring 'all' has v1.10.0 of agent 'scanner', and ring 'early' before it only "
            "v1.9.2: a version should be in the earlier ring first"
        ]

    @pytest.mark.parametrize(
        ("early", "every"), [("1.10.0", "1.9.2"), ("1.9", "1.9"), (f"sha256:{'0' * 64}", "1.0"), ("blue", "green")]
    )
    def test_all_else_is_in_order_or_cannot_be_compared(self, early: str, every: str) -> None:
        assert self.notes(early=early, all=every) == []


class TestNamespace:
    def test_has_the_strictest_level_that_admits_all(self) -> None:
        level = "pod-security.kubernetes.io/enforce"
        levels = [
            made(*agents)["Namespace", "node-agents"]["metadata"]["labels"][level]
            for agents in ((SECOND,), (SECOND, agent(user=0)), (SECOND, THIRD))
        ]
        assert levels == ["restricted", "baseline", "privileged"]

    def test_a_restricted_pod(self) -> None:
        container = pod_of(made(SECOND), "log-shipper")["containers"][0]
        assert container["securityContext"] == {
            "runAsUser": 65534,
            "runAsNonRoot": True,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }

    def test_another_name(self) -> None:
        found = made(SECOND, namespace="security")
        assert {item["metadata"].get("namespace") for item in found.values()} == {None, "security"}


class TestPrivileges:
    def test_only_what_is_named(self, objects: Objects) -> None:
        (container,) = pod_of(objects, "runtime-guard")["initContainers"]
        assert container["securityContext"] == {
            "runAsUser": 0,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["BPF", "PERFMON"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        pod = pod_of(objects, "runtime-guard")
        assert (pod["hostPID"], pod["hostNetwork"], pod["dnsPolicy"]) == (True, True, "ClusterFirstWithHostNet")

    def test_a_privileged_agent_with_an_selinux_type(self, objects: Objects) -> None:
        assert pod_of(objects, "cis-scan")["containers"][0]["securityContext"] == {
            "runAsUser": 0,
            "readOnlyRootFilesystem": True,
            "privileged": True,
            "seLinuxOptions": {"user": "system_u", "role": "system_r", "type": "super_t", "level": "s0"},
        }

    def test_the_api_is_read_by_named_kinds(self, objects: Objects) -> None:
        reading = ["get", "list", "watch"]
        assert objects["ClusterRole", "node-agents-runtime-guard"]["rules"] == [
            {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": reading},
            {"apiGroups": ["apps"], "resources": ["daemonsets"], "verbs": reading},
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "patch"]},
        ]

    def test_an_agent_that_reads_nothing_has_no_token(self, objects: Objects) -> None:
        pod = pod_of(objects, "log-shipper")
        assert pod["automountServiceAccountToken"] is False and "volumes" not in pod
        assert objects["ServiceAccount", "log-shipper"]["automountServiceAccountToken"] is False


class TestMounts:
    def test_folders_of_the_node_and_of_the_pod(self, objects: Objects) -> None:
        pod = pod_of(objects, "runtime-guard")
        assert pod["initContainers"][0]["volumeMounts"] == [
            {"name": "host-0", "mountPath": "/var/log", "readOnly": True},
            {"name": "host-1", "mountPath": "/var/lib/guard"},
            {"name": "scratch-0", "mountPath": "/tmp"},
            {
                "name": "api-access",
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                "readOnly": True,
            },
        ]
        assert [volume["name"] for volume in pod["volumes"]] == [
            *("host-0", "host-1", "scratch-0", "remove-startup-taint", "api-access")
        ]

    def test_no_file_is_mounted_on_a_file_of_an_image(self, objects: Objects) -> None:
        assert "subPath" not in str(objects)


class TestStartup:
    def test_the_agent_is_a_sidecar_and_the_taint_goes_when_it_is_ready(self, objects: Objects) -> None:
        pod = pod_of(objects, "runtime-guard")
        (sidecar,), (remover,) = pod["initContainers"], pod["containers"]
        assert sidecar["restartPolicy"] == "Always"
        assert sidecar["startupProbe"] == {
            "httpGet": {"path": "/healthz", "port": 8765},
            "periodSeconds": 5,
            "timeoutSeconds": 5,
            "failureThreshold": 13,
        }
        assert remover["command"] == ["python3", "/remove-startup-taint/remove_startup_taint.py"]
        assert {"name": "STARTUP_TAINT", "value": TAINT} in remover["env"]
        assert objects["DaemonSet", "runtime-guard"]["metadata"]["annotations"] == {
            "automode-constructs/every-node": "true",
            "automode-constructs/removes-startup-taint": TAINT,
        }

    def test_the_program_is_the_one_that_is_tested(self, objects: Objects) -> None:
        (text,) = objects["ConfigMap", "remove-startup-taint"]["data"].values()
        assert text == Path(remove_startup_taint.__file__).read_text("utf-8")

    def test_only_the_remover_has_a_token_where_the_agent_reads_nothing(self) -> None:
        pod = pod_of(made(agent(startup_taint=TAINT, ready_command=["/ready"])), "scanner")
        assert "volumeMounts" not in pod["initContainers"][0]
        assert "api-access" in {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}

    def test_another_image(self) -> None:
        found = made(FIRST, remover_image="example.com/python:3.13")
        assert pod_of(found, "runtime-guard")["containers"][0]["image"] == "example.com/python:3.13"


def test_a_container_as_it_is_asked_for(objects: Objects) -> None:
    container = pod_of(objects, "runtime-guard")["initContainers"][0]
    assert (container["command"], container["args"]) == (["/guard"], ["--ebpf"])
    assert container["env"] == [
        {"name": "LEVEL", "value": "info"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "guard", "key": "token"}}},
        {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ]
    assert container["resources"] == {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
    assert "startupProbe" not in pod_of(objects, "cis-scan")["containers"][0]


def test_override() -> None:
    chart = NodeAgentsChart(cdk8s.App(), "agents", agents=[SECOND], ring="all")
    chart.daemon_sets["log-shipper"].add_override("spec.template.spec.terminationGracePeriodSeconds", 60)
    (found,) = (item.manifest for item in render(chart).objects if item.manifest["kind"] == "DaemonSet")
    assert found["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 60


def _chart(**arguments: Any) -> Callable[[], object]:
    values: dict[str, Any] = {"agents": [SECOND], "ring": "all"}
    return lambda: NodeAgentsChart(cdk8s.App(), "agents", **values | arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"agents": []}, "agents: is empty; name at least one agent, or make no chart"),
        ({"ring": "al"}, "ring: 'al' is not known; did you mean 'all'? Use one of 'canary', 'all'"),
        (
            {"agents": [SECOND, SECOND]},
            "agents[1].name: 'log-shipper' is the name of agents[0] too; give each agent a name of its own",
        ),
        (
            {"agents": [SECOND, agent(versions={"all": "1", "canary": "2"})]},
            "agents[1].versions: has the rings all, canary, and agents[0] has canary, all; name the same rings in the "
            "same order, the first to get a version first",
        ),
        (
            {"agents": [FIRST, agent(startup_taint=TAINT, health_port=80)]},
            f"agents[1].startup_taint: '{TAINT}' is that of another agent too, which would remove it first; give each "
            "agent a taint of its own; a pool takes several",
        ),
        (
            {"agents": [FIRST, agent(host_network=True, health_port=8765)]},
            "agents[1].health_port: 8765 is that of another agent too, and both have the node's addresses; give one of "
            "them another port, or host_network=False",
        ),
        (
            {"namespace": "kube-system"},
            "namespace: 'kube-system' cannot be the chart's own namespace; use at most 63 lower-case letters, digits "
            "and '-', but not 'default' or a name that begins with kube-",
        ),
        (
            {"remover_image": "python"},
            "remover_image: 'python' has neither tag nor digest, so each node may run a different image; add ':<tag>', "
            "or better '@sha256:<digest>'",
        ),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    assert refusal(_chart(**arguments)) == f"agents: {message}"


def test_a_list_of_something_else() -> None:
    with pytest.raises(AutoModeError, match=r"agents\[0\]: needs a NodeAgent, got a mapping"):
        NodeAgentsChart(cdk8s.App(), "agents", agents=[{"name": "x"}], ring="all")  # type: ignore[list-item]
