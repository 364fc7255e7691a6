"""The room as a whole: what is handed out, what its charts need, and that nothing which they set gets lost."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk8s
import cdk8s_plus_28 as kplus
import pytest

from automode_constructs import AutoModeError, AutoModeNetwork, ClusterValues, S3Weights, patterns
from automode_constructs.testing import manifests

ROOT = Path(__file__).parents[2]
VALUES = ClusterValues.from_outputs(
    json.loads((ROOT / "examples" / "outputs.json").read_text("utf-8")), where="outputs.json"
)
TEAM = patterns.Team(
    name="blue",
    namespaces={"blue": patterns.TeamQuota(cpu=8, memory="32Gi")},
    nodes=patterns.NODE_POOLS["general"],
    ingress_group="web",
)
REGISTRY = "111122223333.dkr.ecr.eu-central-1.amazonaws.com"
AGENT = patterns.NodeAgent(
    name="guard",
    purpose="security",
    image=f"{REGISTRY}/guard",
    versions={"all": "1.2.0"},
    cpu="100m",
    memory="128Mi",
    user=0,
    capabilities=["BPF"],
    host_paths=[patterns.HostPath(path="/var/log")],
    health_port=80,
    startup_taint="agents.example.com/not-ready",
)

CHARTS: dict[str, Callable[[cdk8s.App], cdk8s.Chart]] = {
    "ArgoCdAccessChart": lambda app: patterns.ArgoCdAccessChart(app, "c", platform=False),
    "ArgoCdChart": lambda app: patterns.ArgoCdChart(
        app,
        "c",
        cluster_arn="arn:aws:eks:eu-west-1:111122223333:cluster/bank",
        repository="https://github.com/corp/clusters.git",
    ),
    "DcgmExporterChart": lambda app: patterns.DcgmExporterChart(app, "c", profiling=True),
    "GptOssChart": lambda app: patterns.GptOssChart(
        app, "c", values=VALUES, weights=S3Weights(bucket="weights", prefix="p")
    ),
    "KubeStateMetricsChart": lambda app: patterns.KubeStateMetricsChart(
        app, "c", image=f"{REGISTRY}/kube-state-metrics:v2.19.1"
    ),
    "ModelMetricsChart": lambda app: patterns.ModelMetricsChart(
        app,
        "c",
        namespaces=["gpt-oss"],
        prometheus_image="111122223333.dkr.ecr.eu-central-1.amazonaws.com/prometheus:v3.13.1",
        adapter_image="111122223333.dkr.ecr.eu-central-1.amazonaws.com/prometheus-adapter:v0.12.0",
    ),
    "NetworkPoliciesChart": lambda app: patterns.NetworkPoliciesChart(app, "c"),
    "NodeAgentsChart": lambda app: patterns.NodeAgentsChart(app, "c", agents=[AGENT], ring="all"),
    "NodePoolsChart": lambda app: patterns.NodePoolsChart(app, "c", values=VALUES, pools=[*patterns.NODE_POOLS]),
    "PlatformChart": lambda app: patterns.PlatformChart(app, "c", values=VALUES),
    "RetailStoreChart": lambda app: patterns.RetailStoreChart(app, "c"),
    "StaticPoolsChart": lambda app: patterns.StaticPoolsChart(
        app, "c", values=VALUES, instance_types=["c7i.large"], replicas=2
    ),
    "TeamChart": lambda app: patterns.TeamChart(app, "c", values=VALUES, team=TEAM),
    "TrainingChart": lambda app: patterns.TrainingChart(
        app, "c", values=VALUES, instance_type="p5.48xlarge", zone="eu-central-1a", nodes=2
    ),
}
"""Each chart with what it needs; those of reservations and Local Zones set their fields through specs alone."""


def test_a_misspelt_name_is_an_error_at_run_time_too() -> None:
    with pytest.raises(AttributeError, match=r"'ClutserStack'; did you mean 'ClusterStack'\?"):
        _ = patterns.ClutserStack  # type: ignore[attr-defined]


def test_every_chart_is_looked_at() -> None:
    named = {name for name in dir(patterns) if name.endswith("Chart")}
    assert named - CHARTS.keys() == {"LocalZoneChart", "ReservedCapacityChart"}


@pytest.mark.parametrize("name", [name for name in dir(patterns) if name.endswith(("Chart", "Stack"))])
def test_a_wrong_kind_of_argument_is_told_by_name(name: str) -> None:
    pattern = getattr(patterns, name)
    for argument in inspect.signature(pattern.__init__).parameters.values():
        if argument.kind is argument.KEYWORD_ONLY:
            with pytest.raises(AutoModeError) as raised:
                pattern(cdk.App(), "c", **{argument.name: object()})
            assert raised.value.where == "c"
            assert {argument.name} <= {problem.field for problem in raised.value.problems}


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("NodePoolsChart", {"values": VALUES, "pools": ["spott"]}),
        ("RetailStoreChart", {"replicas": -1}),
        ("DcgmExporterChart", {"interval": 0}),
        ("LocalZoneChart", {"values": VALUES, "subnet_ids": {"eu-central-1a": "subnet-1"}}),
        ("TrainingChart", {"values": VALUES, "instance_type": "p5.48xlarge", "zone": "a", "nodes": 0}),
    ],
)
def test_a_refused_chart_leaves_its_id_free(name: str, broken: dict[str, Any]) -> None:
    app = cdk8s.App()
    for _ in range(2):
        with pytest.raises(AutoModeError, match=r"^c: "):
            getattr(patterns, name)(app, "c", **broken)
    assert app.node.children == []


def test_a_refused_cluster_stack_leaves_its_id_free() -> None:
    app = cdk.App()
    for _ in range(2):
        with pytest.raises(AutoModeError, match=r"^c: availability_zones: are set beside network"):
            patterns.ClusterStack(
                app,
                "c",
                cluster_name="c",
                availability_zones=["eu-west-1a"],
                network=lambda stack: AutoModeNetwork(stack, "N"),
            )
    assert app.node.try_find_child("c") is None


class TestWithoutCdk8sPlus:
    """``cdk8s-plus-28`` is an extra."""

    @pytest.mark.parametrize("name", ["RetailStoreChart", "RetailStoreStack"])
    def test_the_chart_that_needs_it_says_how_to_get_it(self, name: str) -> None:
        ran = _without_cdk8s_plus(f"from automode_constructs.patterns import {name}")
        assert ran.returncode == 1
        assert ran.stderr.splitlines()[-1] == (
            "automode_constructs.errors.AutoModeError: RetailStoreChart: is written with cdk8s-plus-28, which is not "
            "installed; pip install 'automode-constructs[cdk8s-plus]'"
        )

    def test_all_others_do_without(self) -> None:
        others = [name for name in dir(patterns) if not name.startswith("RetailStore")]
        ran = _without_cdk8s_plus(f"from automode_constructs.patterns import {', '.join(others)}")
        assert (ran.returncode, ran.stderr) == (0, "")


def _without_cdk8s_plus(statement: str) -> subprocess.CompletedProcess[str]:
    program = f"import sys; sys.modules['cdk8s_plus_28'] = None; {statement}"
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)


class Patches:
    """The JSON patches of all objects, as they were asked for; jsii tells nobody what is in one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._values: dict[int, tuple[cdk8s.JsonPatch, str, Any]] = {}
        self._asked: list[tuple[cdk8s.ApiObject, cdk8s.JsonPatch]] = []
        add_json_patch = cdk8s.ApiObject.add_json_patch

        def remember(owner: cdk8s.ApiObject, *operations: cdk8s.JsonPatch) -> None:
            self._asked += [(owner, operation) for operation in operations]
            add_json_patch(owner, *operations)

        monkeypatch.setattr(cdk8s.ApiObject, "add_json_patch", remember)
        for name in ("add", "replace"):
            monkeypatch.setattr(cdk8s.JsonPatch, name, self._remembering(getattr(cdk8s.JsonPatch, name)))

    def _remembering(self, make: Callable[[str, Any], cdk8s.JsonPatch]) -> Callable[[str, Any], cdk8s.JsonPatch]:
        def wrapped(path: str, value: Any) -> cdk8s.JsonPatch:
            operation = make(path, value)
            self._values[id(operation)] = (operation, path, value)
            return operation

        return wrapped

    def lost(self) -> Iterator[str]:
        """The fields that were set and are not in the object."""
        for owner, operation in self._asked:
            if id(operation) in self._values:
                _, path, value = self._values[id(operation)]
                yield from _missing(value, _at(owner.to_json(), path), f"{owner.kind} {owner.name}: {path}")


def _at(value: Any, path: str) -> Any:
    for part in path.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key == "-":
            value = value[-1] if value else None
        elif isinstance(value, list):
            value = value[int(key)] if int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _missing(asked: Any, got: Any, where: str) -> Iterator[str]:
    """What is asked for and not there; a list may have grown since."""
    if isinstance(asked, Mapping) and isinstance(got, Mapping):
        for key, value in asked.items():
            yield from _missing(value, got.get(key), f"{where}/{key}")
    elif isinstance(asked, list) and isinstance(got, list) and len(asked) <= len(got):
        for index, value in enumerate(asked):
            yield from _missing(value, got[index], f"{where}/{index}")
    elif asked != got:
        yield f"{where}: {asked!r} became {got!r}"


@pytest.mark.parametrize("name", CHARTS)
def test_no_chart_loses_a_field_that_it_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patches = Patches(monkeypatch)
    assert manifests(CHARTS[name](cdk8s.App()))
    assert [*patches.lost()] == []


def test_a_field_that_cdk8s_plus_does_not_know_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    patches = Patches(monkeypatch)
    deployment = kplus.Deployment(cdk8s.Chart(cdk8s.App(), "c"), "d", containers=[kplus.ContainerProps(image="a:1")])
    container = "/spec/template/spec/containers/0"
    cdk8s.ApiObject.of(deployment).add_json_patch(
        cdk8s.JsonPatch.add("/spec/template/spec/hostUsers", False),
        cdk8s.JsonPatch.add(f"{container}/lifecycle", {"preStop": {"sleep": {"seconds": 5}}}),
        cdk8s.JsonPatch.replace(f"{container}/image", "a:2"),
        cdk8s.JsonPatch.remove(f"{container}/resources"),
    )
    assert [line.partition(": ")[2] for line in patches.lost()] == [
        f"{container}/lifecycle/preStop/sleep: {{'seconds': 5}} became None"
    ]
