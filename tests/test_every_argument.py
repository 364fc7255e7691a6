"""Every argument of everything public, given every wrong kind of value: it is taken, or refused in our words."""

from __future__ import annotations

import inspect
import os
import re
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, partial
from itertools import count
from pathlib import Path
from typing import Any, get_args

import aws_cdk as cdk
import cdk8s
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from constructs import Construct

import automode_constructs as am
from automode_constructs import patterns, testing
from automode_constructs.facts.instance_types import instance_types
from automode_constructs.manifests.cluster_values import ClusterValues
from automode_constructs.patterns.stacks.stack_options import ClusterStackOptions, StackOptions
from automode_constructs.specs.labels import ARCH
from automode_constructs.specs.model import KubeModel
from automode_constructs.specs.pools.capacity_reservation import CapacityReservation

_NUMBERS = count()
_ENV = cdk.Environment(region="eu-west-1")


class World:
    """What arguments are made of, each created on first use."""

    @cached_property
    def app(self) -> cdk.App:
        return cdk.App()

    @cached_property
    def empty_app(self) -> cdk.App:
        return cdk.App()

    @cached_property
    def stack(self) -> cdk.Stack:
        return cdk.Stack(self.app, "Try", env=_ENV)

    @cached_property
    def chart(self) -> cdk8s.Chart:
        return cdk8s.Chart(cdk8s.App(), "chart", namespace="models")

    @cached_property
    def vpc(self) -> ec2.IVpc:
        return ec2.Vpc.from_vpc_attributes(
            self.stack,
            "Vpc",
            vpc_id="vpc-0123456789abcdef0",
            vpc_cidr_block="10.20.0.0/16",
            availability_zones=["eu-west-1a", "eu-west-1b"],
            private_subnet_ids=["subnet-0aaaaaaaaaaaaaaaa", "subnet-0bbbbbbbbbbbbbbbb"],
        )

    @cached_property
    def network(self) -> am.ExistingNetwork:
        return am.ExistingNetwork(vpc=self.vpc, node_subnets=self.vpc.private_subnets)

    @cached_property
    def own_network(self) -> am.AutoModeNetwork:
        return am.AutoModeNetwork(self.stack, "Network", pod_cidr="100.64.0.0/16", flow_logs=False)

    @cached_property
    def cluster(self) -> am.AutoModeCluster:
        return am.AutoModeCluster(self.stack, "Cluster", network=self.own_network, built_in_pools=[])

    @property
    def hub(self) -> am.ImportedCluster:
        """A cluster of its own for each capability, of which a cluster has one of a type."""
        return am.ImportedCluster(self.stack, f"Hub{next(_NUMBERS)}", cluster_name="hub")

    @cached_property
    def bucket(self) -> am.ModelBucket:
        return am.ModelBucket(self.stack, "Bucket")

    @cached_property
    def topic(self) -> sns.Topic:
        return sns.Topic(self.stack, "Topic")

    @cached_property
    def vault(self) -> am.ClusterBackupVault:
        return am.ClusterBackupVault(self.stack, "Vault", vault_name="bank")

    @cached_property
    def server(self) -> am.ModelServer:
        image = "example.com/vllm:v0.27.1"
        return am.ModelServer(self.chart, "server", model=am.GPT_OSS_20B, image=image, weights=_WEIGHTS, replicas=None)

    @cached_property
    def node_class(self) -> am.NodeClass:
        return am.NodeClass(self.chart, "nodes", spec=_node_class_spec())

    @cached_property
    def gateway_class(self) -> am.GatewayClass:
        return am.GatewayClass(self.chart, "alb", controller_name="eks.amazonaws.com/gateway-alb")

    @cached_property
    def gateway(self) -> am.Gateway:
        return am.Gateway(self.chart, "shared", gateway_class=self.gateway_class, listeners=[_LISTENER])

    @cached_property
    def role(self) -> iam.IRole:
        arn = cdk.Fn.join(":", ["arn", cdk.Aws.PARTITION, "iam", "", "111122223333", "role/eks"])
        return iam.Role.from_role_arn(self.stack, "Role", arn)

    @cached_property
    def folder(self) -> Path:
        return Path(tempfile.mkdtemp()) / "new"

    @cached_property
    def objects(self) -> list[tuple[str, Any]]:
        """Objects of the CDK that an argument may be given by mistake."""
        return [
            ("a VPC", self.vpc),
            ("a subnet", self.vpc.private_subnets[0]),
            ("a role", self.role),
            ("a chart", self.chart),
            ("a stack", self.stack),
            ("a token", cdk.Token.as_any({"Ref": "X"})),
        ]


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def _node_class_spec() -> am.NodeClassSpec:
    return am.NodeClassSpec(
        role="nodes",
        subnet_selector_terms=[am.SubnetSelectorTerm(id="subnet-1")],
        security_group_selector_terms=[am.SecurityGroupSelectorTerm(id="sg-1")],
    )


def _node_pool_spec() -> am.NodePoolSpec:
    return am.NodePoolSpec(
        template=am.NodeClaimTemplate(spec=am.NodeClaimSpec(requirements=[ARCH.is_in("amd64")])),
    )


def _guardrails() -> patterns.Guardrails:
    return patterns.Guardrails(image_registries=["public.ecr.aws"])


def _quota() -> patterns.TeamQuota:
    return patterns.TeamQuota(cpu=8, memory="32Gi")


def _team() -> patterns.Team:
    number = next(_NUMBERS)
    return patterns.Team(name=f"team-{number}", namespaces={f"team-{number}": _quota()})


def _values() -> ClusterValues:
    return ClusterValues(
        cluster_name="try",
        region="eu-west-1",
        node_role="nodes",
        node_subnets=[am.SubnetSelectorTerm(id="subnet-1")],
        node_security_groups=[am.SecurityGroupSelectorTerm(id="sg-1")],
        built_in_pools=True,
        node_defaults=am.NodeDefaults(certificate_bundles=[am.CertificateBundle.from_pem("ours", _PEM)]),
    )


def _arn() -> str:
    return f"arn:{cdk.Aws.PARTITION}:iam::111122223333:role/People{next(_NUMBERS)}"


_VIEW = "AmazonEKSViewPolicy"
_PEM = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
_GROUP = am.SsoGroup(id="a1b2c3d4-5678-90ab-cdef-111111111111")
_LISTENER = am.GatewayListener(name="https", protocol="HTTPS", port=443)
_BACKEND = am.RouteBackend(service="shop", port=80)
_WEIGHTS = am.S3Weights(bucket="our-models", prefix="gpt-oss-20b")
_RESERVATION = CapacityReservation(
    id="cr-1", kind="capacity-block", instance_type="p5.48xlarge", zone="eu-west-1a", ends=date(2026, 12, 14)
)
_AGENT: dict[str, Any] = {
    "name": "scanner",
    "purpose": "security",
    "image": "example.com/scanner",
    "versions": {"canary": "1.3.0", "all": "1.2.0"},
    "cpu": "50m",
    "memory": "64Mi",
}

GOOD: dict[str, Callable[[World], dict[str, Any]]] = {
    "Access": lambda world: {"cluster": world.cluster, "grants": [am.AccessGrant(role=_arn(), policy=_VIEW)]},
    "AccessGrant": lambda _: {"role": _arn(), "policy": _VIEW},
    "AddOn": lambda world: {"cluster": world.cluster, "name": f"vendor_{next(_NUMBERS)}"},
    "AutoModeCluster": lambda world: {"network": world.network},
    "AutoModeLogs": lambda _: {"cluster_name": "try", "cluster_arn": "${Token[TOKEN.2]}"},
    "AutoModeNetwork": lambda _: {},
    "BreakGlassAlarm": lambda world: {"roles": [_arn()], "topic": world.topic},
    "AckCapability": lambda world: {"cluster": world.hub},
    "ArgoCdAccess": lambda world: {"cluster": world.cluster, "role_arn": cdk.Fn.import_value("argo-cd")},
    "ArgoCdApplication": lambda _: {"repository": "https://github.com/corp/clusters.git", "path": "manifests"},
    "ArgoCdCapability": lambda world: {
        "cluster": world.hub,
        "identity_center_arn": "${Token[TOKEN.4]}",
        "roles": {"ADMIN": [_GROUP]},
    },
    "ArgoCdCluster": lambda _: {"cluster_arn": "${Token[TOKEN.5]}"},
    "BackupRule": lambda _: {},
    "BuiltInNodeRole": lambda _: {},
    "CapabilityRole": lambda _: {},
    "CertificateConfigMap": lambda _: {"values": _values()},
    "ChartDelivery": lambda world: {"cluster": world.cluster, "chart": cdk8s.Chart(world.chart, f"c{next(_NUMBERS)}")},
    "ClusterBackup": lambda world: {"cluster": world.cluster, "vault": world.vault, "alarm_topic": world.topic},
    "ClusterBackupVault": lambda _: {"vault_name": "copies"},
    "ClusterRestore": lambda world: {"cluster": world.cluster, "alarm_topic": world.topic},
    "CloudWatchObservability": lambda world: {"cluster": world.cluster, "cluster_name": "try"},
    "ClusterAlarms": lambda world: {"cluster": world.cluster, "topic": world.topic},
    "ClusterDashboard": lambda world: {"cluster": world.cluster},
    "ClusterRole": lambda _: {},
    "ComplianceLock": lambda _: {
        "confirm": "can never be undone",
        "min_retention_days": 7,
        "max_retention_days": 30,
    },
    "EfaSecurityGroup": lambda world: {"vpc": world.vpc},
    "ExistingNetwork": lambda world: {"vpc": world.vpc, "node_subnets": world.vpc.private_subnets},
    "Gateway": lambda world: {"gateway_class": world.gateway_class, "listeners": [_LISTENER]},
    "GatewayClass": lambda _: {"spec": am.GatewayClassSpec(controller_name="example.com/gateway")},
    "GovernanceLock": lambda _: {},
    "GatewayListener": lambda _: {"name": "https", "protocol": "HTTPS", "port": 443},
    "GrpcMatch": lambda _: {"service": "shop.v1.Orders"},
    "GrpcRoute": lambda world: {"gateway": world.gateway, "backends": [_BACKEND]},
    "HttpMatch": lambda _: {},
    "HttpRoute": lambda world: {"gateway": world.gateway, "backends": [_BACKEND]},
    "HubWeights": lambda _: {},
    "ImageWeights": lambda _: {"path": "/models/gpt-oss-20b"},
    "ImportedCluster": lambda _: {"cluster_name": "other"},
    "IngressClass": lambda world: {
        "params": am.IngressClassParams(world.chart, f"p{next(_NUMBERS)}", spec=am.IngressClassParamsSpec())
    },
    "IngressClassParams": lambda _: {"spec": am.IngressClassParamsSpec()},
    "KubernetesGroup": lambda _: {"edit": ["node-pools"]},
    "KubernetesObject": lambda _: {"api_version": "v1", "kind": "ConfigMap", "body": {"data": {"a": "b"}}},
    "KroCapability": lambda world: {"cluster": world.hub},
    "LocalZoneSubnets": lambda world: {"network": world.own_network, "cidrs": {"eu-west-1-lon-1a": "10.0.192.0/24"}},
    "ManagedPrometheus": lambda world: {"cluster": world.cluster},
    "ChatPage": lambda world: {"server": world.server},
    "FastStart": lambda _: {"image_bytes": 4_500_000_000},
    "ModelAutoscaler": lambda world: {"server": world.server, "max_replicas": 2},
    "MetricsServer": lambda world: {"cluster": world.cluster},
    "ModelBucket": lambda _: {},
    "ModelPreset": lambda _: {name: getattr(am.GPT_OSS_20B, name) for name in am.GPT_OSS_20B.__dataclass_fields__},
    "ModelServer": lambda _: {"model": am.GPT_OSS_20B, "image": "example.com/vllm:v0.27.1", "weights": _WEIGHTS},
    "NetworkPolicyController": lambda _: {},
    "NodeClass": lambda _: {"spec": _node_class_spec()},
    "NodePool": lambda world: {"node_class": world.node_class, "spec": _node_pool_spec()},
    "NodeRole": lambda world: {"cluster": world.cluster},
    "PermissionSetRole": lambda _: {"permission_set": "Platform"},
    "PodIdentityRole": lambda world: {
        "cluster": world.cluster,
        "namespace": "shop",
        "service_account": f"till-{next(_NUMBERS)}",
    },
    "PodSecurityGroup": lambda world: {"cluster": world.cluster},
    "PolicyRule": lambda _: {"api_groups": [""], "resources": ["pods"], "verbs": ["get"]},
    "PullThroughCache": lambda _: {"prefix": f"p{next(_NUMBERS)}", "repositories": ["eks/pause"]},
    "ReservedCapacity": lambda _: {
        "reservation": _RESERVATION,
        "node_class_spec": _node_class_spec(),
        "as_of": date(2026, 12, 1),
    },
    "ControlPlaneSettings": lambda _: {},
    "RoleNames": lambda _: {},
    "RouteBackend": lambda _: {"service": "shop", "port": 80},
    "S3Weights": lambda _: {"bucket": "our-models", "prefix": "gpt-oss-20b"},
    "SecretKey": lambda _: {"name": "hub", "key": "token"},
    "SsoGroup": lambda _: {"id": _GROUP.id},
    "SsoUser": lambda _: {"id": _GROUP.id},
    "StaticNodePools": lambda world: {"node_class": world.node_class, "spec": _node_pool_spec(), "replicas": 2},
    "StorageClass": lambda _: {"spec": am.StorageClassSpec(provisioner="ebs.csi.eks.amazonaws.com")},
    "TargetGroupBinding": lambda _: {
        "spec": am.TargetGroupBindingSpec(
            target_group_arn="${Token[TOKEN.1]}",
            service_ref=am.ServiceReference(name="shop", port=80),
            target_type="ip",
        )
    },
    "VolumeAttributesClass": lambda _: {
        "spec": am.VolumeAttributesClassSpec(
            driver_name="ebs.csi.eks.amazonaws.com", parameters=am.VolumeAttributes(type="gp3", iops="4000")
        )
    },
    "VolumeSnapshotClass": lambda _: {
        "spec": am.VolumeSnapshotClassSpec(driver="ebs.csi.eks.amazonaws.com", deletion_policy="Delete")
    },
    "VpcEndpoints": lambda world: {"network": world.network},
    "WeightStaging": lambda _: {"model": am.GPT_OSS_20B, "weights": _WEIGHTS},
    "access_page": lambda world: {"cluster": world.cluster},
    "allow_load_balancer_logs": lambda world: {
        "bucket": s3.Bucket.from_bucket_name(world.stack, f"b{next(_NUMBERS)}", "corp-logs")
    },
    "efa_network_interfaces": lambda _: {"instance_type": "p5.48xlarge"},
    "PodNetworkPolicy": lambda _: {"pod_labels": {"app": "web"}},
    "https_to": lambda _: {"domain_names": ["example.com"]},
    "estimate_cold_start": lambda _: {
        "instance_type": instance_types()["g6.xlarge"],
        "image_bytes": 9_000_000_000,
        "weight_bytes": 13_000_000_000,
        "weights": "s3",
    },
    "restore_metadata": lambda _: {"cluster_name": "bank"},
    "with_efa": lambda _: {"spec": _node_class_spec(), "instance_type": "p5.48xlarge"},
    "write_yaml_folder": lambda world: {
        "charts": [cdk8s.Chart(world.chart, f"y{next(_NUMBERS)}")],
        "folder": world.folder,
        "default_node_class": True,
    },
    # patterns
    "AccessStack": lambda world: {"cluster": world.cluster, "env": _ENV},
    "ArgoCdAccessChart": lambda _: {},
    "ArgoCdChart": lambda _: {"cluster_arn": "${Token[TOKEN.6]}", "repository": "git@github.com:corp/clusters.git"},
    "ClusterGuardrails": lambda _: {"guardrails": _guardrails()},
    "ClusterStack": lambda world: {"cluster_name": f"c{next(_NUMBERS)}", "network": world.network},
    "DcgmExporterChart": lambda _: {},
    "GptOssChart": lambda _: {"values": _values(), "weights": _WEIGHTS},
    "GptOssStack": lambda world: {"cluster": world.cluster, "bucket": world.bucket, "env": _ENV},
    "GuardStack": lambda world: {"guarded": [cdk.Stack(world.app, f"g{next(_NUMBERS)}")]},
    "Guardrails": lambda _: {"image_registries": ["public.ecr.aws"]},
    "GuardrailsStack": lambda world: {"cluster": world.cluster, "guardrails": _guardrails(), "env": _ENV},
    "HelmRelease": lambda world: {
        "cluster": world.cluster,
        "chart": "podinfo",
        "repository": "https://charts.example.com",
        "version": "6.9.1",
        "namespace": "web",
        "release": f"r{next(_NUMBERS)}",
    },
    "HostPath": lambda _: {"path": "/var/log"},
    "KubeStateMetricsChart": lambda _: {},
    "LocalZoneChart": lambda _: {"values": _values(), "subnet_ids": {"eu-west-1-lon-1a": "subnet-1"}},
    "ModelMetricsChart": lambda _: {"namespaces": ["models"]},
    "NetworkPoliciesChart": lambda _: {},
    "NodeAgent": lambda _: dict(_AGENT),
    "NodeAgentsChart": lambda _: {"agents": [patterns.NodeAgent(**_AGENT)], "ring": "canary"},
    "NodeAgentsStack": lambda world: {
        "cluster": world.cluster,
        "agents": [patterns.NodeAgent(**_AGENT)],
        "ring": "canary",
        "namespace": f"agents-{next(_NUMBERS)}",
        "env": _ENV,
    },
    "NodePoolsChart": lambda _: {"values": _values(), "pools": ["spot"]},
    "PlatformChart": lambda _: {"values": _values()},
    "PlatformStack": lambda world: {"cluster": world.cluster, "env": _ENV},
    "ReservedCapacityChart": lambda _: {
        "values": _values(),
        "reservations": {"block": _RESERVATION},
        "as_of": date(2026, 12, 1),
    },
    "RetailStoreChart": lambda _: {},
    "RetailStoreStack": lambda world: {"cluster": world.cluster, "env": _ENV},
    "StaticPoolsChart": lambda _: {"values": _values(), "instance_types": ["c7i.large"], "replicas": 2},
    "Team": lambda _: {"name": "a", "namespaces": {"a": _quota()}},
    "TeamChart": lambda _: {"team": _team(), "values": _values()},
    "TeamQuota": lambda _: {"cpu": 8, "memory": "32Gi"},
    "TeamRights": lambda world: {"cluster": world.cluster, "team": _team()},
    "TeamStack": lambda world: {"cluster": world.cluster, "team": _team(), "env": _ENV},
    "Tenant": lambda _: {"taint": am.Taint(key="team", value="a", effect="NoSchedule"), "namespaces": ["a"]},
    "TrainingChart": lambda _: {"values": _values(), "instance_type": "p5.48xlarge", "zone": "eu-west-1a", "nodes": 2},
    "WeightsStack": lambda _: {},
    "accelerator_taint": lambda _: {"instance_type": "g6.xlarge"},
    "platform_charts": lambda _: {"app": cdk8s.App(), "values": _values()},
    "team_grants": lambda _: {"team": _team()},
    "tenants_of": lambda _: {"teams": [_team()]},
    # testing
    "assert_replaces_nothing": lambda _: {"before": {}, "after": {}},
    "findings": lambda world: {"app": world.empty_app},
    "manifests": lambda _: {"source": {}},
    "templates": lambda world: {"source": world.empty_app},
    "text_of": lambda _: {"value": ""},
}
"""Valid arguments of each public construct and function, without scope and id."""


class Foreign:
    """What nobody expects."""


def _endless() -> list[Any]:
    items: list[Any] = []
    items.append(items)
    return items


def wrong_values(world: World) -> Iterator[tuple[str, Any]]:
    yield "None", None
    yield "True", True
    yield "a number", 3
    yield "a huge number", 10**400
    yield "a fraction", 2.5
    yield "no number", float("nan")
    yield "a decimal", Decimal("1.5")
    yield "a text", "some text"
    yield "no text", ""
    yield "a broken text", "\ud800"
    yield "bytes", b"bytes"
    yield "an empty list", []
    yield "a list of texts", ["text"]
    yield "a list of lists", _endless()
    yield "an empty mapping", {}
    yield "a mapping", {"fips": True}
    yield "a mapping by number", {1: Foreign()}
    yield "a set", {"text"}
    yield "an iterator", iter(["text"])
    yield "an object", Foreign()
    yield "a class", Foreign
    yield "a function", lambda: None
    yield "a function without a result", lambda *_: None
    yield from world.objects
    yield "an enum", cdk.RemovalPolicy.DESTROY
    yield "a day", date(2026, 11, 27)
    yield "a moment", datetime(2026, 11, 27, 9, 0)  # noqa: DTZ001
    yield "a path", Path(os.sep) / "nowhere" / "at" / "all"


def public() -> dict[str, Any]:
    """What the root, patterns and testing offer, without the error, type aliases, and protocols, which make nothing."""
    offered = {name: getattr(room, name) for room in (am, patterns, testing) for name in room.__all__}
    return {
        name: item
        for name, item in offered.items()
        if callable(item)
        and not get_args(item)
        and item is not am.AutoModeError
        and not getattr(item, "_is_protocol", False)
    }


MODELS = [name for name, item in public().items() if isinstance(item, type) and issubclass(item, KubeModel)]
MAKERS = [name for name in public() if name not in MODELS]


def parameters(item: Any) -> Mapping[str, inspect.Parameter]:
    function = getattr(item, "__init__") if isinstance(item, type) else item  # noqa: B009 - of classes of all kinds
    named = {name: one for name, one in inspect.signature(function).parameters.items() if name != "self"}
    if named.pop("stack_options", None) is not None:
        options = ClusterStackOptions if item is patterns.ClusterStack else StackOptions
        for name in options.__annotations__:
            named[name] = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
    return named


def arguments_of(name: str, world: World) -> dict[str, Any]:
    """Valid arguments; a construct has a scope of its own, where no id is taken."""
    values = dict(GOOD[name](world))
    if "scope" in parameters(public()[name]):
        number = next(_NUMBERS)
        values |= {"scope": Construct(_scope(public()[name], world), f"s{number}"), "id": f"x{number}"}
    return values


def _scope(item: Any, world: World) -> Any:
    if issubclass(item, cdk.Stack):
        return world.app
    if re.search(r"\.(manifests|inference|charts)\.", item.__module__):
        return world.chart
    return world.stack


def raw_words(call: Callable[[], object]) -> str | None:
    """The words of an error that are not ours; ``""`` if all are ours, ``None`` if there is no error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    except am.AutoModeError as error:
        return f"left behind: {error}" if "is taken in its scope" in str(error) else ""
    except Exception as error:  # noqa: BLE001 - every error but ours is reported
        return f"{type(error).__name__}: {str(error)[:150]}"
    return None


def test_everything_public_is_here() -> None:
    assert sorted(MAKERS) == sorted(GOOD)


@pytest.mark.parametrize("name", MAKERS)
def test_every_argument_refuses_in_our_words_and_leaves_its_id_free(name: str, world: World) -> None:
    item, raw = public()[name], []
    valid = arguments_of(name, world)
    for argument, parameter in parameters(item).items():
        for kind, value in wrong_values(world):
            if value is None and parameter.default is None:
                continue
            values = valid | {argument: value}
            words = raw_words(partial(item, **values))
            if words is None:
                if "scope" in values:
                    # The tree stays small, and what only one construct of it may have is free again.
                    values["scope"].node.try_remove_child(values["id"])
                valid = arguments_of(name, world)
            elif words:
                raw.append(f"{name}({argument}=<{kind}>): {words}")
    assert raw == []
    if "id" in parameters(item):
        item(**valid)


def test_every_field_of_a_spec_refuses_in_our_words(world: World) -> None:
    raw = [
        f"{name}({field}=<{kind}>): {words}"
        for name in MODELS
        for kind, value in wrong_values(world)
        for field in public()[name].model_fields
        if (words := raw_words(partial(public()[name], **{field: value})))
    ]
    assert raw == []


@pytest.mark.parametrize("name", MAKERS)
def test_names_that_are_none_and_missing_ones_are_refused_in_our_words(name: str, world: World) -> None:
    item = public()[name]
    valid = arguments_of(name, world)
    with pytest.raises(am.AutoModeError, match="colour: is not a known argument"):
        item(**valid, colour="red")
    required = [
        key for key, one in parameters(item).items() if one.default is one.empty and one.kind is not one.VAR_KEYWORD
    ]
    for missing in required:
        with pytest.raises(am.AutoModeError, match=f"{missing}: is required"):
            item(**{key: value for key, value in valid.items() if key != missing})
