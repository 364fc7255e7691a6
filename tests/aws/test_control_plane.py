"""The control plane of a cluster: its settings in the template, and refusals in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Annotations, Match
from cfnlint.api import lint
from cfnlint.config import ManualArgs

from automode_constructs import AutoModeCluster, ControlPlaneSettings
from automode_constructs.arguments import Refusals
from automode_constructs.aws.control_plane import check_control_plane
from automode_constructs.facts.control_plane import control_plane_tiers, setting_bounds
from automode_constructs.patterns.stacks.cluster_stack import ClusterStack
from tests.refusal import refusal
from tests.support import feature_flags, only, synthesised

CLUSTER = "AWS::EKS::Cluster"
ALL = ControlPlaneSettings(
    scoring="MostAllocated",
    scoring_weights={"nvidia.com/gpu": 5, "cpu": 1},
    event_ttl_minutes=30,
    node_ports=(20000, 32767),
    autoscaler_sync_seconds=10,
    terminated_pod_gc_threshold=1000,
    rollback_timeout_minutes=1440,
    egress="CUSTOMER_ROUTED",
)
REGIONS = {"Commercial": "eu-central-1", "Government": "us-gov-west-1"}


@pytest.fixture(scope="module")
def templates() -> dict[str, dict[str, Any]]:
    """Everything set, in a commercial region and in GovCloud; nothing set; and the Gateway API on and off."""
    app = cdk.App(context=feature_flags())
    for name, region in REGIONS.items():
        ClusterStack(
            app,
            name,
            cluster_name="c",
            env=cdk.Environment(region=region),
            control_plane_scaling_tier="tier-xl",
            control_plane=ALL,
        )
    AutoModeCluster(cdk.Stack(app, "Plain"), "Cluster", cluster_name="plain")
    AutoModeCluster(cdk.Stack(app, "On"), "Cluster", cluster_name="on", gateway_api=True)
    AutoModeCluster(cdk.Stack(app, "Off"), "Cluster", cluster_name="off", gateway_api=False)
    AutoModeCluster(
        cdk.Stack(app, "Old"),
        "Cluster",
        cluster_name="old",
        control_plane=ControlPlaneSettings(rollback_timeout_minutes=120),
    )
    return synthesised(app)


@pytest.mark.parametrize("name", REGIONS)
def test_settings_are_written_as_cloudformation_takes_them(templates: dict[str, Any], name: str) -> None:
    cluster = only(templates[name], CLUSTER)["Properties"]
    assert cluster["ControlPlaneScalingConfig"] == {"Tier": "tier-xl"}
    assert cluster["KubeSchedulerConfig"] == {
        "NodeResourcesFit": {
            "ScoringStrategy": {
                "Type": "MostAllocated",
                "Resources": [{"Name": "nvidia.com/gpu", "Weight": 5}, {"Name": "cpu", "Weight": 1}],
            }
        }
    }
    assert cluster["KubeApiServerConfig"] == {
        "EventTtl": "30m",
        "ServiceNodePortRange": {"MinPort": 20000, "MaxPort": 32767},
    }
    assert cluster["KubeControllerManagerConfig"] == {
        "HorizontalPodAutoscalerControllerConfig": {"HorizontalPodAutoscalerSyncPeriod": "10s"},
        "PodGcControllerConfig": {"TerminatedPodGcThreshold": 1000},
    }
    assert cluster["RollbackConfig"] == {"TimeoutMinutes": 1440}
    assert cluster["ResourcesVpcConfig"]["ControlPlaneEgressMode"] == "CUSTOMER_ROUTED"


def test_what_is_not_set_is_not_written(templates: dict[str, Any]) -> None:
    plain = only(templates["Plain"], CLUSTER)["Properties"]
    assert not {key for key in plain if key.startswith("Kube") and key != "KubernetesNetworkConfig"}
    assert "RollbackConfig" not in plain
    assert "ControlPlaneEgressMode" not in plain["ResourcesVpcConfig"]
    assert "ControlPlaneScalingConfig" not in plain
    assert plain["KubernetesNetworkConfig"]["ElasticLoadBalancing"] == {"Enabled": True}


@pytest.mark.parametrize(("name", "managed"), [("On", True), ("Off", False)])
def test_the_gateway_api_is_a_switch_of_load_balancing(templates: dict[str, Any], name: str, managed: bool) -> None:
    cluster = only(templates[name], CLUSTER)["Properties"]
    assert cluster["KubernetesNetworkConfig"]["ElasticLoadBalancing"] == {
        "Enabled": True,
        "GatewayApi": {"Crds": {"Managed": managed}},
    }


def errors(template: dict[str, Any], region: str) -> list[tuple[str, str]]:
    """What cfn-lint finds wrong, less its remarks on zones and dependencies."""
    found = lint(json.dumps(template), config=ManualArgs(regions=[region]))
    return [(match.rule.id, match.message) for match in found if match.rule.id.startswith("E")]


@pytest.mark.parametrize(("name", "region"), REGIONS.items())
def test_cfn_lint_takes_every_setting(templates: dict[str, Any], name: str, region: str) -> None:
    assert errors(templates[name], region) == []


def test_an_older_cfn_lint_knows_all_but_the_gateway_api(templates: dict[str, Any]) -> None:
    """The docstring says so. An empty list here: say there that cfn-lint has learnt it."""
    ((rule, message),) = errors(templates["On"], "us-east-1")
    assert rule == "E3002"
    assert "'GatewayApi' was unexpected" in message


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"event_ttl_minutes": 9}, "control_plane.event_ttl_minutes: must be at least 10, got 9"),
    ({"event_ttl_minutes": 61}, "control_plane.event_ttl_minutes: must be at most 60, got 61"),
    ({"rollback_timeout_minutes": 119}, "control_plane.rollback_timeout_minutes: must be at least 120, got 119"),
    ({"rollback_timeout_minutes": 10081}, "control_plane.rollback_timeout_minutes: must be at most 10080, got 10081"),
    ({"terminated_pod_gc_threshold": 0}, "control_plane.terminated_pod_gc_threshold: must be at least 1, got 0"),
    (
        {"autoscaler_sync_seconds": 10},
        "control_plane.autoscaler_sync_seconds: is for provisioned tiers, and control_plane_scaling_tier is "
        "'standard'; choose a tier such as 'tier-xl', which costs extra, or leave the setting out",
    ),
    (
        {"scoring_weights": {"cpu": 1}},
        "control_plane.scoring_weights: are set without scoring; add scoring='MostAllocated' or 'LeastAllocated'",
    ),
    (
        {"scoring": "MostAllocated", "scoring_weights": {}},
        "control_plane.scoring_weights: names no resource, so no node would be better than another; leave it out",
    ),
    (
        {"scoring": "MostAllocated", "scoring_weights": {"nvidia.com/gpus": 1}},
        "control_plane.scoring_weights: 'nvidia.com/gpus' is not scored; did you mean 'nvidia.com/gpu'?",
    ),
    (
        {"scoring": "MostAllocated", "scoring_weights": {"cpu": 101}},
        "control_plane.scoring_weights['cpu']: must be at most 100, got 101",
    ),
    (
        {"node_ports": (30000,)},
        "control_plane.node_ports: needs the first and the last port, got 1 values; write (30000, 32767)",
    ),
    ({"node_ports": (10259, 32767)}, "control_plane.node_ports[0]: must be at least 10260, got 10259"),
    ({"node_ports": (30000, 32768)}, "control_plane.node_ports[1]: must be at most 32767, got 32768"),
    (
        {"node_ports": (32000, 31000)},
        "control_plane.node_ports: begins at 32000, after its end 31000; write (31000, 32000)",
    ),
]


@pytest.mark.parametrize(("settings", "text"), REFUSED, ids=str)
@pytest.mark.parametrize("make", [AutoModeCluster, ClusterStack])
def test_what_eks_would_refuse_is_refused(make: Callable[..., Any], settings: dict[str, Any], text: str) -> None:
    app = cdk.App()
    scope = app if make is ClusterStack else cdk.Stack(app, "Dev")
    assert text in refusal(lambda: make(scope, "Try", cluster_name="c", control_plane=ControlPlaneSettings(**settings)))


def test_a_sync_period_beyond_its_range_is_refused_with_a_tier_too() -> None:
    settings = ControlPlaneSettings(autoscaler_sync_seconds=16)
    text = refusal(
        lambda: AutoModeCluster(
            cdk.Stack(cdk.App(), "Dev"), "Cluster", control_plane=settings, control_plane_scaling_tier="tier-xl"
        )
    )
    assert "control_plane.autoscaler_sync_seconds: must be at most 15, got 16" in text


def test_a_scoring_strategy_that_is_not_known_is_refused_with_the_nearest() -> None:
    text = refusal(lambda: ControlPlaneSettings(scoring="MostAlocated"))  # type: ignore[arg-type]
    assert text.startswith("ControlPlaneSettings: scoring: 'MostAlocated' is not known; did you mean 'MostAllocated'?")


def test_an_egress_whose_meaning_is_not_known_is_refused() -> None:
    text = refusal(lambda: ControlPlaneSettings(egress="CUSTOMER_ISOLATED"))  # type: ignore[arg-type]
    assert text.startswith("ControlPlaneSettings: egress: 'CUSTOMER_ISOLATED' is not known; ")


@pytest.mark.parametrize(
    ("settings", "needs"),
    [({"event_ttl_minutes": 30}, True), ({"rollback_timeout_minutes": 720, "egress": "CUSTOMER_ROUTED"}, False)],
    ids=str,
)
def test_settings_of_components_need_a_version(settings: dict[str, Any], needs: bool) -> None:
    refusals = Refusals("Dev")
    check_control_plane(refusals, ControlPlaneSettings(**settings), version="1.30", tier=None)
    text = (
        "control_plane.event_ttl_minutes: needs Kubernetes 1.31 or newer, and version is '1.30'; choose a newer "
        "version, or leave the setting out"
    )
    assert [str(problem) for problem in refusals.problems] == ([text] if needs else [])


@pytest.mark.parametrize(("tier", "warned"), [("tier-ultra", 1), ("tier-8xl", 0)])
def test_a_tier_that_the_api_does_not_name_is_warned_of(tier: str, warned: int) -> None:
    stack = cdk.Stack(cdk.App(), "Dev")
    AutoModeCluster(stack, "Cluster", cluster_name="c", control_plane_scaling_tier=tier)
    text = (
        r"control_plane_scaling_tier: 'tier-ultra' is in CloudFormation's schema, but the EKS API does not name it, so "
        r"that the deployment may fail, and its price is not known; 'tier-8xl' is the largest that both name"
        r".*automode:ScalingTierUnproven"
    )
    assert len(Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp(text))) == warned


class TestThePage:
    PAGE = (Path(__file__).parents[2] / "docs" / "control-plane.md").read_text("utf-8")

    def test_the_prices_are_those_of_the_data(self) -> None:
        rows = {name.split("`")[1]: cells for name, *cells in self.rows("`control_plane_scaling_tier`")}
        assert list(rows) == list(control_plane_tiers())
        for tier in control_plane_tiers().values():
            hour, month, seats, pods, etcd = rows[tier.name]
            if tier.usd_per_hour is None:
                assert {hour, month, seats, pods, etcd} == {"not known"}
                continue
            assert float(hour) == tier.usd_per_hour
            assert float(month.replace(",", "")) == pytest.approx(tier.usd_per_hour * 730)
            assert etcd == f"{tier.etcd_gb} GB"
            if tier.name != "standard":
                assert (int(seats.replace(",", "")), int(pods)) == (tier.request_seats, tier.pods_per_second)
                assert f"{tier.usd_per_hour:.2f}" in " ".join((AutoModeCluster.__doc__ or "").split())

    def test_every_setting_is_there_with_its_range(self) -> None:
        rows = {name.strip("`"): cells for name, *cells in self.rows("`ControlPlaneSettings`")}
        assert list(rows) == [field.name for field in fields(ControlPlaneSettings)]
        for name in ("event_ttl_minutes", "node_ports", "autoscaler_sync_seconds", "rollback_timeout_minutes"):
            assert rows[name][0] == "{} to {}".format(*setting_bounds(name))

    def rows(self, heading: str) -> list[list[str]]:
        table = self.PAGE.split(f"| {heading}")[1].split("\n\n")[0]
        return [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.splitlines()[2:]]
