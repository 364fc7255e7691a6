"""The DCGM exporter: what is stored, what can be asked for, what is refused, what Kubernetes would say.

Run once with AUTOMODE_REGENERATE=1 to write the stored objects anew, then read the difference.
"""

from __future__ import annotations

import copy
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cdk8s
import kubernetes_validate
import pytest
import yaml

from automode_constructs.checks.device_plugin import device_plugin_problems
from automode_constructs.cli.main import main
from automode_constructs.errors import Problem
from automode_constructs.patterns.charts.dcgm_exporter import IMAGE, DcgmExporterChart
from automode_constructs.rendering.render import render
from automode_constructs.rendering.yaml_folder import to_yaml
from tests.refusal import refusal
from tests.support import POLICIES_ON

STORED = Path(__file__).parents[3] / "examples" / "dcgm_exporter.yaml"
LABELS = {"app.kubernetes.io/name": "dcgm-exporter", "app.kubernetes.io/part-of": "gpu-metrics"}

Objects = dict[str, Any]


def made(id: str = "gpu-metrics", **arguments: Any) -> Objects:
    """The chart's objects by kind."""
    chart = DcgmExporterChart(cdk8s.App(), id, **arguments)
    return {item.manifest["kind"]: item.manifest for item in render(chart).objects}


def pod_of(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = objects["DaemonSet"]["spec"]["template"]["spec"]
    return spec


def environment_of(objects: Objects) -> dict[str, Any]:
    return {item["name"]: item.get("value") for item in pod_of(objects)["containers"][0]["env"]}


def fields_of(objects: Objects) -> list[str]:
    return [line.partition(",")[0] for line in objects["ConfigMap"]["data"]["counters.csv"].splitlines()]


@pytest.fixture(scope="module")
def objects() -> Objects:
    return made()


@pytest.fixture(scope="module")
def pod(objects: Objects) -> dict[str, Any]:
    return pod_of(objects)


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod["containers"]
    return dict(only)


def test_holds_the_stored_objects(objects: Objects) -> None:
    if os.environ.get("AUTOMODE_REGENERATE"):
        STORED.write_text(to_yaml(list(objects.values())), "utf-8")
    assert list(yaml.safe_load_all(STORED.read_text("utf-8"))) == list(objects.values())


class TestSchemas:
    @pytest.mark.parametrize("version", ["1.36", "1.37"])
    def test_kubernetes_knows_every_field(self, objects: Objects, version: str) -> None:
        assert set(objects) == {"ConfigMap", "DaemonSet", "Namespace", "NetworkPolicy", "Service", "ServiceAccount"}
        for manifest in objects.values():
            assert kubernetes_validate.validate(manifest, version, strict=True) == version

    def test_kubernetes_would_refuse_an_unknown_field(self, objects: Objects) -> None:
        broken = copy.deepcopy(objects["DaemonSet"])
        broken["spec"]["strategy"] = {}
        with pytest.raises(kubernetes_validate.ValidationError, match="strategy"):
            kubernetes_validate.validate(broken, "1.37", strict=True)

    def test_the_linter_finds_nothing(
        self, objects: Objects, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "metrics.yaml").write_text(to_yaml([POLICIES_ON, *objects.values()]), "utf-8")
        assert main(["lint", "--strict", str(tmp_path / "metrics.yaml")]) == 0
        said = capsys.readouterr()
        assert (said.out, said.err) == (
            "",
            "1 document judged, 6 of other kinds passed by: 0 errors, 0 warnings\n",
        )


class TestNames:
    def test_nothing_comes_from_the_place_in_the_code(self, objects: Objects) -> None:
        assert made("elsewhere") == objects

    def test_selectors_are_pinned(self, objects: Objects) -> None:
        assert objects["DaemonSet"]["spec"]["selector"] == {"matchLabels": LABELS}
        assert objects["DaemonSet"]["spec"]["template"]["metadata"]["labels"] == LABELS
        assert objects["Service"]["spec"]["selector"] == LABELS

    def test_a_service_monitor_finds_port_and_labels(self, objects: Objects, container: dict[str, Any]) -> None:
        service = objects["Service"]
        assert service["metadata"]["labels"] == LABELS
        assert service["spec"]["clusterIP"] == "None"
        assert service["spec"]["ports"] == [
            {"name": "metrics", "port": 9400, "targetPort": "metrics", "protocol": "TCP"}
        ]
        assert container["ports"] == [{"name": "metrics", "containerPort": 9400, "protocol": "TCP"}]

    def test_all_but_the_namespace_are_in_it(self, objects: Objects) -> None:
        places = {kind: (item["metadata"].get("namespace"), item["metadata"]["name"]) for kind, item in objects.items()}
        assert places.pop("Namespace") == (None, "gpu-metrics")
        assert set(places.values()) == {("gpu-metrics", "dcgm-exporter")}


class TestNodes:
    def test_only_nvidia_nodes_of_auto_mode(self, pod: dict[str, Any]) -> None:
        assert pod["nodeSelector"] == {
            "eks.amazonaws.com/compute-type": "auto",
            "eks.amazonaws.com/instance-gpu-manufacturer": "nvidia",
        }
        assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]

    def test_takes_no_gpu_and_drives_nobody_out(self, pod: dict[str, Any], container: dict[str, Any]) -> None:
        assert container["resources"] == {
            "requests": {"cpu": "100m", "memory": "512Mi"},
            "limits": {"memory": "1Gi"},
        }
        assert "priorityClassName" not in pod

    def test_is_no_device_plugin(self, objects: Objects) -> None:
        assert not [*device_plugin_problems(objects["DaemonSet"])]

    def test_nodes_are_updated_by_and_by(self, objects: Objects) -> None:
        assert objects["DaemonSet"]["spec"]["updateStrategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxUnavailable": "10%"},
        }


class TestBottlerocket:
    def test_sees_all_gpus_by_a_capability_and_is_not_privileged(self, container: dict[str, Any]) -> None:
        # Bottlerocket, settings.nvidia-container-runtime.visible-devices-envvar-when-unprivileged is false.
        assert {"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"} in container["env"]
        assert container["securityContext"] == {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
            "seccompProfile": {"type": "RuntimeDefault"},
            "readOnlyRootFilesystem": False,
        }

    def test_namespace_admits_what_the_pod_needs_and_says_so(self, objects: Objects) -> None:
        labels = objects["Namespace"]["metadata"]["labels"]
        assert labels == {**LABELS, "pod-security.kubernetes.io/enforce": "privileged"}

    def test_no_file_is_mounted_on_a_file_of_the_image(self, pod: dict[str, Any], container: dict[str, Any]) -> None:
        assert container["volumeMounts"] == [
            {"name": "counters", "mountPath": "/etc/gpu-metrics", "readOnly": True},
            {"name": "pod-resources", "mountPath": "/var/lib/kubelet/pod-resources", "readOnly": True},
        ]
        assert pod["volumes"] == [
            {"name": "counters", "configMap": {"name": "dcgm-exporter"}},
            {"name": "pod-resources", "hostPath": {"path": "/var/lib/kubelet/pod-resources", "type": "Directory"}},
        ]

    @pytest.mark.parametrize(
        ("cache", "calls"),
        [
            ("libnvidia-ml.so.1 (libc6,x86-64) => /usr/lib/libnvidia-ml.so.1", ["ldconfig -p", "ldconfig "]),
            ("libdcgm.so.4 (libc6,x86-64) => /usr/lib/libdcgm.so.4", ["ldconfig -p"]),
            (None, ["ldconfig -p", "ldconfig "]),
        ],
    )
    def test_linker_cache_is_mended_where_it_must(
        self, container: dict[str, Any], tmp_path: Path, cache: str | None, calls: list[str]
    ) -> None:
        for name, body in {
            "ldconfig": "[[ $1 != -p ]] || " + ("exit 1" if cache is None else f"echo '{cache}'"),
            "dcgm-exporter": "exit 7",
        }.items():
            path = tmp_path / name
            path.write_text(f'#!/bin/bash\necho "{name} $*" >> "{tmp_path}/calls"\n{body}\n', "utf-8")
            path.chmod(0o755)
        shell, flags, script = container["command"]
        assert (shell, flags) == ("/bin/bash", "-ec")
        # Not this machine's /etc.
        script = script.replace("/etc/ld.so.conf", f"{tmp_path}/ld.so.conf")
        done = subprocess.run([shell, flags, script], env={"PATH": str(tmp_path)}, check=False)
        assert done.returncode == 7
        assert (tmp_path / "calls").read_text("utf-8").splitlines() == [*calls, "dcgm-exporter "]
        assert (tmp_path / "ld.so.conf").exists() is (len(calls) == 2)


class TestPod:
    def test_learns_nothing_of_the_cluster(self, objects: Objects, pod: dict[str, Any]) -> None:
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["serviceAccountName"] == objects["ServiceAccount"]["metadata"]["name"]
        assert objects["ServiceAccount"]["automountServiceAccountToken"] is False

    def test_has_an_engine_of_its_own(self, objects: Objects, container: dict[str, Any]) -> None:
        environment = environment_of(objects)
        assert environment == {
            "DCGM_EXPORTER_LISTEN": ":9400",
            "DCGM_EXPORTER_INTERVAL": "30000",
            "DCGM_EXPORTER_COLLECTORS": "/etc/gpu-metrics/counters.csv",
            "DCGM_EXPORTER_KUBERNETES": "true",
            "NVIDIA_VISIBLE_DEVICES": "all",
            "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
            "NODE_NAME": None,
        }
        assert "args" not in container and "hostNetwork" not in pod_of(objects)

    def test_has_all_three_probes(self, container: dict[str, Any]) -> None:
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[name]["httpGet"] == {"path": "/health", "port": "metrics"}

    def test_the_risk_of_two_engines_is_told(self) -> None:
        chart = DcgmExporterChart(cdk8s.App(), "gpu-metrics")
        assert render(chart).notes == [
            Problem(
                field="",
                severity="warning",
                where="gpu-metrics/DaemonSet",
                message="the node monitoring agent of Auto Mode runs a DCGM engine too; with a second engine on the "
                "node it has reported AcceleratedHardwareReady=False, and nodes were replaced "
                "(aws/containers-roadmap#2763); watch that condition on a pool that nobody needs before you "
                "acknowledge this",
                rule="automode:DcgmBesideNodeMonitoring",
            )
        ]


class TestArguments:
    @pytest.mark.parametrize(("interval", "milliseconds"), [(1, "1000"), (15, "15000"), (300, "300000")])
    def test_interval(self, interval: int, milliseconds: str) -> None:
        assert environment_of(made(interval=interval))["DCGM_EXPORTER_INTERVAL"] == milliseconds

    @pytest.mark.parametrize("image", ["registry.example.com/dcgm-exporter:4.8.4", f"{IMAGE}@sha256:{'0' * 64}"])
    def test_image(self, image: str) -> None:
        assert pod_of(made(image=image))["containers"][0]["image"] == image

    def test_namespace(self) -> None:
        other = made(namespace="monitoring-gpu")
        assert other["Namespace"]["metadata"]["name"] == "monitoring-gpu"
        assert {item["metadata"].get("namespace") for item in other.values()} == {None, "monitoring-gpu"}

    def test_profiling_is_asked_for(self, objects: Objects) -> None:
        assert not [field for field in fields_of(objects) if "_PROF_" in field]
        profiled = made(profiling=True)
        more = fields_of(profiled)[len(fields_of(objects)) :]
        assert fields_of(profiled)[: -len(more)] == fields_of(objects)
        assert more and all(field.startswith("DCGM_FI_PROF_") for field in more)
        pods = [item["DaemonSet"]["spec"]["template"] for item in (objects, profiled)]
        assert len({pod["metadata"]["annotations"]["checksum/counters"] for pod in pods}) == 2
        assert pods[0]["spec"] == pods[1]["spec"]

    def test_every_counter_has_three_columns(self) -> None:
        lines = made(profiling=True)["ConfigMap"]["data"]["counters.csv"].splitlines()
        rows = [[cell.strip() for cell in line.split(",")] for line in lines]
        assert {len(row) for row in rows} == {3}
        assert {row[1] for row in rows} == {"counter", "gauge"}
        assert len({row[0] for row in rows}) == len(rows)


def _chart(**arguments: Any) -> Callable[[], object]:
    return lambda: DcgmExporterChart(cdk8s.App(), "gpu-metrics", **arguments)


_NAMESPACE_CURE = (
    "use at most 63 lower-case letters, digits and '-', but not 'default' or a name that begins with kube-"
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"interval": 0}, "gpu-metrics: interval: needs a whole number of seconds from 1 to 300, got 0"),
        ({"interval": 301}, "gpu-metrics: interval: needs a whole number of seconds from 1 to 300, got 301"),
        ({"interval": True}, "gpu-metrics: interval: needs a whole number, got True"),
        ({"interval": 1.5}, "gpu-metrics: interval: needs a whole number, got 1.5"),
        ({"interval": "30s"}, "gpu-metrics: interval: needs a whole number, got the text '30s'"),
        *(
            (
                {"namespace": given},
                f"gpu-metrics: namespace: {given!r} cannot be the chart's own namespace; {_NAMESPACE_CURE}",
            )
            for given in ("kube-system", "default", "gpu.metrics", "GPU", "", "a" * 64)
        ),
        ({"namespace": 5}, "gpu-metrics: namespace: needs a text, got 5; write '5'"),
        (
            {"image": "nvcr.io/nvidia/k8s/dcgm-exporter:latest"},
            "gpu-metrics: image: 'nvcr.io/nvidia/k8s/dcgm-exporter:latest' moves: a new node may run a different "
            "image from the old one; name a version, or better '@sha256:<digest>'",
        ),
        (
            {"image": "nvcr.io/nvidia/k8s/dcgm-exporter"},
            "gpu-metrics: image: 'nvcr.io/nvidia/k8s/dcgm-exporter' has neither tag nor digest, so each node may run "
            "a different image; add ':<tag>', or better '@sha256:<digest>'",
        ),
        ({"image": None}, "gpu-metrics: image: needs a text, got None"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    assert refusal(_chart(**arguments)) == message


class TestTraffic:
    def test_every_pod_of_the_cluster_may_read_and_nothing_goes_out(self, objects: Objects) -> None:
        assert objects["NetworkPolicy"]["spec"] == {
            "podSelector": {"matchLabels": pod_labels(objects)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"namespaceSelector": {}}], "ports": [{"port": 9400, "protocol": "TCP"}]}],
        }

    def test_or_prometheus_alone(self) -> None:
        prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
        assert made(clients=[prometheus])["NetworkPolicy"]["spec"]["ingress"][0]["from"] == [prometheus]

    def test_a_client_that_is_nobody(self) -> None:
        assert refusal(lambda: made(clients=[{}])) == (
            "gpu-metrics/traffic: clients[0]: is empty and selects nobody; write {'podSelector': {}} for the pods of "
            "the namespace, {'namespaceSelector': {}} for all pods, or {'ipBlock': {'cidr': ...}}"
        )


def pod_labels(objects: Objects) -> dict[str, str]:
    labels: dict[str, str] = objects["DaemonSet"]["spec"]["template"]["metadata"]["labels"]
    return labels
