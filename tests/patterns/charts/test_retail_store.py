"""The retail store: what is stored, what can be asked for, what is refused, what Kubernetes would say.

Run once with AUTOMODE_REGENERATE=1 to write the stored objects anew, then read the difference.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cdk8s
import kubernetes_validate
import pytest
import yaml

from automode_constructs.cli.main import main
from automode_constructs.patterns.charts.retail_store import IMAGE, RetailStoreChart
from automode_constructs.rendering.render import render
from automode_constructs.rendering.yaml_folder import to_yaml
from tests.refusal import refusal
from tests.support import POLICIES_ON

STORED = Path(__file__).parents[3] / "examples" / "retail_store.yaml"
SELECTED = {"app.kubernetes.io/name": "ui", "app.kubernetes.io/part-of": "retail-store"}

Objects = dict[str, Any]


def made(id: str = "retail-store", **arguments: Any) -> Objects:
    """The chart's objects by kind."""
    chart = RetailStoreChart(cdk8s.App(), id, **arguments)
    return {item.manifest["kind"]: item.manifest for item in render(chart).objects}


@pytest.fixture(scope="module")
def objects() -> Objects:
    return made()


@pytest.fixture(scope="module")
def pod(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return spec


def test_holds_the_stored_objects(objects: Objects) -> None:
    if os.environ.get("AUTOMODE_REGENERATE"):
        STORED.write_text(to_yaml(list(objects.values())), "utf-8")
    assert list(yaml.safe_load_all(STORED.read_text("utf-8"))) == list(objects.values())


class TestSchemas:
    @pytest.mark.parametrize("version", ["1.36", "1.37"])
    def test_kubernetes_knows_every_field(self, objects: Objects, version: str) -> None:
        assert len(objects) == 6
        for manifest in objects.values():
            assert kubernetes_validate.validate(manifest, version, strict=True) == version

    def test_kubernetes_would_refuse_an_unknown_field(self, objects: Objects) -> None:
        broken = copy.deepcopy(objects["Deployment"])
        broken["spec"]["template"]["spec"]["topologySpread"] = []
        with pytest.raises(kubernetes_validate.ValidationError, match="topologySpread"):
            kubernetes_validate.validate(broken, "1.37", strict=True)

    def test_the_linter_finds_nothing(
        self, objects: Objects, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "shop.yaml").write_text(to_yaml([POLICIES_ON, *objects.values()]), "utf-8")
        assert main(["lint", "--strict", str(tmp_path / "shop.yaml")]) == 0
        said = capsys.readouterr()
        assert (said.out, said.err) == (
            "",
            "2 documents judged, 5 of other kinds passed by: 0 errors, 0 warnings\n",
        )
        objects = copy.deepcopy(objects)
        objects["Ingress"]["metadata"]["annotations"]["alb.ingress.kubernetes.io/group.name"] = "shop"
        (tmp_path / "shop.yaml").write_text(to_yaml([POLICIES_ON, *objects.values()]), "utf-8")
        assert main(["lint", "--strict", str(tmp_path / "shop.yaml")]) == 1
        assert "automode:UnsupportedIngressAnnotation" in capsys.readouterr().out


class TestNames:
    def test_nothing_comes_from_the_place_in_the_code(self, objects: Objects) -> None:
        # Selectors cannot change on a Deployment that exists, and a changed pod label replaces every pod.
        assert made("elsewhere") == objects

    def test_selectors_are_pinned(self, objects: Objects) -> None:
        deployment = objects["Deployment"]["spec"]
        assert deployment["selector"] == {"matchLabels": SELECTED}
        assert deployment["template"]["metadata"] == {"labels": SELECTED}
        assert objects["Service"]["spec"]["selector"] == SELECTED
        assert objects["PodDisruptionBudget"]["spec"]["selector"] == {"matchLabels": SELECTED}

    def test_all_but_the_namespace_are_in_it(self, objects: Objects) -> None:
        places = {kind: (item["metadata"].get("namespace"), item["metadata"]["name"]) for kind, item in objects.items()}
        assert places.pop("Namespace") == (None, "retail-store")
        assert set(places.values()) == {("retail-store", "ui")}


class TestPod:
    def test_is_admitted_where_only_restricted_pods_are(self, objects: Objects, pod: dict[str, Any]) -> None:
        # Kubernetes documentation, "Pod Security Standards", profile restricted.
        assert objects["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        (container,) = pod["containers"]
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["runAsNonRoot"] is True and context["runAsUser"] == 1000
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert context["readOnlyRootFilesystem"] is True
        assert not pod.get("hostNetwork")
        assert [set(volume) for volume in pod["volumes"]] == [{"name", "emptyDir"}]

    def test_learns_nothing_of_the_cluster(self, pod: dict[str, Any]) -> None:
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False

    def test_has_all_three_probes_on_the_port_of_the_service(self, objects: Objects, pod: dict[str, Any]) -> None:
        (container,) = pod["containers"]
        probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
        assert {name: probe["path"] for name, probe in probes.items()} == {
            "startup": "/actuator/health/liveness",
            "readiness": "/actuator/health/readiness",
            "liveness": "/actuator/health/liveness",
        }
        (port,) = objects["Service"]["spec"]["ports"]
        assert {probe["port"] for probe in probes.values()} == {8080} == {port["targetPort"]}
        assert [opened["containerPort"] for opened in container["ports"]] == [8080]

    def test_requests_and_limits(self, pod: dict[str, Any]) -> None:
        assert pod["containers"][0]["resources"] == {
            "requests": {"cpu": "250m", "memory": "1Gi"},
            "limits": {"memory": "1Gi"},
        }

    def test_spreads_over_zones_and_leaves_in_peace(self, objects: Objects, pod: dict[str, Any]) -> None:
        (spread,) = pod["topologySpreadConstraints"]
        assert spread["topologyKey"] == "topology.kubernetes.io/zone"
        assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
        assert spread["labelSelector"] == {"matchLabels": SELECTED}
        budget = objects["PodDisruptionBudget"]["spec"]
        assert (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
        assert pod["containers"][0]["lifecycle"] == {"preStop": {"exec": {"command": ["sleep", "30"]}}}
        assert pod["terminationGracePeriodSeconds"] == 60

    def test_backends_are_mocked(self, pod: dict[str, Any]) -> None:
        assert [variable["name"] for variable in pod["containers"][0]["env"]] == ["JAVA_OPTS"]


class TestArguments:
    @pytest.mark.parametrize("replicas", [0, 1, 10, 100])
    def test_replicas(self, replicas: int) -> None:
        assert made(replicas=replicas)["Deployment"]["spec"]["replicas"] == replicas

    @pytest.mark.parametrize("image", ["registry.example.com/shop/ui:1.6.2", f"{IMAGE}@sha256:{'0' * 64}"])
    def test_image(self, image: str) -> None:
        assert made(image=image)["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"] == image

    def test_ingress_is_of_the_platform_s_class(self, objects: Objects) -> None:
        ingress = objects["Ingress"]
        assert ingress["spec"]["ingressClassName"] == "alb"
        annotations = ingress["metadata"]["annotations"]
        assert annotations["alb.ingress.kubernetes.io/target-type"] == "ip"
        assert annotations["alb.ingress.kubernetes.io/healthcheck-path"] == "/actuator/health/readiness"
        assert "stickiness.enabled=true" in annotations["alb.ingress.kubernetes.io/target-group-attributes"]
        (rule,) = ingress["spec"]["rules"]
        (path,) = rule["http"]["paths"]
        assert (path["path"], path["pathType"]) == ("/", "Prefix")
        assert path["backend"] == {"service": {"name": "ui", "port": {"number": 80}}}
        labels = objects["Namespace"]["metadata"]["labels"]
        assert labels["eks.amazonaws.com/pod-readiness-gate-inject"] == "enabled"

    def test_without_ingress_nothing_waits_for_a_load_balancer(self, objects: Objects) -> None:
        without = made(ingress=False)
        assert set(objects) - set(without) == {"Ingress"}
        assert set(without["Namespace"]["metadata"]["labels"]) == {*SELECTED, "pod-security.kubernetes.io/enforce"}
        assert without["Deployment"] == objects["Deployment"]


def _chart(**arguments: Any) -> Callable[[], object]:
    return lambda: RetailStoreChart(cdk8s.App(), "retail-store", **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"replicas": -1}, "retail-store: replicas: needs a whole number from 0 to 100, got -1"),
        ({"replicas": 101}, "retail-store: replicas: needs a whole number from 0 to 100, got 101"),
        ({"replicas": True}, "retail-store: replicas: needs a whole number, got True"),
        ({"replicas": 1.5}, "retail-store: replicas: needs a whole number, got 1.5"),
        ({"replicas": "10"}, "retail-store: replicas: needs a whole number, got the text '10'; write 10"),
        (
            {"image": "registry.example.com/shop/ui"},
            "retail-store: image: 'registry.example.com/shop/ui' has neither tag nor digest, so each node may run "
            "a different image; add ':<tag>', or better '@sha256:<digest>'",
        ),
        (
            {"image": "registry.example.com/shop/ui:latest"},
            "retail-store: image: 'registry.example.com/shop/ui:latest' moves: a new node may run a different image "
            "from the old one; name a version, or better '@sha256:<digest>'",
        ),
        (
            {"image": "the shop"},
            "retail-store: image: 'the shop' is not an image reference; write <registry>/<repository>:<tag>",
        ),
        ({"image": ""}, "retail-store: image: needs the name of a container image, got ''"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    assert refusal(_chart(**arguments)) == message


class TestTraffic:
    def test_its_port_is_open_and_nothing_goes_out(self, objects: Objects) -> None:
        assert objects["NetworkPolicy"]["spec"] == {
            "podSelector": {"matchLabels": SELECTED},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"ports": [{"port": 8080, "protocol": "TCP"}]}],
        }

    def test_clients_are_the_vpc_where_it_is_known(self) -> None:
        vpc = {"ipBlock": {"cidr": "10.0.0.0/16"}}
        assert made(clients=[vpc])["NetworkPolicy"]["spec"]["ingress"][0]["from"] == [vpc]

    def test_without_a_load_balancer_they_are_the_pods_of_the_namespace(self) -> None:
        assert made(ingress=False)["NetworkPolicy"]["spec"]["ingress"][0]["from"] == [{"podSelector": {}}]
