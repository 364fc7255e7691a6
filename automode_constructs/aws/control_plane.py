"""Settings of a cluster's control plane: the scheduler, the API server, autoscaling, rollback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from aws_cdk import Acknowledgment, Annotations, CfnResource, Validations
from aws_cdk import aws_eks_v2 as eks
from constructs import Construct

from automode_constructs.arguments import Refusals, checked_arguments
from automode_constructs.errors import did_you_mean, shown
from automode_constructs.facts.control_plane import (
    control_plane_tiers,
    scored_resources,
    setting_bounds,
    settings_floor,
)
from automode_constructs.facts.versions import minor

__all__ = [
    "SCALING_TIERS",
    "ControlPlaneSettings",
    "check_control_plane",
    "set_control_plane",
    "set_gateway_api",
    "warn_of_tier",
]

SCALING_TIERS = tuple(control_plane_tiers())
"""Control-plane scaling tiers, as CloudFormation names them."""

_STANDARD = "standard"
_NOT_OF_COMPONENTS = ("rollback_timeout_minutes", "egress")
"""Settings that do not configure Kubernetes' own programs, and need no version of them."""


@checked_arguments
@dataclass(frozen=True, kw_only=True, slots=True)
class ControlPlaneSettings:
    """Settings of the Kubernetes control plane, which EKS runs; each may change at any time but ``egress``.

    They hold for the whole cluster, and cost nothing (but the traffic of ``egress``). The first six need Kubernetes
    1.31 or newer.

    Args:
        scoring: how the scheduler chooses among the nodes that fit a pod: ``LeastAllocated`` spreads pods,
            ``MostAllocated`` fills nodes before it takes empty ones, so that Karpenter can remove more of them.
            Default: ``LeastAllocated``, as EKS decides.
        scoring_weights: how much each resource counts in ``scoring``, 1 to 100: ``cpu``, ``memory``,
            ``nvidia.com/gpu``, ``aws.amazon.com/neuron``, ``aws.amazon.com/neuroncore``. A resource that is not named
            does not count at all, so name the GPU to fill nodes by it; devices of resource claims never count. Needs
            ``scoring``. Default: ``cpu`` and ``memory``, 1 each, as EKS decides.
        event_ttl_minutes: how long Kubernetes keeps events, 10 to 60 minutes. Less keeps the cluster's database small
            where many short jobs run. Default: 60, as EKS decides.
        node_ports: the first and the last port of Services of type NodePort and LoadBalancer, within 10260 to 32767.
            Services keep the ports that they have: move those outside before you narrow the range. Default: 30000 to
            32767, as EKS decides.
        autoscaler_sync_seconds: how often horizontal pod autoscalers decide, every 10 to 15 seconds; needs a
            ``control_plane_scaling_tier`` other than ``standard``. Default: 15, as EKS decides.
        terminated_pod_gc_threshold: how many pods that have ended Kubernetes keeps before it removes the oldest, 1 to
            1,000,000. The range is CloudFormation's; EKS may take less of it. Default: as EKS decides.
        rollback_timeout_minutes: how long a rollback to the previous Kubernetes version may take before EKS cancels
            it, 120 minutes to 10080 (seven days). Default: 720, as EKS decides.
        egress: how the API server reaches webhooks, OIDC issuers and aggregated APIs: ``CUSTOMER_ROUTED`` takes the
            cluster's subnets, with their routes, firewalls and NAT gateways; the way back is refused by EKS. What
            CloudFormation's ``CUSTOMER_ISOLATED`` means is not documented, so it is not taken. Default:
            ``AWS_MANAGED``, as EKS decides.

    Raises:
        AutoModeError: for a wrong kind of value. The cluster that takes the settings refuses values out of their
            bounds.

    Source: EKS User Guide, "Advanced Kubernetes control plane configuration", "Rollback EKS Auto Mode clusters" and
    "Configuring control plane egress routing"; ``AWS::EKS::Cluster``.
    """

    scoring: Literal["LeastAllocated", "MostAllocated"] | None = None
    scoring_weights: Mapping[str, int] | None = None
    event_ttl_minutes: int | None = None
    node_ports: Sequence[int] | None = None
    autoscaler_sync_seconds: int | None = None
    terminated_pod_gc_threshold: int | None = None
    rollback_timeout_minutes: int | None = None
    egress: Literal["AWS_MANAGED", "CUSTOMER_ROUTED"] | None = None

    def set_fields(self) -> list[str]:
        """The names of the settings that are set."""
        return [field.name for field in fields(self) if getattr(self, field.name) is not None]


def check_control_plane(refusals: Refusals, settings: ControlPlaneSettings, *, version: str, tier: str | None) -> None:
    """Refuses settings that EKS would refuse.

    Args:
        refusals: collects what is wrong.
        settings: the settings.
        version: the cluster's Kubernetes version.
        tier: the cluster's scaling tier.
    """
    for name in (
        "event_ttl_minutes",
        "autoscaler_sync_seconds",
        "terminated_pod_gc_threshold",
        "rollback_timeout_minutes",
    ):
        value = getattr(settings, name)
        if value is not None:
            least, most = setting_bounds(name)
            refusals.number(f"control_plane.{name}", value, least=least, most=most)
    _check_scoring(refusals, settings)
    if settings.node_ports is not None:
        _check_node_ports(refusals, settings.node_ports)
    if settings.autoscaler_sync_seconds is not None and tier in (None, _STANDARD):
        refusals.refuse(
            "control_plane.autoscaler_sync_seconds",
            f"is for provisioned tiers, and control_plane_scaling_tier is {shown(tier or _STANDARD)}",
            "choose a tier such as 'tier-xl', which costs extra, or leave the setting out",
        )
    needs = [name for name in settings.set_fields() if name not in _NOT_OF_COMPONENTS]
    if needs and _is_older(version, settings_floor()):
        refusals.refuse(
            f"control_plane.{needs[0]}",
            f"needs Kubernetes {settings_floor()} or newer, and version is '{version}'",
            "choose a newer version, or leave the setting out",
        )


def _check_scoring(refusals: Refusals, settings: ControlPlaneSettings) -> None:
    field, weights = "control_plane.scoring_weights", settings.scoring_weights
    if weights is None:
        return
    if settings.scoring is None:
        refusals.refuse(field, "are set without scoring", "add scoring='MostAllocated' or 'LeastAllocated'")
    if not weights:
        refusals.refuse(field, "names no resource, so no node would be better than another", "leave it out")
    least, most = setting_bounds("scoring_weight")
    for name, weight in weights.items():
        if name not in scored_resources():
            refusals.refuse(field, f"'{name}' is not scored", did_you_mean(name, scored_resources()))
        refusals.number(f"{field}['{name}']", weight, least=least, most=most)


def _check_node_ports(refusals: Refusals, ports: Sequence[int]) -> None:
    field, (least, most) = "control_plane.node_ports", setting_bounds("node_ports")
    if len(ports) != 2:
        refusals.refuse(field, f"needs the first and the last port, got {len(ports)} values", "write (30000, 32767)")
        return
    first, last = ports
    refusals.number(f"{field}[0]", first, least=least, most=most)
    refusals.number(f"{field}[1]", last, least=least, most=most)
    if first > last:
        refusals.refuse(field, f"begins at {first}, after its end {last}", f"write ({last}, {first})")


def _is_older(version: str, floor: str) -> bool:
    """Whether a version is older; one that cannot be read is refused elsewhere."""
    try:
        return minor(version) < minor(floor)
    except (IndexError, ValueError):
        return False


def set_control_plane(resource: CfnResource, settings: ControlPlaneSettings) -> None:
    """Writes the settings that are set into the cluster's resource."""
    ports = settings.node_ports
    weights = settings.scoring_weights
    values: dict[str, Any] = {
        "KubeSchedulerConfig.NodeResourcesFit.ScoringStrategy.Type": settings.scoring,
        "KubeSchedulerConfig.NodeResourcesFit.ScoringStrategy.Resources": None
        if weights is None
        else [{"Name": name, "Weight": weight} for name, weight in weights.items()],
        "KubeApiServerConfig.EventTtl": _duration(settings.event_ttl_minutes, "m"),
        "KubeApiServerConfig.ServiceNodePortRange": None
        if ports is None
        else {"MinPort": ports[0], "MaxPort": ports[1]},
        "KubeControllerManagerConfig.HorizontalPodAutoscalerControllerConfig.HorizontalPodAutoscalerSyncPeriod": (
            _duration(settings.autoscaler_sync_seconds, "s")
        ),
        "KubeControllerManagerConfig.PodGcControllerConfig.TerminatedPodGcThreshold": (
            settings.terminated_pod_gc_threshold
        ),
        "RollbackConfig.TimeoutMinutes": settings.rollback_timeout_minutes,
        "ResourcesVpcConfig.ControlPlaneEgressMode": settings.egress,
    }
    for path, value in values.items():
        if value is not None:
            resource.add_property_override(path, value)


def set_gateway_api(resource: CfnResource, *, managed: bool) -> None:
    """Turns the Gateway API's kinds on or off in the cluster's resource."""
    resource.add_property_override("KubernetesNetworkConfig.ElasticLoadBalancing.GatewayApi.Crds.Managed", managed)
    # aws-cdk-lib knows the property since 2.276; its validator before that refuses it at synth.
    if not hasattr(eks.CfnCluster, "GatewayApiProperty"):
        Validations.of(resource).acknowledge(
            Acknowledgment(
                id="CloudFormation-Validate::F3002",
                reason="AWS::EKS::Cluster has GatewayApi since November 2026; this version of aws-cdk-lib is older",
            )
        )


def _duration(number: int | None, unit: str) -> str | None:
    """A duration of one unit, which is all that EKS takes."""
    return None if number is None else f"{number}{unit}"


def warn_of_tier(scope: Construct, tier: str | None) -> None:
    """Warns of a tier that may not exist, because the EKS API does not name it."""
    if tier is not None and control_plane_tiers()[tier].usd_per_hour is None:
        Annotations.of(scope).add_warning_v2(
            "automode:ScalingTierUnproven",
            f"control_plane_scaling_tier: '{tier}' is in CloudFormation's schema, but the EKS API does not name it, "
            "so that the deployment may fail, and its price is not known; 'tier-8xl' is the largest that both name",
        )
